// One forward and one backward pass of an actor-critic over whole segments: the policy at
// their N steps and the value of all N + S observations at once, bootstraps among them.
// Keeps its buffers from batch to batch. Not thread-safe.
#pragma once

#include <torch/types.h>

#include "absl/types/span.h"
#include "learner/algorithms/policy_gradient/actor_critic_loss.h"
#include "learner/algorithms/policy_gradient/on_policy_batch.h"
#include "policy/actor_critic.h"

namespace cadre {

class SegmentPass {
 public:
  // Of `model`, which must outlive it.
  explicit SegmentPass(ActorCritic* model) : model_(model) {}

  // `batch` must stay until Backward.
  void Forward(const OnPolicyBatch& batch);

  // Of the last Forward, on the CPU. V of each observation row [N + S].
  absl::Span<const float> values() const;
  // V of each step's observation [N].
  absl::Span<const float> step_values() const;
  // pi(a|s) / mu(a|s) of each step [N]: the model's policy over the one that acted.
  absl::Span<const float> Ratios();

  // Sets the model's gradient to that of the loss over the steps of the last Forward.
  ActorCriticDiagnostics Backward(const ActorCriticTargets& targets,
                                  const ActorCriticCoefficients& coefficients);

 private:
  ActorCritic* const model_;
  const OnPolicyBatch* batch_ = nullptr;
  Heads heads_;                                     // Of the N steps.
  torch::Tensor values_;                            // [N + S]
  torch::Tensor step_values_, log_probs_, ratios_;  // [N]
  ActorCriticHeadGradient gradient_;                // Of the N steps.
  Heads row_gradient_;                              // Of the N + S rows.
};

}  // namespace cadre
