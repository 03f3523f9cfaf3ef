// When a writer gives up, as all of its rollouts are refused. Pure; not thread-safe.
#pragma once

#include <cstdint>

namespace cadre {

class RefusedInARow {
 public:
  // So many are too many where none was ever taken, and where some were.
  static constexpr int64_t kFirst = 20;
  static constexpr int64_t kLater = 1000;

  explicit RefusedInARow(int64_t first = kFirst) : first_(first) {}

  // A rollout was refused; rollouts are numbered from 1. True where it is time to give up.
  bool Refused(uint64_t sequence) {
    count_ = sequence == last_ + 1 ? count_ + 1 : 1;
    last_ = sequence;
    const bool all = static_cast<uint64_t>(count_) == sequence;
    return count_ >= (all || first_ < kFirst ? first_ : kLater);
  }

  int64_t count() const { return count_; }

 private:
  const int64_t first_;
  uint64_t last_ = 0;
  int64_t count_ = 0;
};

}  // namespace cadre
