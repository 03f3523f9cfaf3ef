#include "learner/algorithms/policy_gradient/segment_pass.h"

#include <algorithm>
#include <cmath>
#include <utility>
#include <vector>

#include "common/check.h"
#include "learner/algorithms/device/tensor_spans.h"
#include "learner/algorithms/targets/importance_weights.h"

namespace cadre {
namespace {

// The rows of `source` that `rows` names.
void Gather(const torch::Tensor& source, const torch::Tensor& rows, torch::Tensor& out) {
  std::vector<int64_t> shape = source.sizes().vec();
  shape[0] = rows.size(0);
  Reserve(out, shape, source.device());
  torch::index_select_out(out, source, 0, rows);
}

// `source` to the rows of `out` that `rows` names, zeros to the others.
void Scatter(const torch::Tensor& source, const torch::Tensor& rows, int64_t all,
             torch::Tensor& out) {
  std::vector<int64_t> shape = source.sizes().vec();
  shape[0] = all;
  Reserve(out, shape, source.device());
  out.zero_();
  out.index_copy_(0, rows, source);
}

}  // namespace

void SegmentPass::Forward(const OnPolicyBatch& batch) {
  batch_ = &batch;
  const Heads all = model_->Forward(batch.observations);
  values_ = all.value.cpu().contiguous();
  Gather(all.policy, batch.observation_rows, heads_.policy);
  Gather(all.value, batch.observation_rows, heads_.value);
  if (StateDependentDeviation(all))
    Gather(all.log_std, batch.observation_rows, heads_.log_std);
  else
    heads_.log_std = all.log_std;
  heads_.counts = all.counts;
  step_values_ = heads_.value.cpu();
}

absl::Span<const float> SegmentPass::values() const { return Flat(values_); }

absl::Span<const float> SegmentPass::step_values() const { return Flat(step_values_); }

absl::Span<const float> SegmentPass::Ratios() {
  CADRE_CHECK(batch_ != nullptr);
  Reserve(log_probs_, {batch_->steps()});
  Reserve(ratios_, {batch_->steps()});
  Heads heads{.policy = heads_.policy.cpu(),
              .value = heads_.value.cpu(),
              .log_std = {},
              .counts = heads_.counts};
  if (heads_.log_std.defined()) heads.log_std = heads_.log_std.cpu();
  ActionLogProbs(heads, batch_->actions.cpu(), log_probs_);
  const torch::Tensor behaviour = batch_->log_probs.cpu();
  const absl::Span<const float> now = Flat(log_probs_), then = Flat(behaviour);
  const absl::Span<float> ratios = Flat(ratios_);
  for (size_t i = 0; i < ratios.size(); ++i)
    ratios[i] = std::exp(std::min(now[i] - then[i], kMaxLogRatio));
  return ratios;
}

ActorCriticDiagnostics SegmentPass::Backward(const ActorCriticTargets& targets,
                                             const ActorCriticCoefficients& coefficients) {
  CADRE_CHECK(batch_ != nullptr);
  ComputeActorCriticGradient(heads_, targets, coefficients, gradient_);
  const int64_t rows = batch_->observations.rows();
  Scatter(gradient_.gradient.policy, batch_->observation_rows, rows, row_gradient_.policy);
  Scatter(gradient_.gradient.value, batch_->observation_rows, rows, row_gradient_.value);
  if (StateDependentDeviation(heads_))
    Scatter(gradient_.gradient.log_std, batch_->observation_rows, rows, row_gradient_.log_std);
  else
    row_gradient_.log_std = gradient_.gradient.log_std;
  model_->Backward(row_gradient_);
  batch_ = nullptr;
  return gradient_.diagnostics;
}

}  // namespace cadre
