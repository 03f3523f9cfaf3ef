// Learning from the queue: each lease of rollouts is one update, acknowledged once
// what it made is published.
#include <algorithm>
#include <cmath>
#include <optional>
#include <utility>

#include <torch/utils.h>

#include "common/config/config.h"
#include "common/config/run_topology.h"
#include "common/kernels/optimizer.h"
#include "common/status_macros.h"
#include "learner/algorithms/device/host_copy.h"
#include "learner/algorithms/optimization/collective_sums.h"
#include "learner/algorithms/policy_gradient/episode_assembler.h"
#include "learner/algorithms/policy_gradient/on_policy.h"
#include "learner/batches/collate.h"
#include "learner/batches/staging_buffers.h"
#include "learner/loop/batch_learner.h"
#include "learner/loop/dropped_experience.h"
#include "learner/loop/part_times.h"
#include "learner/parallel/update_agreement.h"
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
                  std::unique_ptr<OnPolicyAlgorithm> algorithm, LearnTimes* times,
                  torch::Device device)
      : config_(config),
        spec_(std::move(spec)),
        algorithm_(std::move(algorithm)),
        host_parameters_(algorithm_->model().parameters()),
        staging_(MakeStagingBuffers(device)),
        normalizer_(config.normalization(), algorithm_->model().network().observation.floats()),
        times_(times),
        part_times_(times) {
    algorithm_->set_listener(&part_times_);
    if (algorithm_->learns_whole_episodes()) assembler_.emplace();
  }

  void set_collective(Collective* collective) override {
    collective_ = collective;
    algorithm_->set_collective(collective);
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

  Diagnostics diagnostics() const override;
  DiagnosticNames diagnostic_names() const override;
  int64_t dropped() const override { return dropped_.count(); }

  const ParameterLayout& layout() const override { return algorithm_->model().layout(); }
  torch::Tensor parameters() override { return host_parameters_.Get(); }
  void ParametersChanged() override {
    host_parameters_.Push();
    algorithm_->model().ParametersChanged();
  }
  void AddStatistics(v1::Parameters& parameters) const override { normalizer_.AddTo(parameters); }
  absl::Status RestoreStatistics(const v1::Parameters& parameters) override {
    return normalizer_.Restore(parameters);
  }

  void Save(TensorMap& state) const override {
    algorithm_->Save(state);
    if (assembler_) assembler_->Save(state);
  }
  absl::Status Restore(const TensorMap& state) override { return algorithm_->Restore(state); }
  absl::Status RestoreExperience(const TensorMap& state) override {
    return assembler_ ? assembler_->Restore(state) : absl::OkStatus();
  }

 private:
  absl::StatusOr<CollatedBatch> TakeBatch(const ExperiencePorts& ports, int64_t version);
  // What this learner and the others took, or that one of them stops.
  absl::StatusOr<UpdateShare> Agree(const absl::StatusOr<CollatedBatch>& taken, int64_t version,
                                    bool stop);
  // The episodes that `collated` ends, whole; observations transformed, rewards as they came.
  OnPolicyBatch WholeEpisodes(const CollatedBatch& collated);
  // How far the oldest policy that acted a step of `whole` is behind, and whether there is a
  // step to learn from at all: of all learners.
  absl::Status CountWhole(const OnPolicyBatch& whole, int64_t version, Learned& learned);
  absl::Status UpdateReturns(const torch::Tensor& discounted_returns);
  absl::Status UpdateObservations(const ObservationBatch& raw_observations);

  const ExperimentConfig& config_;
  const v1::ExperienceSpec spec_;
  const std::unique_ptr<OnPolicyAlgorithm> algorithm_;
  HostCopy host_parameters_;
  const std::unique_ptr<StagingBuffers> staging_;
  Normalizer normalizer_;
  LearnTimes* const times_;
  PartTimes part_times_;
  Collective* collective_ = nullptr;
  std::optional<EpisodeAssembler> assembler_;  // For algorithms that learn whole episodes.
  Diagnostics diagnostics_;                    // The algorithm's.
  DroppedExperience dropped_;
  uint64_t lease_ = 0;
  bool settled_ = true;
};

absl::StatusOr<CollatedBatch> OnPolicyLearner::TakeBatch(const ExperiencePorts& ports,
                                                         int64_t version) {
  times_->Enter(LearnStage::kWaitForExperience);
  CADRE_ASSIGN_OR_RETURN(Lease lease, ports.queue->Take(StepsPerLearnerUpdate(config_), version));
  times_->Enter(LearnStage::kCollate);
  lease_ = lease.id;
  absl::StatusOr<CollatedBatch> taken =
      Collate(spec_, algorithm_->model().network().action, normalizer_.observation_transform(),
              lease.rollouts);
  if (taken.ok())
    for (const std::string& reason : taken->dropped) dropped_.Count(1, "a rollout", reason);
  return taken;
}

absl::StatusOr<UpdateShare> OnPolicyLearner::Agree(const absl::StatusOr<CollatedBatch>& taken,
                                                   int64_t version, bool stop) {
  UpdateShare mine;
  mine.go_on = taken.ok() && (collective_ == nullptr || !stop);
  if (mine.go_on) {
    mine.steps = taken->taken_steps;
    mine.usable = taken->batch.steps() > 0;
    mine.version_lag = mine.usable ? version - taken->oldest_version : 0;
    mine.episodes = taken->episodes;
  } else if (!taken.ok() && (collective_ == nullptr || !absl::IsCancelled(taken.status()))) {
    return taken.status();
  }
  CADRE_ASSIGN_OR_RETURN(UpdateShare all, CombineShares(collective_, std::move(mine)));
  if (!all.go_on) return absl::CancelledError("a learner was told to stop");
  return all;
}

absl::Status OnPolicyLearner::UpdateReturns(const torch::Tensor& discounted_returns) {
  CADRE_ASSIGN_OR_RETURN(const auto all,
                         GatherMoments(collective_, MomentsOf(Flat(discounted_returns), 1)));
  for (const RowMoments& moments : all) normalizer_.MergeReturns(moments);
  return absl::OkStatus();
}

absl::Status OnPolicyLearner::UpdateObservations(const ObservationBatch& raw_observations) {
  if (!normalizer_.normalizes_observations()) return absl::OkStatus();
  const torch::Tensor rows = FloatRows(raw_observations);
  CADRE_ASSIGN_OR_RETURN(const auto all,
                         GatherMoments(collective_, MomentsOf(Flat(rows), rows.size(1))));
  for (const RowMoments& moments : all) normalizer_.MergeObservations(moments);
  return absl::OkStatus();
}

DiagnosticNames OnPolicyLearner::diagnostic_names() const {
  DiagnosticNames names = algorithm_->diagnostic_names();
  if (assembler_) names.insert(names.end(), {"waiting_steps", "dropped_steps"});
  return names;
}

Diagnostics OnPolicyLearner::diagnostics() const {
  Diagnostics measured = diagnostics_;
  if (assembler_) {
    measured.emplace_back("waiting_steps", static_cast<double>(assembler_->waiting_steps()));
    measured.emplace_back("dropped_steps", static_cast<double>(assembler_->dropped_steps()));
  }
  return UnderNames(diagnostic_names(), measured);
}

OnPolicyBatch OnPolicyLearner::WholeEpisodes(const CollatedBatch& collated) {
  OnPolicyBatch raw = collated.batch;
  raw.observations = collated.raw_observations;
  OnPolicyBatch whole = assembler_->Add(raw);
  // The newest published version, whichever acted: that is the policy that learns.
  whole.observations = Normalized(normalizer_.observation_transform(), whole.observations);
  return whole;
}

absl::Status OnPolicyLearner::CountWhole(const OnPolicyBatch& whole, int64_t version,
                                         Learned& learned) {
  const int64_t lag = whole.steps() == 0 ? 0 : version - whole.versions.min().item<int64_t>();
  CADRE_ASSIGN_OR_RETURN(learned.version_lag, MostOverLearners(collective_, lag));
  CADRE_ASSIGN_OR_RETURN(const int64_t most, MostOverLearners(collective_, whole.steps()));
  learned.updates = most > 0 ? 1 : 0;
  return absl::OkStatus();
}

absl::StatusOr<Learned> OnPolicyLearner::Learn(const ExperiencePorts& ports,
                                               const RunPosition& position,
                                               const std::atomic<bool>& stop) {
  absl::StatusOr<CollatedBatch> taken = TakeBatch(ports, position.version);
  CADRE_ASSIGN_OR_RETURN(UpdateShare all, Agree(taken, position.version, stop));
  if (!all.usable) {
    // The actors may wait for another version before they send more.
    Learned nothing;
    nothing.updates = 0;
    nothing.env_steps = position.env_steps + all.steps;
    nothing.episodes = std::move(all.episodes);
    return nothing;
  }
  CollatedBatch& collated = *taken;
  Learned learned;
  learned.env_steps = position.env_steps + all.steps;
  learned.version_lag = all.version_lag;
  learned.episodes = std::move(all.episodes);
  settled_ = false;
  if (assembler_) {
    collated.batch = WholeEpisodes(collated);
    CADRE_RETURN_IF_ERROR(CountWhole(collated.batch, position.version, learned));
  }
  // Rewards are scaled with the newest statistics; observations with those that the
  // actors had, or the probabilities of their actions would differ.
  if (collated.discounted_returns.defined()) {
    CADRE_RETURN_IF_ERROR(UpdateReturns(collated.discounted_returns));
    normalizer_.NormalizeRewards(Flat(collated.batch.rewards));
  }
  const double progress =
      static_cast<double>(position.env_steps) / static_cast<double>(config_.stop().env_steps());
  const OnPolicyBatch& batch = collated.batch;
  CADRE_ASSIGN_OR_RETURN(
      diagnostics_,
      algorithm_->Update(batch.steps() == 0 ? batch : staging_->StageBatch(batch), progress));
  host_parameters_.Stale();
  if (!std::isfinite(GradientNorm(Flat(parameters()))))
    return absl::DataLossError("parameters that are not finite");
  CADRE_RETURN_IF_ERROR(UpdateObservations(collated.raw_observations));
  return learned;
}

}  // namespace

absl::StatusOr<std::unique_ptr<BatchLearner>> MakeOnPolicyLearner(
    const ExperimentConfig& config, const EnvironmentSpec& environment, LearnTimes* times,
    const DeviceOptions& device) {
  CADRE_ASSIGN_OR_RETURN(
      auto network, MakeActorCritic(config.model(), environment.observation, environment.action));
  Random random = Random::ForStream(config.seed(), kInitialParametersStream);
  const std::vector<float> initial = InitialParameters(network, random);
  auto model = std::make_unique<ActorCritic>(std::move(network), device.runner(), device.device);
  model->parameters().copy_(torch::tensor(initial));
  model->ParametersChanged();

  // The kernels are one thread's. LibTorch's other threads would spin while they wait for
  // work, beside actors that have it, and sums would depend on how many there are.
  if (device.on_cpu_kernels()) torch::set_num_threads(1);
  const Random algorithm_random = Random::ForStream(config.seed(), kAlgorithmStream);
  CADRE_ASSIGN_OR_RETURN(auto algorithm,
                         MakeOnPolicyAlgorithm(config, std::move(model), algorithm_random, device));
  v1::ExperienceSpec spec = OnPolicySpec(config, environment.observation, environment.action);
  return std::make_unique<OnPolicyLearner>(config, std::move(spec), std::move(algorithm), times,
                                           device.device);
}

}  // namespace cadre
