// What every off-policy algorithm is to the training loop: a batch in, one gradient
// step, new priorities and diagnostics out. An algorithm knows no gRPC, no clock, no
// files, no log and no global random numbers. Not thread-safe.
#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <torch/types.h>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "common/random.h"
#include "common/spaces.h"
#include "learner/algorithms/device/device_options.h"
#include "learner/algorithms/diagnostics.h"
#include "learner/algorithms/optimization/update_hooks.h"
#include "learner/run_folder/safetensors.h"
#include "policy/networks/layout.h"
#include "policy/observation_batch.h"
#include "proto/config.pb.h"

namespace cadre {

// B transitions, each of n steps of one episode (fewer at its end); or, for networks with a
// memory, B sequences of L steps, shorter ones padded at their end. A sequence has a row for each
// step, in all L B, step by step: row t B + b; and (L + 1) B rows of observations.
struct OffPolicyBatch {
  ObservationBatch observations;       // B rows
  torch::Tensor actions;               // [B] int64, or [B, A] float32 within the bounds
  torch::Tensor rewards;               // [B] float32, sum of gamma^k r_k
  ObservationBatch next_observations;  // B rows
  torch::Tensor discounts;             // [B] float32, gamma^n; 0 after a terminal state
  torch::Tensor weights;               // [B] float32, importance weights; 1 where uniform
  // Only of sequences, which have neither next_observations nor discounts, and whose rewards are
  // those of single steps.
  torch::Tensor states;      // [B, M] float32, what the actor remembered before the first step
  torch::Tensor lengths;     // [B] int64, steps that are there
  torch::Tensor terminated;  // [B] uint8, whether the last of them ends in a terminal state

  int64_t size() const { return weights.size(0); }  // B
};

// The tensors of a batch that are not observations; some may be undefined.
inline constexpr torch::Tensor OffPolicyBatch::*kBatchTensors[] = {
    &OffPolicyBatch::actions,   &OffPolicyBatch::rewards, &OffPolicyBatch::discounts,
    &OffPolicyBatch::weights,   &OffPolicyBatch::states,  &OffPolicyBatch::lengths,
    &OffPolicyBatch::terminated};

class OffPolicyAlgorithm : public UpdateHooks {
 public:
  // One gradient step. `progress` in [0, 1]: the share of the run that is over, for
  // schedules. Sets `priorities` [B] to each item's absolute temporal-difference
  // error, unless it is empty. Diagnostics cost time, so they are computed by
  // diagnostics(), of the last update. Fails only where learners in parallel lose each
  // other; then what was learned is not to be used.
  virtual absl::Status Update(const OffPolicyBatch& batch, double progress,
                              absl::Span<float> priorities) = 0;

  // The last Update's values for diagnostic_names(): "value_loss", ...
  virtual Diagnostics diagnostics() const = 0;

  // What actors run, and what a publication holds: [P] float32 on the CPU, flat.
  virtual const ParameterLayout& acting_layout() const = 0;
  virtual torch::Tensor acting_parameters() = 0;
  // Call after writing to acting_parameters().
  virtual void ActingParametersChanged() = 0;

  // Everything else that the next update depends on: critics, targets, optimiser
  // moments, random numbers, temperature, counters. Restore after Save gives updates
  // that are the same bit for bit. DATA_LOSS where something is missing.
  virtual void Save(TensorMap& state) const = 0;
  virtual absl::Status Restore(const TensorMap& state) = 0;
};

// The algorithm of a resolved config, with initial parameters drawn from `random`, which
// then is its own; the same wherever it computes. INVALID_ARGUMENT where the model does not fit the
// spaces.
absl::StatusOr<std::unique_ptr<OffPolicyAlgorithm>> MakeOffPolicyAlgorithm(
    const ExperimentConfig& config, const ObservationSpace& observation, const ActionSpace& action,
    Random random, const DeviceOptions& where = {});

}  // namespace cadre
