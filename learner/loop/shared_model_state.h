// What a checkpoint keeps of a model that the parameter server moves, besides the
// parameters: its version, its optimiser, and whose steps it has counted. Pure.
#pragma once

#include <cstdint>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "learner/run_folder/safetensors.h"
#include "proto/parameters.pb.h"

namespace cadre {

struct SharedModelState {
  int64_t version = 1;
  v1::OptimizerState optimizer;                 // Without moments where it was fresh.
  std::vector<v1::PushedSequence> step_counts;  // Of these the learner and its env_steps.
};

// As "shared.version", "shared.step", "shared.moment.<i>" [P] float32 and "shared.step_counts"
// [L, 2] int64.
void SaveSharedModel(const SharedModelState& model, TensorMap& state);

// DATA_LOSS where something is missing; step counts alone may be.
absl::StatusOr<SharedModelState> RestoreSharedModel(const TensorMap& state);

}  // namespace cadre
