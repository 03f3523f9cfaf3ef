// The gradient of the clipped PPO loss with respect to the heads, by hand in tensor
// operations on any device: no graph, no host synchronisation. The third of ppo_loss.h's
// kind; the formulas are those of ppo_closed_form.cc. Pure.
#pragma once

#include <torch/types.h>

#include "learner/algorithms/ppo_loss.h"

namespace cadre {

// What schedules may change from update to update is on the device, so that a CUDA graph
// may hold the rest; each [] float32.
struct PpoClipBounds {
  torch::Tensor low, high;  // 1 - and 1 + the clip range.
};

// Means over the minibatch, in the order of PpoDiagnostics, without kl.
inline constexpr int64_t kPpoNumbers = 5;

struct PpoTensorGradient {
  Heads gradient;
  torch::Tensor numbers;  // [kPpoNumbers]
};

// `coefficients.objective` is CLIPPED; `coefficients.clip_range` is not looked at.
PpoTensorGradient PpoGradientOfTensors(const Heads& heads, const PpoMinibatch& batch,
                                       const PpoClipBounds& bounds,
                                       const PpoCoefficients& coefficients);

// (A - mean) / (deviation + 1e-8) in place; the unbiased deviation. [B], B > 1.
void NormalizeAdvantages(torch::Tensor advantages);

}  // namespace cadre
