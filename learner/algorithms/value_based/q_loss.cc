#include "learner/algorithms/value_based/q_loss.h"

#include <vector>

#include "learner/algorithms/optimization/loss_gradient.h"

namespace cadre {
namespace {

// The rows that belong to `actions` [B], of [B, n * Z]: [B, Z].
torch::Tensor RowsOfActions(const torch::Tensor& outputs, const torch::Tensor& actions,
                            int64_t atoms) {
  const torch::Tensor by_action = outputs.view({outputs.size(0), -1, atoms});
  const torch::Tensor index = actions.view({-1, 1, 1}).expand({-1, 1, atoms});
  return by_action.gather(1, index).squeeze(1);
}

}  // namespace

void TdTargets(const NextOutputs& next, const OffPolicyBatch& batch, bool fast,
               torch::Tensor& targets) {
  if (fast) return closed_form::TdTargets(next, batch, targets);
  const torch::Tensor values =
      RowsOfActions(next.target, Masked(next.chooser, next.mask).argmax(1), 1).squeeze(1);
  targets = (batch.rewards + batch.discounts * values).unsqueeze(1);
}

void CategoricalTargets(const CategoricalSupport& support, const NextOutputs& next,
                        const OffPolicyBatch& batch, bool fast, torch::Tensor& targets) {
  if (fast) return closed_form::CategoricalTargets(support, next, batch, targets);
  const torch::Tensor returns = SupportValues(support, next.chooser.device());
  const torch::Tensor means =
      next.chooser.view({batch.size(), -1, support.atoms}).softmax(2).matmul(returns);  // [B, n]
  const torch::Tensor logits =
      RowsOfActions(next.target, Masked(means, next.mask).argmax(1), support.atoms);
  targets = ProjectCategorical(support, batch.rewards, batch.discounts, logits.softmax(1));
}

QLoss ComputeQLoss(QLossKind kind, const torch::Tensor& outputs, const torch::Tensor& targets,
                   const OffPolicyBatch& batch) {
  const torch::Tensor taken = RowsOfActions(outputs, batch.actions, targets.size(1));  // [B, Z]
  QLoss loss;
  if (kind == QLossKind::kCrossEntropy) {
    loss.losses = -(targets * taken.log_softmax(1)).sum(1);
    const torch::Tensor entropy = -torch::xlogy(targets, targets).sum(1);
    loss.errors = (loss.losses - entropy).clamp_min(0);
  } else {
    const torch::Tensor error = (taken - targets).squeeze(1);
    loss.errors = error.abs();
    loss.losses = error.square();
    if (kind == QLossKind::kHuber)
      loss.losses = torch::where(loss.errors <= 1, 0.5 * loss.losses, loss.errors - 0.5);
  }
  loss.total = (batch.weights * loss.losses).mean();
  return loss;
}

void ComputeQGradient(QLossKind kind, const torch::Tensor& outputs, const torch::Tensor& targets,
                      const OffPolicyBatch& batch, bool fast, QGradient& out) {
  if (fast) return closed_form::QGradientOf(kind, outputs, targets, batch, out);
  out.outputs = LossGradient({outputs}, [&](const std::vector<torch::Tensor>& leaves) {
    const QLoss loss = ComputeQLoss(kind, leaves[0], targets, batch);
    out.losses = loss.losses.detach();
    out.errors = loss.errors.detach();
    return loss.total;
  })[0];
}

}  // namespace cadre
