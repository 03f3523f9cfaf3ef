#include "actor/running_episodes.h"

#include <utility>

namespace cadre {

void RunningEpisodes::AddRewards(absl::Span<const float> rewards) {
  for (size_t e = 0; e < rewards.size(); ++e) {
    total_rewards_[e] += rewards[e];
    ++lengths_[e];
  }
}

void RunningEpisodes::End(int64_t environment) {
  v1::Episode episode;
  episode.set_total_reward(total_rewards_[environment]);
  episode.set_length(lengths_[environment]);
  finished_.push_back(std::move(episode));
  total_rewards_[environment] = 0;
  lengths_[environment] = 0;
}

void RunningEpisodes::Forget(int64_t environment) {
  total_rewards_[environment] = 0;
  lengths_[environment] = 0;
}

void RunningEpisodes::MoveFinishedTo(v1::Rollout& rollout) {
  for (v1::Episode& episode : finished_) *rollout.add_episodes() = std::move(episode);
  finished_.clear();
}

}  // namespace cadre
