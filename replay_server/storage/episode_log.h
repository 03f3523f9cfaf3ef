// The newest episodes that finished, for several readers, each of whom sees each once.
// Bounded: who reads too seldom misses some. Not thread-safe.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <vector>

#include "proto/experience.pb.h"

namespace cadre {

class EpisodeLog {
 public:
  explicit EpisodeLog(size_t most = 4096) : most_(most) {}

  void Add(const v1::Episode& episode) {
    episodes_.push_back(episode);
    if (episodes_.size() > most_) episodes_.pop_front(), ++first_;
  }

  // Where a new reader begins: at what nobody has read.
  uint64_t unread() const { return unread_; }

  // What nobody has read.
  std::vector<v1::Episode> Unread() const {
    const uint64_t begin = std::max(unread_, first_);
    return {episodes_.begin() + static_cast<std::ptrdiff_t>(begin - first_), episodes_.end()};
  }

  // All from *position on, which moves to the end.
  std::vector<v1::Episode> ReadFrom(uint64_t* position) {
    const uint64_t begin = std::max(*position, first_);
    unread_ = *position = first_ + episodes_.size();
    return {episodes_.begin() + static_cast<std::ptrdiff_t>(begin - first_), episodes_.end()};
  }

 private:
  const size_t most_;
  std::deque<v1::Episode> episodes_;
  uint64_t first_ = 0;   // Episodes before the oldest that is kept.
  uint64_t unread_ = 0;  // Those before this one were read by somebody.
};

}  // namespace cadre
