// What action values should become, and how far they are from it: the targets and the
// losses of Q-learning, for scalar values and for categorical distributions. Pure. `fast`: in
// closed form, on the CPU, all tensors contiguous; else with autograd, on any device. A test
// holds the two together. Buffers are reused.
#pragma once

#include <torch/types.h>

#include "learner/algorithms/off_policy.h"
#include "learner/algorithms/targets/categorical_projection.h"

namespace cadre {

// Outputs of networks for a batch's next observations, [B, n * Z]: values where Z is 1,
// else the logits of distributions over the support.
struct NextOutputs {
  torch::Tensor target;   // Of the target network, which values the chosen action.
  torch::Tensor chooser;  // Of the network whose greedy action is taken: the target network
                          // (Mnih et al. 2015) or the online one (van Hasselt et al. 2016, eq. 4).
  // Of the next observations, [B, n]: actions that it does not allow are not taken. Undefined:
  // all are allowed.
  torch::Tensor mask = {};
};

// y = r + discount * target[argmax chooser]; [B, 1].
void TdTargets(const NextOutputs& next, const OffPolicyBatch& batch, bool fast,
               torch::Tensor& targets);

// The projected distribution of r + discount * Z'(s', a*), a* the action with the largest
// mean by `chooser`; [B, Z] probabilities (Bellemare et al. 2017, algorithm 1).
void CategoricalTargets(const CategoricalSupport& support, const NextOutputs& next,
                        const OffPolicyBatch& batch, bool fast, torch::Tensor& targets);

// Of one item, with e = q(s, a) - y:
//   squared        e^2
//   Huber          e^2 / 2 within |e| <= 1, |e| - 1/2 beyond (Huber 1964)
//   cross-entropy  -sum_z y_z log p_z, p the softmax of the taken action's logits
enum class QLossKind { kSquared, kHuber, kCrossEntropy };

// Of B items. `total` is the mean over items of weight * loss.
struct QLoss {
  torch::Tensor total;   // []
  torch::Tensor losses;  // [B], without weights.
  // [B], what an item's priority is: |e|, or KL(y || p), which a distribution's loss is
  // but for the target's entropy (Hessel et al. 2018).
  torch::Tensor errors;
};

// `outputs` [B, n * Z], of the online network at the batch's observations, with a graph
// where gradients are wanted; `targets` [B, Z].
QLoss ComputeQLoss(QLossKind kind, const torch::Tensor& outputs, const torch::Tensor& targets,
                   const OffPolicyBatch& batch);

// The gradient of ComputeQLoss(...).total with respect to the outputs.
struct QGradient {
  torch::Tensor outputs;         // [B, n * Z]
  torch::Tensor losses, errors;  // [B], as in QLoss.
};
void ComputeQGradient(QLossKind kind, const torch::Tensor& outputs, const torch::Tensor& targets,
                      const OffPolicyBatch& batch, bool fast, QGradient& out);

namespace closed_form {

void TdTargets(const NextOutputs& next, const OffPolicyBatch& batch, torch::Tensor& targets);
void CategoricalTargets(const CategoricalSupport& support, const NextOutputs& next,
                        const OffPolicyBatch& batch, torch::Tensor& targets);
void QGradientOf(QLossKind kind, const torch::Tensor& outputs, const torch::Tensor& targets,
                 const OffPolicyBatch& batch, QGradient& out);

}  // namespace closed_form
}  // namespace cadre
