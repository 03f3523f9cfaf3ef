#include "actor/step_recorder.h"

#include <vector>

#include "common/config/config.h"
#include "common/config/replay_config.h"
#include "policy/off_policy_columns.h"
#include "policy/on_policy_columns.h"

namespace cadre {
namespace {

template <typename T>
absl::Span<const std::byte> Bytes(absl::Span<const T> values) {
  return {reinterpret_cast<const std::byte*>(values.data()), values.size() * sizeof(T)};
}

template <typename T>
absl::Span<const std::byte> Bytes(const std::vector<T>& values) {
  return Bytes(absl::MakeConstSpan(values));
}

class OnPolicyRecorder final : public StepRecorder {
 public:
  OnPolicyRecorder(const ExperimentConfig& config, OnPolicyColumns columns, int64_t environments)
      : columns_(columns),
        normalizes_rewards_(config.normalization().rewards()),
        discount_(static_cast<float>(DiscountFactor(config))),
        log_probs_(environments),
        versions_(environments),
        discounted_returns_(environments) {}

  absl::Span<float> log_probs() override { return absl::MakeSpan(log_probs_); }

  void AddActions(absl::Span<const std::byte> actions, int64_t version,
                  SegmentBuilder& builder) override {
    versions_.assign(versions_.size(), version);
    builder.AddColumn(columns_.action, actions);
    builder.AddColumn(columns_.log_prob, Bytes(log_probs_));
    builder.AddColumn(columns_.version, Bytes(versions_));
  }

  void AddRewards(absl::Span<const float> rewards, SegmentBuilder& builder) override {
    builder.AddColumn(columns_.reward, Bytes(rewards));
    if (!normalizes_rewards_) return;
    for (size_t e = 0; e < rewards.size(); ++e)
      discounted_returns_[e] = rewards[e] + discount_ * discounted_returns_[e];
    builder.AddColumn(columns_.discounted_return, Bytes(discounted_returns_));
  }

  void EndEpisode(int64_t environment) override { discounted_returns_[environment] = 0; }

 private:
  const OnPolicyColumns columns_;
  const bool normalizes_rewards_;
  const float discount_;
  std::vector<float> log_probs_;           // [N]
  std::vector<int64_t> versions_;          // [N]
  std::vector<float> discounted_returns_;  // [N], of the running episodes.
};

class OffPolicyRecorder final : public StepRecorder {
 public:
  OffPolicyRecorder(OffPolicyColumns columns, int64_t environments)
      : columns_(columns), versions_(environments) {}

  void AddActions(absl::Span<const std::byte> actions, int64_t version,
                  SegmentBuilder& builder) override {
    versions_.assign(versions_.size(), version);
    builder.AddColumn(columns_.action, actions);
    builder.AddColumn(columns_.version, Bytes(versions_));
  }

  void AddRewards(absl::Span<const float> rewards, SegmentBuilder& builder) override {
    builder.AddColumn(columns_.reward, Bytes(rewards));
  }

 private:
  const OffPolicyColumns columns_;
  std::vector<int64_t> versions_;  // [N]
};

}  // namespace

v1::ExperienceSpec RecordedSpec(const ExperimentConfig& config, const ObservationSpace& observation,
                                const ActionSpace& action) {
  return UsesReplay(config) ? OffPolicySpec(observation, action, RecurrentStateSize(config))
                            : OnPolicySpec(config, observation, action);
}

std::unique_ptr<StepRecorder> MakeStepRecorder(const ExperimentConfig& config, int shown,
                                               int64_t environments) {
  if (UsesReplay(config))
    return std::make_unique<OffPolicyRecorder>(OffPolicyColumns(shown), environments);
  return std::make_unique<OnPolicyRecorder>(config, OnPolicyColumns(shown), environments);
}

}  // namespace cadre
