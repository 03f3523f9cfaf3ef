// Gradients of losses with respect to networks' outputs, by hand in tensor operations on any
// device, without a graph: what q_loss.h and squashed_gaussian.h have for autograd and for
// the CPU. Pure.
#pragma once

#include "learner/algorithms/q_loss.h"
#include "learner/algorithms/squashed_gaussian.h"

namespace cadre {

// As QGradientByAutograd.
void QGradientOfTensors(QLossKind kind, const torch::Tensor& outputs, const torch::Tensor& targets,
                        const OffPolicyBatch& batch, QGradient& out);

// As SquashedGaussianGradient, of a sample that SquashedGaussianForAutograd made;
// `log_prob_slope` [].
torch::Tensor SquashedGaussianGradientOfTensors(const torch::Tensor& head,
                                                const LogDeviationBounds& bounds,
                                                const SquashedSample& sample,
                                                const torch::Tensor& action_gradient,
                                                const torch::Tensor& log_prob_slope);

}  // namespace cadre
