// What the natural policy gradient and TRPO have in common: advantages, the direction
// F^-1 g that improves the surrogate most for each unit of KL divergence, its length from
// the bound, and the value function, fitted when the policy has moved. Which step is taken
// is theirs (npg.cc, trpo.cc). Not thread-safe.
#pragma once

#include <memory>

#include "absl/status/status.h"
#include "common/random.h"
#include "learner/algorithms/diagnostics.h"
#include "learner/algorithms/on_policy_batch.h"
#include "learner/algorithms/surrogate.h"
#include "learner/algorithms/value_fit.h"
#include "learner/safetensors.h"
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
                  Random random);

  ActorCritic& model() { return *model_; }

  // The calls of an update, in this order. Begin estimates advantages and returns with the
  // present value function, and remembers the present, old, policy. Advantages are
  // normalised over the batch: their scale does not matter to the step, but to the entropy
  // coefficient.
  void Begin(const OnPolicyBatch& batch);

  struct Direction {
    torch::Tensor x;              // [P]: solves (F + damping I) x = g, g the surrogate's gradient.
    double scale = 0;             // sqrt(2 delta / x^T (F + damping I) x); 0 where g is 0.
    double squared_residual = 0;  // Of the system.
  };
  Direction FindDirection();

  // Parameters are the old ones plus `scale` x.
  struct Outcome {
    double kl = 0;           // Mean KL(old || new), exact; NaN where it is not a number.
    double improvement = 0;  // Of the surrogate.
    double entropy = 0;      // Nats, of the new policy.
  };
  Outcome MoveTo(const Direction& direction, double scale);
  // Parameters are the old ones, bit for bit.
  Outcome MoveBack();

  // Adds value_loss and explained_variance, the latter of the values before the fit.
  void FitValue(Diagnostics& diagnostics);

  void Save(TensorMap& state) const { value_fit_.Save(state); }
  absl::Status Restore(const TensorMap& state) { return value_fit_.Restore(state); }

 private:
  const NaturalGradientOptions options_;
  const std::unique_ptr<ActorCritic> model_;
  ValueFit value_fit_;

  // Of the current update.
  torch::Tensor observations_;      // [N, O], of each step
  SurrogateSteps steps_;            // N steps
  torch::Tensor values_, returns_;  // [N], on the CPU
  Heads old_heads_;                 // Float64; without values.
  Surrogate old_surrogate_;
  torch::Tensor old_parameters_;  // [P]
};

}  // namespace cadre
