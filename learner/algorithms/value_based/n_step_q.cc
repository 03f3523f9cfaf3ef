#include "learner/algorithms/value_based/n_step_q.h"

#include <algorithm>
#include <memory>
#include <utility>
#include <vector>

#include "common/status_macros.h"
#include "learner/algorithms/device/tensor_spans.h"
#include "learner/algorithms/off_policy.h"
#include "learner/algorithms/optimization/flat_adam.h"
#include "learner/algorithms/value_based/q_loss.h"
#include "policy/networks/initial_parameters.h"
#include "policy/networks/model.h"
#include "policy/networks/off_policy_network.h"

namespace cadre {
namespace {

class NStepQ final : public BatchGradient {
 public:
  NStepQ(const NStepQOptions& options, const ActionValueNetwork& network, Random random,
         const DeviceOptions& where);

  absl::StatusOr<bool> ComputeGradient(const OnPolicyBatch& batch, double progress,
                                       Diagnostics& diagnostics) override;
  FlatModel& model() override { return *online_; }
  DiagnosticNames diagnostic_names() const override {
    return {"value_loss", "error", "target_value", "gradient_norm"};
  }
  void OnSharedVersion(int64_t version) override;
  void Save(TensorMap& state) const override;
  absl::Status Restore(const TensorMap& state) override;

 private:
  // Where a segment's returns start from: a row of observations, and how many steps are
  // learned from.
  struct Tail {
    int64_t row;
    int64_t steps;
  };
  Tail TailOf(const OnPolicyBatch& batch, size_t segment) const;
  // Of each segment, what its returns start from; [S].
  std::vector<float> TailValues(const OnPolicyBatch& batch);
  // Fills steps_ and targets_; the number of steps to learn from.
  int64_t SetTargets(const OnPolicyBatch& batch);
  void CopyToTarget();

  const NStepQOptions options_;
  const ActionValueNetwork network_;
  const bool fast_;  // Closed forms, on the CPU.
  const torch::Device device_;
  const std::unique_ptr<Model> online_, target_;
  const std::unique_ptr<Pass> online_pass_, target_pass_;
  int64_t target_version_ = 0;  // Of the shared model when target_ was copied.

  // Of the last batch.
  std::vector<int64_t> steps_;  // [M], those that are learned from.
  torch::Tensor targets_;       // [M, 1]
  QGradient gradient_;
};

NStepQ::NStepQ(const NStepQOptions& options, const ActionValueNetwork& network, Random random,
               const DeviceOptions& where)
    : options_(options),
      network_(network),
      fast_(where.on_cpu_kernels()),
      device_(where.device),
      online_(MakeModel(network.network, where.runner(), device_)),
      target_(MakeModel(network.network, where.runner(), device_)),
      online_pass_(online_->NewPass({0}, Direction::kForwardAndBackward)),
      target_pass_(target_->NewPass({0}, Direction::kForward)) {
  online_->parameters().copy_(torch::tensor(UniformParameters(network.network, random)));
  online_->ParametersChanged();
  CopyToTarget();
}

void NStepQ::CopyToTarget() {
  target_->parameters().copy_(online_->parameters());
  target_->ParametersChanged();
}

void NStepQ::OnSharedVersion(int64_t version) {
  const int64_t interval = options_.target_update_interval;
  if (version / interval == target_version_ / interval) return;
  target_version_ = version;
  CopyToTarget();
}

NStepQ::Tail NStepQ::TailOf(const OnPolicyBatch& batch, size_t segment) const {
  const SegmentBounds& bounds = batch.segments[segment];
  const int64_t first_row = bounds.first_step + static_cast<int64_t>(segment);
  const bool last_lends = options_.target == NStepTarget::kTaken && !bounds.terminated;
  const int64_t steps = bounds.length - (last_lends ? 1 : 0);
  return {first_row + steps, steps};
}

std::vector<float> NStepQ::TailValues(const OnPolicyBatch& batch) {
  const int64_t segments = static_cast<int64_t>(batch.segments.size());
  torch::Tensor rows = torch::empty({segments}, torch::kInt64);
  for (int64_t s = 0; s < segments; ++s)
    rows.data_ptr<int64_t>()[s] = TailOf(batch, static_cast<size_t>(s)).row;
  const ObservationBatch observations = batch.observations.Select(rows.to(device_));
  // Actions that are not allowed have the least of all values.
  const torch::Tensor heads =
      Masked(target_pass_->Forward(observations.columns)[0], observations.mask).cpu();
  const absl::Span<const float> values = Flat(heads);
  const torch::Tensor actions = batch.actions.cpu();
  const int64_t n = network_.actions;
  std::vector<float> tails(segments, 0.0f);
  for (int64_t s = 0; s < segments; ++s) {
    const SegmentBounds& bounds = batch.segments[s];
    if (bounds.terminated) continue;
    const absl::Span<const float> row = RowOf(values, s, n);
    tails[s] = options_.target == NStepTarget::kGreatest
                   ? *std::max_element(row.begin(), row.end())
                   : row[Flat<int64_t>(actions)[bounds.first_step + bounds.length - 1]];
  }
  return tails;
}

int64_t NStepQ::SetTargets(const OnPolicyBatch& batch) {
  const std::vector<float> tails = TailValues(batch);
  const absl::Span<const float> rewards = Flat(batch.rewards);
  std::vector<float> returns(batch.steps());
  steps_.clear();
  for (size_t s = 0; s < batch.segments.size(); ++s) {
    const int64_t first = batch.segments[s].first_step;
    float following = tails[s];
    for (int64_t t = TailOf(batch, s).steps - 1; t >= 0; --t) {
      following = rewards[first + t] + static_cast<float>(options_.gamma) * following;
      returns[first + t] = following;
    }
    for (int64_t t = 0; t < TailOf(batch, s).steps; ++t) steps_.push_back(first + t);
  }
  const int64_t count = static_cast<int64_t>(steps_.size());
  Reserve(targets_, {count, 1});
  for (int64_t i = 0; i < count; ++i) Flat(targets_)[i] = returns[steps_[i]];
  return count;
}

absl::StatusOr<bool> NStepQ::ComputeGradient(const OnPolicyBatch& batch, double /*progress*/,
                                             Diagnostics& diagnostics) {
  Enter(UpdatePart::kPrepare);
  const int64_t count = SetTargets(batch);
  if (count == 0) return false;
  const torch::Tensor steps = torch::from_blob(steps_.data(), {count}, torch::kInt64).to(device_);
  const torch::Tensor targets = targets_.to(device_);
  OffPolicyBatch taken;
  taken.observations = batch.observations.Select(batch.observation_rows.index_select(0, steps));
  taken.actions = batch.actions.index_select(0, steps);
  taken.rewards = targets.view({count});
  taken.weights = torch::ones({count}, device_);
  Enter(UpdatePart::kForward);
  const torch::Tensor values = online_pass_->Forward(taken.observations.columns)[0];  // [M, n]
  Enter(UpdatePart::kLoss);
  ComputeQGradient(QLossKind::kSquared, values, targets, taken, fast_, gradient_);
  Enter(UpdatePart::kBackward);
  online_->gradient().zero_();
  online_pass_->Backward({gradient_.outputs});
  diagnostics = {{"value_loss", Mean(gradient_.losses)},
                 {"error", Mean(gradient_.errors)},
                 {"target_value", Mean(targets_)},
                 {"gradient_norm", FlatNorm(online_->gradient()).item<double>()}};
  return true;
}

void NStepQ::Save(TensorMap& state) const {
  const torch::Tensor target = target_->parameters().cpu();
  state.Add<float>("n_step_q.target", {target.numel()}, Flat(target));
  state.AddScalar<int64_t>("n_step_q.target_version", target_version_);
}

absl::Status NStepQ::Restore(const TensorMap& state) {
  const torch::Tensor target = torch::empty({target_->parameters().numel()});
  absl::Status status = state.Read("n_step_q.target", Flat(target));
  status.Update(state.Read("n_step_q.target_version", absl::MakeSpan(&target_version_, 1)));
  if (!status.ok()) return absl::DataLossError(status.message());
  target_->parameters().copy_(target);
  target_->ParametersChanged();
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::unique_ptr<BatchGradient>> MakeNStepQ(const NStepQOptions& options,
                                                          const ModelConfig& model,
                                                          const ObservationSpace& observation,
                                                          const ActionSpace& action, Random random,
                                                          const DeviceOptions& where) {
  CADRE_ASSIGN_OR_RETURN(const ActionValueNetwork network,
                         MakeActionValueNetwork(model, DqnConfig(), observation, action));
  return std::make_unique<NStepQ>(options, network, random, where);
}

}  // namespace cadre
