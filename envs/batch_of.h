// The VectorEnvironment of one concrete environment: the copies lie side by side,
// and where E is final the compiler calls E::Step itself, not through its vtable. An E with StepAll
// steps all of them in one call.
#pragma once

#include <cstdint>
#include <cstring>
#include <limits>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/types/span.h"
#include "common/check.h"
#include "common/random.h"
#include "common/status_macros.h"
#include "envs/environment.h"
#include "envs/observation_blocks.h"
#include "envs/vector_environment.h"

namespace cadre {

// INVALID_ARGUMENT unless `actions` holds `count` actions of `space`: the right
// size, discrete ones in range, continuous ones finite (they may be out of bounds).
absl::Status CheckActions(const ActionSpace& space, int64_t count,
                          absl::Span<const std::byte> actions);

// An environment of which something outlasts an episode. A Reset of the batch calls it.
template <typename E>
concept Remembers = requires(E environment) {
  environment.Forget();
};

template <typename E>
class BatchOf final : public VectorEnvironment {
 public:
  // At least one environment, all with the same spec. Episodes are truncated after
  // `max_episode_steps`; 0: never. It replaces the spec's own.
  BatchOf(std::vector<E> environments, int64_t max_episode_steps);

  const EnvironmentSpec& spec() const override { return spec_; }
  int64_t count() const override { return static_cast<int64_t>(environments_.size()); }

  absl::Status Reset(uint64_t seed) override;
  absl::Status Step(absl::Span<const std::byte> actions) override;
  absl::Status StepSome(absl::Span<const std::byte> actions,
                        absl::Span<const uint8_t> stepped) override;
  absl::Status Restart(absl::Span<const uint8_t> restarted) override;
  absl::Status SetState(int64_t index, absl::Span<const double> state) override;

  ShownBlocks observations() const override { return observations_.blocks(); }
  ShownBlocks final_observations() const override { return final_observations_.blocks(); }
  absl::Span<const float> rewards() const override { return rewards_; }
  absl::Span<const uint8_t> terminated() const override { return terminated_; }
  absl::Span<const uint8_t> truncated() const override { return truncated_; }

 private:
  absl::Status CheckStarted() const;
  void StepOne(size_t i, absl::Span<const std::byte> actions);
  // After the environment's own step.
  void Finish(size_t i, const StepResult& result);
  void StartEpisode(size_t i);

  std::vector<E> environments_;
  EnvironmentSpec spec_;
  size_t action_bytes_;
  int64_t step_limit_;

  std::vector<Random> random_;       // [N]; empty before the first Reset.
  std::vector<int64_t> steps_;       // [N] of the running episode
  std::vector<StepResult> results_;  // [N] if E steps many at once.

  ObservationBlocks observations_, final_observations_;
  std::vector<float> rewards_;                   // [N]
  std::vector<uint8_t> terminated_, truncated_;  // [N]
};

template <typename E>
BatchOf<E>::BatchOf(std::vector<E> environments, int64_t max_episode_steps)
    : environments_(std::move(environments)) {
  CADRE_CHECK(!environments_.empty());
  spec_ = environments_.front().spec();
  spec_.max_episode_steps = max_episode_steps;
  step_limit_ = max_episode_steps > 0 ? max_episode_steps : std::numeric_limits<int64_t>::max();
  action_bytes_ = spec_.action.bytes();

  const size_t n = environments_.size();
  steps_.resize(n);
  if (StepsAll<E>) results_.resize(n);
  const std::vector<ObservationColumn> shown = ShownColumns(spec_.observation, spec_.action);
  observations_ = ObservationBlocks(shown, n);
  final_observations_ = ObservationBlocks(shown, n);
  rewards_.resize(n);
  terminated_.resize(n);
  truncated_.resize(n);
}

template <typename E>
absl::Status BatchOf<E>::Reset(uint64_t seed) {
  random_.clear();
  for (size_t i = 0; i < environments_.size(); ++i) {
    random_.push_back(Random::ForStream(seed, i));
    if constexpr (Remembers<E>) environments_[i].Forget();
    StartEpisode(i);
    rewards_[i] = 0;
    terminated_[i] = truncated_[i] = 0;
  }
  return absl::OkStatus();
}

template <typename E>
absl::Status BatchOf<E>::Step(absl::Span<const std::byte> actions) {
  CADRE_RETURN_IF_ERROR(CheckStarted());
  CADRE_RETURN_IF_ERROR(CheckActions(spec_.action, count(), actions));
  if constexpr (StepsAll<E>) {
    E::StepAll(absl::MakeSpan(environments_), {.actions = actions,
                                               .observations = observations_.column(0),
                                               .results = absl::MakeSpan(results_)});
    for (size_t i = 0; i < environments_.size(); ++i) Finish(i, results_[i]);
  } else {
    for (size_t i = 0; i < environments_.size(); ++i) StepOne(i, actions);
  }
  return absl::OkStatus();
}

template <typename E>
absl::Status BatchOf<E>::StepSome(absl::Span<const std::byte> actions,
                                  absl::Span<const uint8_t> stepped) {
  CADRE_RETURN_IF_ERROR(CheckStarted());
  CADRE_RETURN_IF_ERROR(CheckActions(spec_.action, count(), actions));
  CADRE_CHECK(stepped.size() == environments_.size());
  for (size_t i = 0; i < environments_.size(); ++i) {
    rewards_[i] = 0;
    terminated_[i] = truncated_[i] = 0;
    if (stepped[i]) StepOne(i, actions);
  }
  return absl::OkStatus();
}

template <typename E>
absl::Status BatchOf<E>::Restart(absl::Span<const uint8_t> restarted) {
  CADRE_RETURN_IF_ERROR(CheckStarted());
  CADRE_CHECK(restarted.size() == environments_.size());
  for (size_t i = 0; i < environments_.size(); ++i)
    if (restarted[i]) StartEpisode(i);
  return absl::OkStatus();
}

template <typename E>
absl::Status BatchOf<E>::SetState(int64_t index, absl::Span<const double> state) {
  CADRE_RETURN_IF_ERROR(CheckStarted());
  CADRE_CHECK(index >= 0 && index < count());
  return environments_[index].SetState(state, observations_.Row(index));
}

template <typename E>
absl::Status BatchOf<E>::CheckStarted() const {
  if (!random_.empty()) return absl::OkStatus();
  return absl::FailedPreconditionError("Step before the first Reset");
}

template <typename E>
void BatchOf<E>::StepOne(size_t i, absl::Span<const std::byte> actions) {
  const absl::Span<const std::byte> action(actions.data() + i * action_bytes_, action_bytes_);
  Finish(i, environments_[i].Step(action, random_[i], observations_.Row(i)));
}

template <typename E>
void BatchOf<E>::Finish(size_t i, const StepResult& result) {
  const bool truncated = ++steps_[i] >= step_limit_ && !result.terminated;
  rewards_[i] = static_cast<float>(result.reward);
  terminated_[i] = result.terminated;
  truncated_[i] = truncated;
  if (result.terminated || truncated) [[unlikely]] {
    final_observations_.CopyRow(i, observations_.blocks());
    StartEpisode(i);
  }
}

template <typename E>
void BatchOf<E>::StartEpisode(size_t i) {
  steps_[i] = 0;
  environments_[i].Reset(random_[i], observations_.Row(i));
}

}  // namespace cadre
