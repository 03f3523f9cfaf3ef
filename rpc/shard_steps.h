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

  // What the table says now. Less than before: its server has started anew and lost the rest,
  // which the run has had, and what is made in its place counts as well.
  void Note(int64_t inserted_steps) {
    if (!heard_ && without_) base_ = inserted_steps;
    heard_ = true;
    lost_ += std::max<int64_t>(0, inserted_steps_ - inserted_steps);
    inserted_steps_ = inserted_steps;
  }

  bool heard() const { return heard_; }
  // Never goes back.
  int64_t count() const { return inserted_steps_ + lost_ - base_; }

 private:
  bool heard_ = false;
  bool without_ = false;
  int64_t base_ = 0;
  int64_t inserted_steps_ = 0;
  int64_t lost_ = 0;
};

}  // namespace cadre
