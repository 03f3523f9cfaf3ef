// Learning from a queue of one's own with a model that several learners share: each batch
// is one gradient, which goes to the parameter server; the newest parameters come back
// (Mnih et al. 2016, algorithm S3). The copy here is always a version of the shared model.
#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/config/run_topology.h"
#include "common/kernels/optimizer.h"
#include "common/status_macros.h"
#include "learner/algorithms/device/host_copy.h"
#include "learner/algorithms/device/tensor_spans.h"
#include "learner/algorithms/optimization/pushed_gradient.h"
#include "learner/batches/collate.h"
#include "learner/batches/staging_buffers.h"
#include "learner/loop/batch_learner.h"
#include "learner/loop/dropped_experience.h"
#include "learner/loop/part_times.h"
#include "learner/loop/shared_model_state.h"
#include "policy/normalization.h"
#include "policy/on_policy_columns.h"

namespace cadre {
namespace {

class PushingLearner final : public BatchLearner {
 public:
  PushingLearner(const ExperimentConfig& config, ActionSpace action, v1::ExperienceSpec spec,
                 std::unique_ptr<BatchGradient> algorithm, LearnTimes* times, torch::Device device)
      : config_(config),
        action_(std::move(action)),
        spec_(std::move(spec)),
        algorithm_(std::move(algorithm)),
        host_parameters_(algorithm_->model().parameters()),
        host_gradient_(algorithm_->model().gradient()),
        staging_(MakeStagingBuffers(device)),
        times_(times),
        part_times_(times) {
    algorithm_->set_listener(&part_times_);
  }

  const v1::ExperienceSpec& experience_spec() const override { return spec_; }

  absl::StatusOr<RunPosition> Begin(const ExperiencePorts& ports,
                                    const RunPosition& position) override;
  absl::StatusOr<Learned> Learn(const ExperiencePorts& ports, const RunPosition& position,
                                const std::atomic<bool>& stop) override;
  absl::StatusOr<int64_t> Gather(const ExperiencePorts& ports,
                                 const RunPosition& position) override;
  absl::Status Settle(const ExperiencePorts& ports) override {
    return ports.queue->Acknowledge(lease_);
  }
  // The server's state goes on whatever happens here; only what was gathered fits together.
  bool settled() const override { return gathered_; }

  Diagnostics diagnostics() const override { return UnderNames(diagnostic_names(), diagnostics_); }
  DiagnosticNames diagnostic_names() const override {
    DiagnosticNames names = algorithm_->diagnostic_names();
    names.push_back("gradient_lag");
    return names;
  }
  int64_t dropped() const override { return dropped_.count(); }

  const ParameterLayout& layout() const override { return algorithm_->model().layout(); }
  torch::Tensor parameters() override { return host_parameters_.Get(); }
  void ParametersChanged() override {
    host_parameters_.Push();
    algorithm_->model().ParametersChanged();
    host_parameters_.Stale();  // Parameters with bounds may have been moved.
  }
  void AddStatistics(v1::Parameters& /*parameters*/) const override {}
  absl::Status RestoreStatistics(const v1::Parameters& /*parameters*/) override {
    return absl::OkStatus();
  }

  void Save(TensorMap& state) const override {
    algorithm_->Save(state);
    SaveSharedModel({version_, optimizer_, step_counts_}, state);
  }
  absl::Status Restore(const TensorMap& state) override {
    CADRE_RETURN_IF_ERROR(algorithm_->Restore(state));
    CADRE_ASSIGN_OR_RETURN(SharedModelState shared, RestoreSharedModel(state));
    version_ = counted_version_ = shared.version;
    optimizer_ = std::move(shared.optimizer);
    step_counts_ = std::move(shared.step_counts);
    return absl::OkStatus();
  }

 private:
  v1::SharedModel Model(const RunPosition& position);
  // The copy here becomes `newest`.
  absl::Status Adopt(const v1::Parameters& newest);
  // Without a step to take it only says that the batch was consumed.
  absl::Status Push(const ExperiencePorts& ports, const CollatedBatch& collated, bool step,
                    Learned& learned);

  const ExperimentConfig& config_;
  const ActionSpace action_;
  const v1::ExperienceSpec spec_;
  const std::unique_ptr<BatchGradient> algorithm_;
  HostCopy host_parameters_, host_gradient_;
  const std::unique_ptr<StagingBuffers> staging_;
  LearnTimes* const times_;
  PartTimes part_times_;
  Diagnostics diagnostics_;
  DroppedExperience dropped_;
  uint64_t lease_ = 0;

  int64_t version_ = 1;          // Of the shared model, of the copy here.
  int64_t counted_version_ = 1;  // Up to which versions were told as updates.
  // Of the server when they were last gathered.
  v1::OptimizerState optimizer_;
  std::vector<v1::PushedSequence> step_counts_;
  bool gathered_ = true;  // They are of version_.
};

v1::SharedModel PushingLearner::Model(const RunPosition& position) {
  v1::SharedModel model;
  const absl::Span<const float> flat = Flat(parameters());
  v1::Parameters& shared = *model.mutable_parameters();
  shared.set_model(ModelName(config_));
  shared.set_version(version_);
  shared.set_values(flat.data(), flat.size() * sizeof(float));
  shared.set_layout_fingerprint(layout().fingerprint());
  shared.set_env_steps(position.env_steps);
  *model.mutable_optimizer() = PushedOptimizer(config_);
  model.set_schedule_steps(config_.stop().env_steps());
  const LearnersConfig& learners = config_.learners();
  model.set_max_gradient_lag(learners.has_max_gradient_lag() ? learners.max_gradient_lag() : -1);
  if (optimizer_.step() > 0 || optimizer_.moments_size() > 0)
    *model.mutable_optimizer_state() = optimizer_;
  model.mutable_pushed()->Assign(step_counts_.begin(), step_counts_.end());
  return model;
}

absl::Status PushingLearner::Adopt(const v1::Parameters& newest) {
  const absl::Span<float> flat = Flat(parameters());
  if (newest.values().size() != flat.size() * sizeof(float) ||
      newest.layout_fingerprint() != layout().fingerprint())
    return absl::FailedPreconditionError(
        absl::StrCat("the shared model '", newest.model(), "' has ", newest.values().size(),
                     " bytes of layout ", absl::Hex(newest.layout_fingerprint()), "; wanted ",
                     flat.size() * sizeof(float), " of ", absl::Hex(layout().fingerprint())));
  std::memcpy(flat.data(), newest.values().data(), newest.values().size());
  if (!std::isfinite(GradientNorm(flat)))
    return absl::DataLossError("parameters that are not finite");
  ParametersChanged();
  algorithm_->OnSharedVersion(newest.version());
  version_ = newest.version();
  return absl::OkStatus();
}

absl::StatusOr<RunPosition> PushingLearner::Begin(const ExperiencePorts& ports,
                                                  const RunPosition& position) {
  // Whoever comes first decides what the model is: it must not be a learner that knows
  // nothing of what the run has learned.
  if (ports.first != nullptr)
    CADRE_RETURN_IF_ERROR(ports.first->WaitNewer(0, absl::InfiniteDuration()).status());
  CADRE_ASSIGN_OR_RETURN(const ParametersPtr newest, ports.gradients->Start(Model(position)));
  gathered_ = gathered_ && newest->version() == version_;
  CADRE_RETURN_IF_ERROR(Adopt(*newest));
  return RunPosition{.env_steps = newest->env_steps(), .version = newest->version()};
}

absl::StatusOr<Learned> PushingLearner::Learn(const ExperiencePorts& ports,
                                              const RunPosition& position,
                                              const std::atomic<bool>& /*stop*/) {
  times_->Enter(LearnStage::kWaitForExperience);
  CADRE_ASSIGN_OR_RETURN(Lease lease,
                         ports.queue->Take(StepsPerLearnerUpdate(config_), position.version));
  times_->Enter(LearnStage::kCollate);
  CADRE_ASSIGN_OR_RETURN(CollatedBatch collated,
                         Collate(spec_, action_, ObservationTransform(), lease.rollouts));
  lease_ = lease.id;
  for (const std::string& reason : collated.dropped) dropped_.Count(1, "a rollout", reason);
  const double progress = std::min(1.0, static_cast<double>(position.env_steps) /
                                            static_cast<double>(config_.stop().env_steps()));
  Learned learned;
  learned.env_steps = position.env_steps;
  learned.updates = 0;
  diagnostics_.clear();
  bool step = false;  // What is left of the rollouts may be nothing.
  if (collated.batch.steps() > 0) {
    CADRE_ASSIGN_OR_RETURN(step, algorithm_->ComputeGradient(staging_->StageBatch(collated.batch),
                                                             progress, diagnostics_));
  }
  host_gradient_.Stale();
  if (step && !std::isfinite(GradientNorm(Flat(host_gradient_.Get()))))
    return absl::DataLossError("a gradient that is not finite");
  if (step) learned.version_lag = position.version - collated.oldest_version;
  CADRE_RETURN_IF_ERROR(Push(ports, collated, step, learned));
  learned.episodes = std::move(collated.episodes);
  return learned;
}

absl::Status PushingLearner::Push(const ExperiencePorts& ports, const CollatedBatch& collated,
                                  bool step, Learned& learned) {
  times_->Enter(LearnStage::kOptimize);
  const absl::Span<const float> flat = Flat(host_gradient_.Get());
  v1::Gradient gradient;
  gradient.set_model(ModelName(config_));
  gradient.set_version(version_);
  if (step) gradient.set_values(flat.data(), flat.size() * sizeof(float));
  gradient.set_env_steps(collated.taken_steps);
  gathered_ = false;
  absl::StatusOr<PushedGradient> answer = ports.gradients->Push(std::move(gradient));
  // Its size is right since Start: what is left is a gradient too long for any step.
  if (absl::IsInvalidArgument(answer.status()))
    return absl::DataLossError(
        absl::StrCat("a gradient that the parameter server refuses: ", answer.status().message()));
  CADRE_ASSIGN_OR_RETURN(const PushedGradient pushed, std::move(answer));
  CADRE_RETURN_IF_ERROR(Adopt(*pushed.newest));
  if (step) {
    diagnostics_.emplace_back("gradient_lag", static_cast<double>(pushed.lag));
    learned.version_lag += pushed.lag;
  }
  learned.env_steps = pushed.newest->env_steps();
  learned.version = version_;
  learned.updates = std::max<int64_t>(0, version_ - counted_version_);
  counted_version_ = version_;
  return absl::OkStatus();
}

absl::StatusOr<int64_t> PushingLearner::Gather(const ExperiencePorts& ports,
                                               const RunPosition& /*position*/) {
  CADRE_ASSIGN_OR_RETURN(v1::SharedModel model, ports.gradients->Fetch(ModelName(config_)));
  CADRE_RETURN_IF_ERROR(Adopt(model.parameters()));
  optimizer_ = std::move(*model.mutable_optimizer_state());
  step_counts_.assign(model.pushed().begin(), model.pushed().end());
  gathered_ = true;
  return model.parameters().env_steps();
}

}  // namespace

absl::StatusOr<std::unique_ptr<BatchLearner>> MakePushingLearner(const ExperimentConfig& config,
                                                                 const EnvironmentSpec& environment,
                                                                 LearnTimes* times,
                                                                 const DeviceOptions& device) {
  CADRE_ASSIGN_OR_RETURN(
      auto algorithm,
      MakePushedGradient(config, environment.observation, environment.action,
                         Random::ForStream(config.seed(), kInitialParametersStream), device));
  v1::ExperienceSpec spec = OnPolicySpec(config, environment.observation, environment.action);
  return std::make_unique<PushingLearner>(config, environment.action, std::move(spec),
                                          std::move(algorithm), times, device.device);
}

}  // namespace cadre
