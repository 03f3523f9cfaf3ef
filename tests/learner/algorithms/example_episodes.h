// Rollouts of made-up episodes, whose steps are numbered: the reward, the action and the
// first element of the observation of each are the same number, and the log-probability is a
// thousandth of its negative. A step's version is its rollout's sequence number.
#pragma once

#include <cstdint>
#include <map>
#include <utility>
#include <vector>

#include <torch/types.h>

#include "common/random.h"
#include "learner/algorithms/policy_gradient/on_policy_batch.h"

namespace cadre {

enum ExampleEnd { kCut, kTerminated, kTruncated };

struct NumberedSegment {
  int64_t length;
  ExampleEnd end;
  int64_t first_reward;  // The first step's number.
  SegmentOrigin origin = {};
};

// Observations [N + S, 2], discrete actions.
inline OnPolicyBatch SegmentsBatch(const std::vector<NumberedSegment>& segments) {
  OnPolicyBatch batch;
  std::vector<float> rewards, observations;
  std::vector<int64_t> rows, versions;
  for (const NumberedSegment& segment : segments) {
    batch.segments.push_back({static_cast<int64_t>(rewards.size()), segment.length,
                              segment.end == kTerminated, segment.end == kCut, segment.origin});
    for (int64_t t = 0; t <= segment.length; ++t) {
      const float number = static_cast<float>(segment.first_reward + t);
      if (t < segment.length) {
        rows.push_back(static_cast<int64_t>(observations.size() / 2));
        rewards.push_back(number);
        versions.push_back(static_cast<int64_t>(segment.origin.sequence));
      }
      observations.insert(observations.end(), {number, -number});
    }
  }
  batch.observations = torch::tensor(observations).view({-1, 2});
  batch.observation_rows = torch::tensor(rows, torch::kInt64);
  batch.rewards = torch::tensor(rewards);
  batch.actions = batch.rewards.to(torch::kInt64);
  batch.log_probs = -batch.rewards / 1000;
  batch.versions = torch::tensor(versions, torch::kInt64);
  return batch;
}

// Environments of some actors, whose episodes have random lengths and ends.
class ExampleEpisodes {
 public:
  ExampleEpisodes(int32_t actors, int32_t environments)
      : actors_(actors), environments_(environments), running_(actors * environments) {}

  // A rollout of each actor, `length` steps of each of its environments.
  OnPolicyBatch NextBatch(int64_t length, Random& random) {
    ++sequence_;
    std::vector<NumberedSegment> segments;
    for (int32_t place = 0; place < actors_ * environments_; ++place) {
      const SegmentOrigin origin{place / environments_, place % environments_,
                                 static_cast<uint64_t>(100 + place / environments_), sequence_};
      for (int64_t left = length; left > 0;) {
        std::vector<float>& episode = running_[place];
        if (episode.empty()) next_number_ += 1000;
        const int64_t first = episode.empty() ? next_number_ : int64_t(episode.back()) + 1;
        const int64_t rest = 1 + static_cast<int64_t>(random.Below(12));
        const bool ends = rest <= left;
        const ExampleEnd end = !ends ? kCut : random.Below(2) == 0 ? kTerminated : kTruncated;
        const int64_t steps = ends ? rest : left;
        segments.push_back({steps, end, first, origin});
        for (int64_t t = 0; t < steps; ++t) episode.push_back(static_cast<float>(first + t));
        if (ends) finished_.push_back(std::exchange(episode, {}));
        if (ends) terminated_.push_back(end == kTerminated);
        left -= steps;
      }
    }
    return SegmentsBatch(segments);
  }

  // The numbers of the steps of each episode that ended, in the order of their ends.
  const std::vector<std::vector<float>>& finished() const { return finished_; }
  const std::vector<bool>& terminated() const { return terminated_; }
  int64_t running_steps() const {
    int64_t sum = 0;
    for (const auto& episode : running_) sum += static_cast<int64_t>(episode.size());
    return sum;
  }

 private:
  const int32_t actors_, environments_;
  std::vector<std::vector<float>> running_;  // By place; the numbers so far.
  std::vector<std::vector<float>> finished_;
  std::vector<bool> terminated_;
  uint64_t sequence_ = 0;
  int64_t next_number_ = 0;
};

}  // namespace cadre
