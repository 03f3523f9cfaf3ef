// Regression of a value function on returns: Adam on the mean squared error of minibatches,
// over the value's own parameters and nothing else. Not thread-safe.
#pragma once

#include <memory>

#include <torch/types.h>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/random.h"
#include "learner/algorithms/optimization/collective.h"
#include "learner/algorithms/optimization/flat_adam.h"
#include "learner/run_folder/safetensors.h"
#include "policy/actor_critic.h"
#include "proto/config.pb.h"

namespace cadre {

class ValueFit {
 public:
  // `model` must not share its trunk: there the regression would move the policy, too. It must
  // outlive this.
  ValueFit(const ValueFitConfig& config, ActorCritic& model, const DeviceOptions& where,
           Random random);

  // All epochs, each over all steps in a new order; the last minibatch may be smaller.
  // Moves the value's part of the model's parameters. N `observations`, `returns` [N].
  // Returns the mean squared error over the last epoch's steps, each before its step.
  //
  // Learners of a `collective` have N steps each, not all as many, and an equal share of every
  // minibatch: each step of Adam is along the mean gradient of all, in which a learner whose
  // steps are used up takes part with none. Null: this one is alone. Fails only where learners
  // lose each other. `progress` in [0, 1]: the share of the run that is over, for the schedule.
  absl::StatusOr<double> Fit(const ObservationBatch& observations, const torch::Tensor& returns,
                             double progress, Collective* collective);

  // The optimiser and the random numbers. DATA_LOSS where something is missing.
  void Save(TensorMap& state) const;
  absl::Status Restore(const TensorMap& state);

 private:
  // One step of Adam; this learner's sum of squared errors before it. B rows and [B], of which
  // there may be none where other learners have some.
  absl::StatusOr<double> Step(const ObservationBatch& observations, const torch::Tensor& returns,
                              Collective* collective);
  // Sets the gradient of the mean squared error; the sum of squared errors.
  double ComputeGradient(const ObservationBatch& observations, const torch::Tensor& returns);

  const ValueFitConfig config_;
  ActorCritic& model_;
  const std::unique_ptr<Pass> pass_;           // To the value.
  const torch::Tensor parameters_, gradient_;  // [V], the value's part of the model's.
  FlatAdam adam_;
  Random random_;
  torch::Tensor shared_;  // Of AverageOverSteps.
};

}  // namespace cadre
