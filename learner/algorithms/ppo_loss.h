// The losses of proximal policy optimisation (Schulman et al. 2017,
// arXiv:1707.06347), twice: for autograd on any device, and in closed form down to
// the heads' gradients for the CPU. A test holds the two together. Pure.
#pragma once

#include <torch/types.h>

#include "policy/actor_critic.h"
#include "proto/config.pb.h"

namespace cadre {

// One minibatch of B steps.
struct PpoMinibatch {
  torch::Tensor observations;  // [B, O] float32
  torch::Tensor actions;       // [B] int64, or [B, A] float32
  torch::Tensor log_probs;     // [B] float32, when the action was chosen
  torch::Tensor advantages;    // [B] float32, normalised if the config says so
  torch::Tensor returns;       // [B] float32
  torch::Tensor values;        // [B] float32, before the update
  // Of the policy before the update; only the KL penalty needs them.
  torch::Tensor old_policy;   // [B, D] float32
  torch::Tensor old_log_std;  // [A] float32
};

// Coefficients at this point of training: schedules and adaptation applied.
struct PpoCoefficients {
  PpoConfig::Objective objective = PpoConfig::CLIPPED;
  double clip_range = 0.2;
  double value_clip_range = 0;  // 0: none.
  double value = 0.5;
  double entropy = 0;
  double kl_beta = 0;  // Of the adaptive penalty.
};

// Means over the minibatch.
struct PpoDiagnostics {
  double policy_loss = 0;    // -surrogate, with the KL penalty where there is one.
  double value_loss = 0;     // Squared error.
  double entropy = 0;        // Nats.
  double approx_kl = 0;      // mean((r - 1) - log r), r = new / old probability: >= 0.
  double clip_fraction = 0;  // Share of steps with |r - 1| > clip range.
  double kl = 0;             // KL(old || new), exact; only with the KL penalty.
};

struct PpoLoss {
  torch::Tensor total, policy, value, entropy, approx_kl, clip_fraction, kl;  // each []
};

// Clipped surrogate (eq. 7) or adaptive KL penalty (eq. 8), value and entropy terms
// (eq. 9). `heads` carry a graph where gradients are wanted.
PpoLoss ComputePpoLoss(const Heads& heads, const PpoMinibatch& batch,
                       const PpoCoefficients& coefficients);

// The gradient of ComputePpoLoss(...).total with respect to the heads.
struct PpoHeadGradient {
  Heads gradient;  // Buffers; reused by the next call for the same minibatch size.
  PpoDiagnostics diagnostics;
};

// Through autograd, on the heads' device.
void PpoGradientByAutograd(const Heads& heads, const PpoMinibatch& batch,
                           const PpoCoefficients& coefficients, PpoHeadGradient& out);

// In closed form, on the CPU; all tensors contiguous.
void PpoGradientInClosedForm(const Heads& heads, const PpoMinibatch& batch,
                             const PpoCoefficients& coefficients, PpoHeadGradient& out);

}  // namespace cadre
