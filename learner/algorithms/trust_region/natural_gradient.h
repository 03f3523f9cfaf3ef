// What the natural policy gradient and TRPO have in common: advantages, the direction
// F^-1 g that improves the surrogate most for each unit of KL divergence, its length from
// the bound, and the value function, fitted when the policy has moved. Which step is taken
// is theirs (npg.cc, trpo.cc). Not thread-safe.
#pragma once

#include <memory>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "common/random.h"
#include "learner/algorithms/diagnostics.h"
#include "learner/algorithms/optimization/collective.h"
#include "learner/algorithms/policy_gradient/on_policy_batch.h"
#include "learner/algorithms/policy_gradient/value_fit.h"
#include "learner/algorithms/trust_region/surrogate.h"
#include "learner/run_folder/safetensors.h"
#include "policy/actor_critic.h"
#include "proto/config.pb.h"

namespace cadre {

struct NaturalGradientOptions {
  double gamma, gae_lambda;
  double entropy_coefficient;
  double max_kl;  // delta
  ConjugateGradientConfig conjugate_gradient;
  ValueFitConfig value;
};

// Of NpgConfig or TrpoConfig.
template <typename Config>
NaturalGradientOptions NaturalGradientOptionsOf(const Config& config) {
  return {config.gamma(),  config.gae_lambda(),         config.entropy_coefficient(),
          config.max_kl(), config.conjugate_gradient(), config.value()};
}

class NaturalGradient {
 public:
  // `model` holds its initial parameters and shares no trunk; `random` shuffles the
  // regression's minibatches.
  NaturalGradient(const NaturalGradientOptions& options, std::unique_ptr<ActorCritic> model,
                  Random random, const DeviceOptions& where);

  ActorCritic& model() { return *model_; }

  // The calls of an update, in this order; each fails only where learners in parallel lose
  // each other. Begin estimates advantages and returns with the present value function, and
  // remembers the present, old, policy. Advantages are normalised over the batch: their scale
  // does not matter to the step, but to the entropy coefficient.
  //
  // `collective`: of learners that each have a share of the batch, of one step at least; null
  // where this one is alone. What follows is then of the steps of all. Learners add up as often
  // whatever their own rounding, as conjugate gradients make every product of the config, and
  // what decides the next call is the same bits on each: the direction found and the outcome
  // of a step are agreed on. So all make the same calls.
  absl::Status Begin(const OnPolicyBatch& batch, Collective* collective);

  struct Direction {
    torch::Tensor x;              // [P]: solves (F + damping I) x = g, g the surrogate's gradient.
    double scale = 0;             // sqrt(2 delta / x^T (F + damping I) x); 0 where g is 0.
    double squared_residual = 0;  // Of the system.
  };
  // With several learners the mean of what they found, which differs where their machines
  // round otherwise.
  absl::StatusOr<Direction> FindDirection();

  // Parameters are the old ones plus `scale` x.
  struct Outcome {
    double kl = 0;           // Mean KL(old || new), exact; NaN where it is not a number.
    double improvement = 0;  // Of the surrogate.
    double entropy = 0;      // Nats, of the new policy.
  };
  absl::StatusOr<Outcome> MoveTo(const Direction& direction, double scale);
  // Parameters are the old ones, bit for bit.
  Outcome MoveBack();

  // Adds value_loss and explained_variance, the latter of the values before the fit, the mean
  // over learners of what their shares have.
  absl::Status FitValue(double progress, Diagnostics& diagnostics);

  void Save(TensorMap& state) const { value_fit_.Save(state); }
  absl::Status Restore(const TensorMap& state) { return value_fit_.Restore(state); }

 private:
  // Means over this learner's steps become those over the steps of all.
  absl::Status AverageOverSteps(torch::Tensor means) const;
  absl::Status AverageOverSteps(absl::Span<double> means) const;
  absl::Status AgreeOn(Direction& direction);

  const NaturalGradientOptions options_;
  const std::unique_ptr<ActorCritic> model_;
  ValueFit value_fit_;

  // Of the current update.
  Collective* collective_ = nullptr;
  double share_ = 1;                // Of this learner among the steps of all.
  ObservationBatch observations_;   // N rows, of each step
  SurrogateSteps steps_;            // N steps
  torch::Tensor values_, returns_;  // [N], on the CPU
  Heads old_heads_;                 // Float64; without values.
  double old_surrogate_ = 0, old_entropy_ = 0;
  torch::Tensor old_parameters_;    // [P]
  torch::Tensor direction_buffer_;  // [P + 2]; only with other learners
};

}  // namespace cadre
