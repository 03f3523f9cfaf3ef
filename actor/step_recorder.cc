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

// G = r + gamma G through each running episode, where rewards are normalised.
class DiscountedReturns {
 public:
  DiscountedReturns(const ExperimentConfig& config, int column, int64_t environments)
      : column_(config.normalization().rewards() ? column : -1),
        discount_(static_cast<float>(DiscountFactor(config))),
        returns_(environments) {}

  void AddRewards(absl::Span<const float> rewards, SegmentBuilder& builder) {
    if (column_ < 0) return;
    for (size_t e = 0; e < rewards.size(); ++e) returns_[e] = rewards[e] + discount_ * returns_[e];
    builder.AddColumn(column_, Bytes(returns_));
  }

  void EndEpisode(int64_t environment) { returns_[environment] = 0; }

 private:
  const int column_;  // -1: rewards are not normalised.
  const float discount_;
  std::vector<float> returns_;  // [N]
};

class OnPolicyRecorder final : public StepRecorder {
 public:
  OnPolicyRecorder(const ExperimentConfig& config, OnPolicyColumns columns, int64_t environments)
      : columns_(columns),
        log_probs_(environments),
        versions_(environments),
        discounted_returns_(config, columns.discounted_return, environments) {}

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
    discounted_returns_.AddRewards(rewards, builder);
  }

  void EndEpisode(int64_t environment) override { discounted_returns_.EndEpisode(environment); }

 private:
  const OnPolicyColumns columns_;
  std::vector<float> log_probs_;   // [N]
  std::vector<int64_t> versions_;  // [N]
  DiscountedReturns discounted_returns_;
};

class OffPolicyRecorder final : public StepRecorder {
 public:
  OffPolicyRecorder(const ExperimentConfig& config, OffPolicyColumns columns, int64_t environments)
      : columns_(columns),
        versions_(environments),
        discounted_returns_(config, columns.discounted_return, environments) {}

  void AddActions(absl::Span<const std::byte> actions, int64_t version,
                  SegmentBuilder& builder) override {
    versions_.assign(versions_.size(), version);
    builder.AddColumn(columns_.action, actions);
    builder.AddColumn(columns_.version, Bytes(versions_));
  }

  void AddRewards(absl::Span<const float> rewards, SegmentBuilder& builder) override {
    builder.AddColumn(columns_.reward, Bytes(rewards));
    discounted_returns_.AddRewards(rewards, builder);
  }

  void EndEpisode(int64_t environment) override { discounted_returns_.EndEpisode(environment); }

 private:
  const OffPolicyColumns columns_;
  std::vector<int64_t> versions_;  // [N]
  DiscountedReturns discounted_returns_;
};

}  // namespace

v1::ExperienceSpec RecordedSpec(const ExperimentConfig& config, const ObservationSpace& observation,
                                const ActionSpace& action) {
  return UsesReplay(config) ? OffPolicySpec(observation, action, RecurrentStateSize(config),
                                            config.normalization().rewards())
                            : OnPolicySpec(config, observation, action);
}

std::unique_ptr<StepRecorder> MakeStepRecorder(const ExperimentConfig& config, int shown,
                                               int64_t environments) {
  if (UsesReplay(config))
    return std::make_unique<OffPolicyRecorder>(
        config, OffPolicyColumns(shown, config.normalization().rewards()), environments);
  return std::make_unique<OnPolicyRecorder>(config, OnPolicyColumns(shown), environments);
}

}  // namespace cadre
