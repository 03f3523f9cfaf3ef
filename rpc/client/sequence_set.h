// A set of sequence numbers that mostly grows at its end: stored as intervals, of
// which it keeps a bounded number. Pure; not thread-safe.
#pragma once

#include <cstddef>
#include <cstdint>
#include <iterator>
#include <map>

namespace cadre {

class SequenceSet {
 public:
  // Past so many intervals the lowest gap between two of them counts as in the set.
  explicit SequenceSet(size_t most_intervals) : most_intervals_(most_intervals) {}

  bool Contains(uint64_t sequence) const {
    const auto above = intervals_.upper_bound(sequence);
    return above != intervals_.begin() && std::prev(above)->second >= sequence;
  }

  void Insert(uint64_t sequence) {
    if (Contains(sequence)) return;
    auto above = intervals_.upper_bound(sequence);
    const bool joins_above = above != intervals_.end() && above->first == sequence + 1;
    const bool joins_below =
        above != intervals_.begin() && std::prev(above)->second + 1 == sequence;
    const uint64_t last = joins_above ? above->second : sequence;
    if (joins_above) above = intervals_.erase(above);
    if (joins_below) {
      std::prev(above)->second = last;
    } else {
      intervals_.emplace(sequence, last);
    }
    if (intervals_.size() > most_intervals_) FillLowestGap();
  }

  size_t intervals() const { return intervals_.size(); }

 private:
  void FillLowestGap() {
    const auto second = std::next(intervals_.begin());
    intervals_.begin()->second = second->second;
    intervals_.erase(second);
  }

  const size_t most_intervals_;
  std::map<uint64_t, uint64_t> intervals_;  // First to last, apart by at least one.
};

}  // namespace cadre
