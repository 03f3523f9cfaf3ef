// The loss of the policy-gradient family (Mnih et al. 2016, section 4; Williams 1992),
// means over B steps:
//   -w A log pi(a|s)  -  c_entropy H(pi(.|s))  +  c_value (V(s) - R)^2
// twice: for autograd on any device, and in closed form down to the heads' gradients for
// the CPU. A test holds the two together. A, R and w carry no gradient. Pure.
#pragma once

#include <torch/types.h>

#include "learner/algorithms/diagnostics.h"
#include "policy/actor_critic.h"

namespace cadre {

struct ActorCriticTargets {
  torch::Tensor actions;     // [B] or [B, K] int64, or [B, A] float32
  torch::Tensor advantages;  // A [B] float32
  torch::Tensor returns;     // R [B] float32; undefined: no value term.
  torch::Tensor weights;     // w [B] float32; undefined: 1.
};

struct ActorCriticCoefficients {
  double value = 0.5;
  double entropy = 0;
};

// Means over the batch. `log_probs` [B] float32 are of the actions under the policy.
struct ActorCriticDiagnostics {
  double policy_loss = 0;  // -w A log pi.
  double value_loss = 0;   // (V - R)^2; 0 without a value term.
  double entropy = 0;      // Nats.
};

// Under their names, with what the values explain of the returns' variance.
void Report(const ActorCriticDiagnostics& loss, double explained_variance,
            Diagnostics& diagnostics);

struct ActorCriticLoss {
  torch::Tensor total, policy, value, entropy;  // each []
};

// `heads` carry a graph where gradients are wanted.
ActorCriticLoss ComputeActorCriticLoss(const Heads& heads, const ActorCriticTargets& targets,
                                       const ActorCriticCoefficients& coefficients);

// The gradient of ComputeActorCriticLoss(...).total with respect to the heads.
struct ActorCriticHeadGradient {
  Heads gradient;  // Buffers; reused by the next call for the same batch size.
  ActorCriticDiagnostics diagnostics;
};

// In closed form where the heads are on the CPU, through autograd elsewhere.
void ComputeActorCriticGradient(const Heads& heads, const ActorCriticTargets& targets,
                                const ActorCriticCoefficients& coefficients,
                                ActorCriticHeadGradient& out);

// log pi(a|s) [B] under the heads' policy, written to `out` [B]; on the CPU.
void ActionLogProbs(const Heads& heads, const torch::Tensor& actions, torch::Tensor out);

}  // namespace cadre
