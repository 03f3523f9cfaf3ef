// The rollouts that wait in a queue, in the order in which they were admitted, and
// how much they are. Pure; not thread-safe.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <vector>

#include "proto/experience.pb.h"

namespace cadre {

struct QueuedRollout {
  v1::Rollout rollout;
  uint64_t writer = 0;
  uint64_t sequence = 0;
  int64_t version = 0;
  int64_t steps = 0;
  int64_t bytes = 0;
  uint64_t position = 0;  // Of admission: the queue's order. Unique.
};

class WaitingRollouts {
 public:
  bool empty() const { return rollouts_.empty(); }
  size_t size() const { return rollouts_.size(); }
  int64_t steps() const { return steps_; }
  int64_t bytes() const { return bytes_; }

  // Puts it where its position says: the end, unless it comes back.
  void Insert(QueuedRollout rollout);

  // The oldest that make up at least `steps` steps, of which there must be as many.
  std::vector<QueuedRollout> RemoveOldest(int64_t steps);

  // All of versions below `version`.
  std::vector<QueuedRollout> RemoveBelow(int64_t version);

 private:
  std::deque<QueuedRollout> rollouts_;  // By position.
  int64_t steps_ = 0;                   // Sums of these.
  int64_t bytes_ = 0;
};

}  // namespace cadre
