#include "learner/algorithms/value_based/dqn.h"

#include <algorithm>
#include <memory>
#include <optional>
#include <vector>

#include "common/check.h"
#include "common/config/schedule.h"
#include "common/status_macros.h"
#include "learner/algorithms/device/split_graph.h"
#include "learner/algorithms/device/static_batch.h"
#include "learner/algorithms/device/tensor_spans.h"
#include "learner/algorithms/optimization/trained_model.h"
#include "learner/algorithms/value_based/q_loss.h"
#include "learner/algorithms/value_based/sequence_windows.h"
#include "policy/networks/initial_parameters.h"
#include "policy/networks/off_policy_network.h"

namespace cadre {
namespace {

const TrainedModel::Names kNames{"adam", "dqn.target"};

QLossKind LossKind(const DqnConfig& config) {
  if (config.has_distributional()) return QLossKind::kCrossEntropy;
  return config.loss() == DqnConfig::HUBER ? QLossKind::kHuber : QLossKind::kSquared;
}

WindowOptions WindowOptionsOf(const DqnConfig& config, const ReplayConfig& replay) {
  return {.burn_in = replay.sequences().burn_in(),
          .length = replay.sequences().length(),
          .n_step = replay.n_step(),
          .gamma = config.gamma()};
}

std::optional<CategoricalSupport> SupportOf(const ActionValueNetwork& network) {
  if (network.atoms == 1) return std::nullopt;
  return CategoricalSupport{network.min_value, network.max_value, network.atoms};
}

class Dqn final : public OffPolicyAlgorithm {
 public:
  Dqn(const DqnConfig& config, const ReplayConfig& replay, const ActionValueNetwork& network,
      Random random, const DeviceOptions& where)
      : config_(config),
        max_error_share_(replay.sequences().max_error_share()),
        window_(WindowOptionsOf(config, replay)),
        loss_kind_(LossKind(config)),
        support_(SupportOf(network)),
        network_(network),
        fast_(where.on_cpu_kernels()),
        model_(network.network, UniformParameters(network.network, random),
               TrainedModel::Settings::Of(config), TrainedModel::Target::kFollows, where),
        batch_(where.device),
        graph_(where) {
    if (remembers())
      burn_in_ = model_.online().NewPass({network_.network.Head(kStateHead)}, Direction::kForward);
  }

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
  // The outputs for the steps that are learned from and for those that follow them; sets the
  // batch of these steps.
  struct Outputs {
    torch::Tensor taken;  // [B, n Z], with room for a backward pass.
    NextOutputs next;
  };
  Outputs OfTransitions();
  Outputs OfSequences();
  bool remembers() const { return network_.network.state_size() > 0; }

  const DqnConfig config_;
  const double max_error_share_;  // With a memory.
  const WindowOptions window_;    // With a memory.
  const QLossKind loss_kind_;
  const std::optional<CategoricalSupport> support_;  // Distributional only.
  const ActionValueNetwork network_;
  const bool fast_;     // Closed forms, on the CPU.
  TrainedModel model_;  // Online and target network.
  StaticBatch batch_;
  SplitGraph graph_;
  std::unique_ptr<Pass> burn_in_;  // To the memory, if there is one.
  int64_t updates_ = 0;

  // State of the last update; members so that they are allocated once.
  OffPolicyBatch steps_;     // What is learned from: the transitions, or steps of sequences.
  SequenceWindows windows_;  // With a memory.
  torch::Tensor targets_;    // [B, Z]
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
  const torch::Tensor errors =
      (remembers() ? SequencePriorities(gradient_.errors, windows_, max_error_share_)
                   : gradient_.errors)
          .cpu();
  std::copy_n(errors.data_ptr<float>(), priorities.size(), priorities.begin());
  return absl::OkStatus();
}

void Dqn::SetLearningRate(double progress) {
  model_.SetLearningRate(
      ScheduledValue(config_.learning_rate(), config_.learning_rate_schedule(), progress));
}

void Dqn::ComputeGradient() {
  torch::NoGradGuard no_graph;
  Enter(UpdatePart::kForward);
  Outputs outputs = remembers() ? OfSequences() : OfTransitions();
  Enter(UpdatePart::kLoss);
  if (support_)
    CategoricalTargets(*support_, outputs.next, steps_, fast_, targets_);
  else
    TdTargets(outputs.next, steps_, fast_, targets_);
  if (!remembers()) outputs.taken = model_.Forward(steps_.observations.columns)[0];
  ComputeQGradient(loss_kind_, outputs.taken, targets_, steps_, fast_, gradient_);
  Enter(UpdatePart::kBackward);
  if (!remembers()) return model_.Backward({gradient_.outputs});
  // What follows the last steps has no loss.
  const torch::Tensor after =
      torch::zeros({batch_.get().size(), gradient_.outputs.size(1)}, gradient_.outputs.options());
  model_.Backward({torch::cat({gradient_.outputs, after}), torch::Tensor()});
}

Dqn::Outputs Dqn::OfTransitions() {
  steps_ = batch_.get();
  Outputs outputs;
  NextOutputs& next = outputs.next;
  next.target = model_.TargetForward(steps_.next_observations.columns)[0];
  next.chooser =
      config_.double_q() ? model_.Forward(steps_.next_observations.columns)[0] : next.target;
  next.mask = steps_.next_observations.mask;
  return outputs;
}

// The online network starts the window from the state that it comes to itself over the burn-in;
// the target network remembers by its own parameters.
Dqn::Outputs Dqn::OfSequences() {
  const OffPolicyBatch& batch = batch_.get();
  const int64_t items = batch.size();
  windows_ = WindowsOf(batch, window_);
  const auto inputs = [&](const torch::Tensor& state, const auto& rows_of) {
    std::vector<torch::Tensor> all;
    for (const torch::Tensor& column : batch.observations.columns) all.push_back(rows_of(column));
    all.push_back(state);
    all.push_back(torch::zeros({all[0].size(0)}, state.options()));  // Nothing starts within.
    return all;
  };
  torch::Tensor state = batch.states;
  if (window_.burn_in > 0) {
    const torch::Tensor states = burn_in_->Forward(inputs(batch.states, [&](const auto& column) {
      return column.narrow(0, 0, window_.burn_in * items);
    }))[0];
    const torch::Tensor last = states.narrow(0, (window_.burn_in - 1) * items, items);
    state = torch::where(windows_.begins_episode.unsqueeze(1), batch.states, last);
  }
  const torch::Tensor target =
      model_.TargetForward(inputs(batch.states, [](const auto& column) { return column; }))[0];
  const torch::Tensor online = model_.Forward(
      inputs(state, [&](const auto& column) { return column.index_select(0, windows_.rows); }))[0];
  const torch::Tensor next_rows = windows_.rows.index_select(0, windows_.next);
  Outputs outputs;
  outputs.next.target = target.index_select(0, next_rows);
  outputs.next.chooser =
      config_.double_q() ? online.index_select(0, windows_.next) : outputs.next.target;
  if (batch.observations.mask.defined())
    outputs.next.mask = batch.observations.mask.index_select(0, next_rows);
  outputs.taken = online.narrow(0, 0, window_.length * items);
  steps_.actions = windows_.actions;
  steps_.rewards = windows_.rewards;
  steps_.discounts = windows_.discounts;
  // The mean over the steps that are there, of all sequences.
  const torch::Tensor there = windows_.there.sum().clamp_min(1);
  const double steps = static_cast<double>(window_.length * items);
  steps_.weights = windows_.there * batch.weights.repeat({window_.length}) * (steps / there);
  return outputs;
}

void Dqn::Step() {
  torch::NoGradGuard no_graph;
  Enter(UpdatePart::kOptimize);
  model_.Step();
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
    const DqnConfig& config, const ReplayConfig& replay, const ModelConfig& model,
    const ObservationSpace& observation, const ActionSpace& action, Random random,
    const DeviceOptions& where) {
  CADRE_ASSIGN_OR_RETURN(const ActionValueNetwork network,
                         MakeActionValueNetwork(model, config, observation, action));
  return std::make_unique<Dqn>(config, replay, network, random, where);
}

}  // namespace cadre
