#include "learner/algorithms/dqn.h"

#include <algorithm>
#include <optional>
#include <vector>

#include "common/check.h"
#include "common/status_macros.h"
#include "learner/algorithms/on_device/split_graph.h"
#include "learner/algorithms/on_device/static_batch.h"
#include "learner/algorithms/q_loss.h"
#include "learner/algorithms/tensor_spans.h"
#include "learner/algorithms/trained_model.h"
#include "policy/off_policy_network.h"

namespace cadre {
namespace {

const TrainedModel::Names kNames{"adam", "dqn.target"};

QLossKind LossKind(const DqnConfig& config) {
  if (config.has_distributional()) return QLossKind::kCrossEntropy;
  return config.loss() == DqnConfig::HUBER ? QLossKind::kHuber : QLossKind::kSquared;
}

std::optional<CategoricalSupport> SupportOf(const ActionValueNetwork& network) {
  if (network.atoms == 1) return std::nullopt;
  return CategoricalSupport{network.min_value, network.max_value, network.atoms};
}

class Dqn final : public OffPolicyAlgorithm {
 public:
  Dqn(const DqnConfig& config, const ActionValueNetwork& network, Random random,
      const DeviceOptions& where)
      : config_(config),
        loss_kind_(LossKind(config)),
        support_(SupportOf(network)),
        network_(network),
        fast_(where.on_cpu_kernels()),
        model_(network.network, UniformParameters(network.network, random), config.adam_epsilon(),
               TrainedModel::Target::kFollows, where),
        batch_(where.device),
        graph_(where) {}

  absl::Status Update(const OffPolicyBatch& batch, double progress,
                      absl::Span<float> priorities) override;
  Diagnostics diagnostics() const override;
  DiagnosticNames diagnostic_names() const override {
    return {"value_loss", "error", "target_value", "gradient_norm", "learning_rate"};
  }

  const ParameterLayout& acting_layout() const override { return network_.layout(); }
  torch::Tensor acting_parameters() override { return model_.HostParameters(); }
  void ActingParametersChanged() override { model_.HostParametersChanged(); }

  void Save(TensorMap& state) const override {
    model_.Save(kNames, state);
    state.AddScalar<int64_t>("dqn.updates", updates_);
  }
  absl::Status Restore(const TensorMap& state) override {
    CADRE_RETURN_IF_ERROR(model_.Restore(kNames, state));
    const absl::StatusOr<int64_t> updates = state.ReadScalar<int64_t>("dqn.updates");
    if (!updates.ok()) return absl::DataLossError(updates.status().message());
    updates_ = *updates;
    return absl::OkStatus();
  }

 private:
  void SetLearningRate(double progress);
  // The parts that graphs record.
  void ComputeGradient();
  void Step();
  void SetTargets(const OffPolicyBatch& batch);

  const DqnConfig config_;
  const QLossKind loss_kind_;
  const std::optional<CategoricalSupport> support_;  // Distributional only.
  const ActionValueNetwork network_;
  const bool fast_;     // Closed forms, on the CPU.
  TrainedModel model_;  // Online and target network.
  StaticBatch batch_;
  SplitGraph graph_;
  int64_t updates_ = 0;

  // State of the last update; members so that they are allocated once.
  torch::Tensor targets_;  // [B, Z]
  QGradient gradient_;
};

absl::Status Dqn::Update(const OffPolicyBatch& batch, double progress,
                         absl::Span<float> priorities) {
  Enter(UpdatePart::kPrepare);
  if (batch_.Assign(batch)) graph_.Forget();
  SetLearningRate(progress);
  CADRE_RETURN_IF_ERROR(graph_.Run(
      collective(), {{[this] { ComputeGradient(); }, {model_.gradient()}}, {[this] { Step(); }}}));
  model_.Stepped();
  if (++updates_ % config_.target_update_interval() == 0)
    model_.MoveTarget(config_.target_update_rate());
  if (priorities.empty()) return absl::OkStatus();
  CADRE_CHECK(priorities.size() == batch.size());
  const torch::Tensor errors = gradient_.errors.cpu();
  std::copy_n(errors.data_ptr<float>(), priorities.size(), priorities.begin());
  return absl::OkStatus();
}

void Dqn::SetLearningRate(double progress) {
  double learning_rate = config_.learning_rate();
  if (config_.learning_rate_schedule() == LINEAR_TO_ZERO)
    learning_rate *= 1.0 - std::clamp(progress, 0.0, 1.0);
  model_.SetLearningRate(learning_rate);
}

void Dqn::ComputeGradient() {
  torch::NoGradGuard no_graph;
  Enter(UpdatePart::kForward);
  const OffPolicyBatch& batch = batch_.get();
  SetTargets(batch);
  const torch::Tensor outputs = model_.Forward(batch.observations.columns)[0];
  Enter(UpdatePart::kLoss);
  ComputeQGradient(loss_kind_, outputs, targets_, batch, fast_, gradient_);
  Enter(UpdatePart::kBackward);
  model_.Backward({gradient_.outputs});
}

void Dqn::SetTargets(const OffPolicyBatch& batch) {
  NextOutputs next;
  next.target = model_.TargetForward(batch.next_observations.columns)[0];
  next.chooser =
      config_.double_q() ? model_.Forward(batch.next_observations.columns)[0] : next.target;
  next.mask = batch.next_observations.mask;
  if (support_)
    CategoricalTargets(*support_, next, batch, fast_, targets_);
  else
    TdTargets(next, batch, fast_, targets_);
}

void Dqn::Step() {
  torch::NoGradGuard no_graph;
  Enter(UpdatePart::kOptimize);
  model_.Step(config_.max_gradient_norm());
}

Diagnostics Dqn::diagnostics() const {
  if (!targets_.defined()) return {};
  torch::Tensor values = targets_;
  if (support_) values = targets_.matmul(SupportValues(*support_, targets_.device()));
  return {{"value_loss", Mean(gradient_.losses)},
          {"error", Mean(gradient_.errors)},
          {"target_value", Mean(values)},
          {"gradient_norm", model_.GradientNorm()},
          {"learning_rate", model_.learning_rate()}};
}

}  // namespace

absl::StatusOr<std::unique_ptr<OffPolicyAlgorithm>> MakeDqn(
    const DqnConfig& config, const ModelConfig& model, const ObservationSpace& observation,
    const ActionSpace& action, Random random, const DeviceOptions& where) {
  CADRE_ASSIGN_OR_RETURN(const ActionValueNetwork network,
                         MakeActionValueNetwork(model, config, observation, action));
  return std::make_unique<Dqn>(config, network, random, where);
}

}  // namespace cadre
