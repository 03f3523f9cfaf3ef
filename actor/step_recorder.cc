#include "actor/step_recorder.h"

#include <vector>

#include "common/replay_config.h"
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
  OnPolicyRecorder(const ExperimentConfig& config, int64_t environments)
      : normalizes_rewards_(config.normalization().rewards()),
        discount_(static_cast<float>(DiscountFactor(config))),
        log_probs_(environments),
        versions_(environments),
        discounted_returns_(environments) {}

  absl::Span<float> log_probs() override { return absl::MakeSpan(log_probs_); }

  void AddActions(absl::Span<const std::byte> actions, int64_t version,
                  SegmentBuilder& builder) override {
    versions_.assign(versions_.size(), version);
    builder.AddColumn(OnPolicyColumns::kAction, actions);
    builder.AddColumn(OnPolicyColumns::kLogProb, Bytes(log_probs_));
    builder.AddColumn(OnPolicyColumns::kVersion, Bytes(versions_));
  }

  void AddRewards(absl::Span<const float> rewards, SegmentBuilder& builder) override {
    builder.AddColumn(OnPolicyColumns::kReward, Bytes(rewards));
    if (!normalizes_rewards_) return;
    for (size_t e = 0; e < rewards.size(); ++e)
      discounted_returns_[e] = rewards[e] + discount_ * discounted_returns_[e];
    builder.AddColumn(OnPolicyColumns::kDiscountedReturn, Bytes(discounted_returns_));
  }

  void EndEpisode(int64_t environment) override { discounted_returns_[environment] = 0; }

 private:
  const bool normalizes_rewards_;
  const float discount_;
  std::vector<float> log_probs_;           // [N]
  std::vector<int64_t> versions_;          // [N]
  std::vector<float> discounted_returns_;  // [N], of the running episodes.
};

class OffPolicyRecorder final : public StepRecorder {
 public:
  explicit OffPolicyRecorder(int64_t environments) : versions_(environments) {}

  void AddActions(absl::Span<const std::byte> actions, int64_t version,
                  SegmentBuilder& builder) override {
    versions_.assign(versions_.size(), version);
    builder.AddColumn(OffPolicyColumns::kAction, actions);
    builder.AddColumn(OffPolicyColumns::kVersion, Bytes(versions_));
  }

  void AddRewards(absl::Span<const float> rewards, SegmentBuilder& builder) override {
    builder.AddColumn(OffPolicyColumns::kReward, Bytes(rewards));
  }

 private:
  std::vector<int64_t> versions_;  // [N]
};

}  // namespace

v1::ExperienceSpec RecordedSpec(const ExperimentConfig& config, const ObservationSpace& observation,
                                const ActionSpace& action) {
  return UsesReplay(config) ? OffPolicySpec(observation, action)
                            : OnPolicySpec(config, observation, action);
}

std::unique_ptr<StepRecorder> MakeStepRecorder(const ExperimentConfig& config,
                                               int64_t environments) {
  if (UsesReplay(config)) return std::make_unique<OffPolicyRecorder>(environments);
  return std::make_unique<OnPolicyRecorder>(config, environments);
}

}  // namespace cadre
