// Learning from the queue: each lease of rollouts is one update, acknowledged once
// what it made is published.
#include <algorithm>
#include <cmath>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/config.h"
#include "common/kernels/optimizer.h"
#include "common/status_macros.h"
#include "learner/algorithms/ppo.h"
#include "learner/batch_learner.h"
#include "learner/collate.h"
#include "learner/part_times.h"
#include "policy/normalization.h"
#include "policy/on_policy_columns.h"

namespace cadre {
namespace {

absl::Span<float> Flat(const torch::Tensor& tensor) {
  return {tensor.data_ptr<float>(), static_cast<size_t>(tensor.numel())};
}

class OnPolicyLearner final : public BatchLearner {
 public:
  OnPolicyLearner(const ExperimentConfig& config, v1::ExperienceSpec spec,
                  std::unique_ptr<OnPolicyAlgorithm> algorithm, LearnTimes* times)
      : config_(config),
        spec_(std::move(spec)),
        algorithm_(std::move(algorithm)),
        normalizer_(config.normalization(), algorithm_->model().network().observation_size),
        times_(times),
        part_times_(times) {
    algorithm_->set_listener(&part_times_);
  }

  const v1::ExperienceSpec& experience_spec() const override { return spec_; }

  absl::StatusOr<Learned> Learn(const ExperiencePorts& ports, const RunPosition& position,
                                const std::atomic<bool>& stop) override;

  absl::Status Settle(const ExperiencePorts& ports) override {
    CADRE_RETURN_IF_ERROR(ports.queue->Acknowledge(lease_));
    settled_ = true;
    return absl::OkStatus();
  }
  bool settled() const override { return settled_; }

  Diagnostics diagnostics() const override { return diagnostics_; }

  const ParameterLayout& layout() const override { return algorithm_->model().network().layout; }
  torch::Tensor parameters() override { return algorithm_->model().parameters(); }
  void ParametersChanged() override { algorithm_->model().ParametersChanged(); }
  void AddStatistics(v1::Parameters& parameters) const override { normalizer_.AddTo(parameters); }
  absl::Status RestoreStatistics(const v1::Parameters& parameters) override {
    return normalizer_.Restore(parameters);
  }

  void Save(TensorMap& state) const override { algorithm_->Save(state); }
  absl::Status Restore(const TensorMap& state) override { return algorithm_->Restore(state); }

 private:
  const ExperimentConfig& config_;
  const v1::ExperienceSpec spec_;
  const std::unique_ptr<OnPolicyAlgorithm> algorithm_;
  Normalizer normalizer_;
  LearnTimes* const times_;
  PartTimes part_times_;
  Diagnostics diagnostics_;
  uint64_t lease_ = 0;
  bool settled_ = true;
};

absl::StatusOr<Learned> OnPolicyLearner::Learn(const ExperiencePorts& ports,
                                               const RunPosition& position,
                                               const std::atomic<bool>& /*stop*/) {
  times_->Enter(LearnStage::kWaitForExperience);
  CADRE_ASSIGN_OR_RETURN(Lease lease, ports.queue->Take(StepsPerUpdate(config_), position.version));
  times_->Enter(LearnStage::kCollate);
  CADRE_ASSIGN_OR_RETURN(CollatedBatch collated,
                         Collate(spec_, algorithm_->model().network(),
                                 normalizer_.observation_transform(), lease.rollouts));
  // Rewards are scaled with the newest statistics; observations with those that the
  // actors had, or the probabilities of their actions would differ.
  if (collated.discounted_returns.defined()) {
    normalizer_.UpdateReturns(Flat(collated.discounted_returns));
    normalizer_.NormalizeRewards(Flat(collated.batch.rewards));
  }
  const double progress =
      static_cast<double>(position.env_steps) / static_cast<double>(config_.stop().env_steps());
  lease_ = lease.id;
  settled_ = false;
  diagnostics_ = algorithm_->Update(collated.batch, progress);
  if (!std::isfinite(GradientNorm(Flat(parameters()))))
    return absl::DataLossError("parameters that are not finite");
  normalizer_.UpdateObservations(Flat(collated.raw_observations));

  Learned learned;
  learned.env_steps = position.env_steps + collated.batch.steps();
  learned.version_lag = position.version - collated.oldest_version;
  learned.episodes = std::move(collated.episodes);
  return learned;
}

}  // namespace

absl::StatusOr<std::unique_ptr<BatchLearner>> MakeOnPolicyLearner(
    const ExperimentConfig& config, const EnvironmentSpec& environment, LearnTimes* times) {
  CADRE_ASSIGN_OR_RETURN(
      auto network, MakeActorCritic(config.model(), environment.observation, environment.action));
  Random random = Random::ForStream(config.seed(), kInitialParametersStream);
  const std::vector<float> initial = InitialParameters(network, random);
  std::unique_ptr<ActorCritic> model = MakeFusedActorCritic(std::move(network));
  std::copy(initial.begin(), initial.end(), Flat(model->parameters()).begin());
  model->ParametersChanged();

  std::unique_ptr<OnPolicyAlgorithm> algorithm;
  switch (config.algorithm_case()) {
    case ExperimentConfig::kPpo:
      algorithm = MakePpo(config.ppo(), std::move(model),
                          Random::ForStream(config.seed(), kAlgorithmStream));
      break;
    default:
      return absl::InvalidArgumentError(
          absl::StrCat("algorithm '", AlgorithmName(config), "' does not learn from the queue"));
  }
  v1::ExperienceSpec spec = OnPolicySpec(config, environment.observation, environment.action);
  return std::make_unique<OnPolicyLearner>(config, std::move(spec), std::move(algorithm), times);
}

}  // namespace cadre
