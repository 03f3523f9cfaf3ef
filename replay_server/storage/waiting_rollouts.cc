#include "replay_server/storage/waiting_rollouts.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "common/check.h"

namespace cadre {

void WaitingRollouts::Insert(QueuedRollout rollout) {
  steps_ += rollout.steps;
  bytes_ += rollout.bytes;
  const auto place = std::upper_bound(
      rollouts_.begin(), rollouts_.end(), rollout.position,
      [](uint64_t position, const QueuedRollout& other) { return position < other.position; });
  rollouts_.insert(place, std::move(rollout));
}

std::vector<QueuedRollout> WaitingRollouts::RemoveOldest(int64_t steps) {
  CADRE_CHECK(steps <= steps_);
  std::vector<QueuedRollout> removed;
  for (int64_t taken = 0; taken < steps; taken += removed.back().steps) {
    removed.push_back(std::move(rollouts_.front()));
    rollouts_.pop_front();
    steps_ -= removed.back().steps;
    bytes_ -= removed.back().bytes;
  }
  return removed;
}

std::vector<QueuedRollout> WaitingRollouts::RemoveBelow(int64_t version) {
  const auto stays = [version](const QueuedRollout& rollout) { return rollout.version >= version; };
  if (std::all_of(rollouts_.begin(), rollouts_.end(), stays)) return {};
  const auto first = std::stable_partition(rollouts_.begin(), rollouts_.end(), stays);
  std::vector<QueuedRollout> removed(std::make_move_iterator(first),
                                     std::make_move_iterator(rollouts_.end()));
  rollouts_.erase(first, rollouts_.end());
  for (const QueuedRollout& rollout : removed) {
    steps_ -= rollout.steps;
    bytes_ -= rollout.bytes;
  }
  return removed;
}

}  // namespace cadre
