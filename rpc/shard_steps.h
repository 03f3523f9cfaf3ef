// How many steps have been inserted into one of several tables, as far as they count. Pure;
// not thread-safe.
#pragma once

#include <algorithm>
#include <cstdint>

namespace cadre {

class ShardSteps {
 public:
  // Unless it has answered, it counts from its first answer on: who sums up the shards has
  // begun without it, and is not to see all of its steps at once.
  void BeginWithout() { without_ = !heard_; }

  // What the table says now.
  void Note(int64_t inserted_steps) {
    if (!heard_ && without_) base_ = inserted_steps;
    heard_ = true;
    inserted_steps_ = std::max(inserted_steps_, inserted_steps);
  }

  bool heard() const { return heard_; }
  // Never goes back.
  int64_t count() const { return inserted_steps_ - base_; }

 private:
  bool heard_ = false;
  bool without_ = false;
  int64_t base_ = 0;
  int64_t inserted_steps_ = 0;
};

}  // namespace cadre
