// How many steps have been inserted into a table, as far as they count for the run that samples
// it. Over several lives of a learner exact, if a checkpoint keeps where the count stood: see
// Counted and CountOn. Pure; not thread-safe.
#pragma once

#include <algorithm>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "absl/types/span.h"
#include "common/ports.h"

namespace cadre {

class ShardSteps {
 public:
  // Only what comes from now on counts; where the table has never answered, from its first answer
  // on: who sums up several tables has begun without it, and is not to see all of its steps at
  // once. Does nothing where it is known what was counted.
  void BeginWithout() {
    if (known_) return;
    if (heard_) offset_ = -inserted_steps_;
    without_ = true;
  }

  // Goes on from what was counted in an earlier life, whether or not the table has answered yet.
  void CountOn(const TableCount& before) {
    const int64_t now = inserted_steps_;
    known_ = true;
    inserted_steps_ = before.inserted_steps;
    offset_ = before.offset;
    if (heard_) Note(now);
  }

  // What the table says now. Less than before: its server has started anew and lost the rest,
  // which the run has had, and what is made in its place counts as well.
  void Note(int64_t inserted_steps) {
    if (!heard_ && !known_ && without_) offset_ = -inserted_steps;
    heard_ = true;
    offset_ += std::max<int64_t>(0, inserted_steps_ - inserted_steps);
    inserted_steps_ = inserted_steps;
  }

  bool heard() const { return heard_; }
  // Never goes back.
  int64_t count() const { return inserted_steps_ + offset_; }
  int64_t offset() const { return offset_; }
  // False: nothing was counted, and it is not known yet what is not to be.
  bool counted() const { return heard_ || known_ || !without_; }
  TableCount Counted(std::string table) const {
    return {std::move(table), inserted_steps_, offset_};
  }

 private:
  bool heard_ = false;    // In this life.
  bool known_ = false;    // From an earlier one.
  bool without_ = false;  // BeginWithout.
  int64_t inserted_steps_ = 0;
  int64_t offset_ = 0;  // Lost steps, less those that do not count.
};

// What a checkpoint's counts say of the tables at `addresses`.
struct MatchedCounts {
  std::vector<const TableCount*> of;  // [addresses]; null: nothing.
  int64_t others = 0;                 // The count of tables at other addresses.
};

// One table goes on from one, whatever its address was: it may differ in each life of a run.
// `counts` must outlive what is returned.
MatchedCounts MatchCounts(absl::Span<const TableCount> counts,
                          absl::Span<const std::string> addresses);

}  // namespace cadre
