// The loss of proximal policy optimisation (Schulman et al. 2017, arXiv:1707.06347) and its
// gradient with respect to the heads. Pure.
#pragma once

#include <torch/types.h>

#include "policy/actor_critic.h"
#include "proto/config.pb.h"

namespace cadre {

// Ratios are bounded by e to this power, still a float32. Far less would not do: under a policy
// that has left the actions of stale experience their ratios are huge and their weights next to
// nothing, and it is the product that counts.
inline constexpr float kMaxPpoLogRatio = 80;

// One minibatch of B steps.
struct PpoMinibatch {
  ObservationBatch observations;  // B rows
  torch::Tensor actions;          // [B] or [B, K] int64, or [B, A] float32
  torch::Tensor log_probs;        // [B] float32, of the policy that the ratio is taken to
  torch::Tensor advantages;       // [B] float32, normalised if the config says so
  torch::Tensor returns;          // [B] float32
  torch::Tensor values;           // [B] float32, before the update
  // [B] float32, or undefined: 1. The advantages are multiplied by them after their normalisation;
  // here they weight what is reported of the ratios.
  torch::Tensor weights;
  // Of the policy before the update; only the KL penalty needs them.
  torch::Tensor old_policy;   // [B, D] float32
  torch::Tensor old_log_std;  // [A] or [B, A] float32
};

// Coefficients at this point of training: schedules and adaptation applied. What may change
// from update to update is a tensor, on the heads' device, so that a CUDA graph may hold the
// rest.
struct PpoCoefficients {
  PpoConfig::Objective objective = PpoConfig::CLIPPED;
  torch::Tensor clip_range;     // [] float64
  double value_clip_range = 0;  // 0: none.
  double value = 0.5;
  double entropy = 0;
  torch::Tensor kl_beta;  // [] float64, of the adaptive penalty.
};

// What an update reports of a minibatch, means over its steps.
enum PpoNumber {
  kPolicyLoss,    // -surrogate, with the KL penalty where there is one.
  kValueLoss,     // Squared error.
  kEntropy,       // Nats.
  kApproxKl,      // mean(w ((r - 1) - log r)), r = new / old probability: >= 0.
  kClipFraction,  // Share of steps with r beyond the clip range, by weight.
  kExactKl,       // KL(old || new); 0 without the KL penalty.
  kPpoNumbers
};

struct PpoLoss {
  torch::Tensor total;    // []
  torch::Tensor numbers;  // [kPpoNumbers], without a graph.
};

// Clipped surrogate (eq. 7) or adaptive KL penalty (eq. 8), value and entropy terms
// (eq. 9). `heads` carry a graph where gradients are wanted.
PpoLoss ComputePpoLoss(const Heads& heads, const PpoMinibatch& batch,
                       const PpoCoefficients& coefficients);

// The gradient of ComputePpoLoss(...).total with respect to the heads.
struct PpoGradient {
  Heads gradient;         // Buffers; reused by the next call for the same minibatch size.
  torch::Tensor numbers;  // [kPpoNumbers] float32
};

// `fast`: in closed form, on the CPU, all tensors contiguous; else with autograd, on any device.
// A test holds the two together.
void ComputePpoGradient(const Heads& heads, const PpoMinibatch& batch,
                        const PpoCoefficients& coefficients, bool fast, PpoGradient& out);

namespace closed_form {

void PpoGradientOf(const Heads& heads, const PpoMinibatch& batch,
                   const PpoCoefficients& coefficients, PpoGradient& out);

}  // namespace closed_form
}  // namespace cadre
