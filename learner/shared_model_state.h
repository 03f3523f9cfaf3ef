// What a checkpoint keeps of a model that the parameter server moves, besides the
// parameters: its version and its optimiser. Pure.
#pragma once

#include <cstdint>

#include "absl/status/status.h"
#include "learner/safetensors.h"
#include "proto/parameters.pb.h"

namespace cadre {

// As "shared.version", "shared.step" and "shared.moment.<i>" [P] float32.
void SaveSharedModel(int64_t version, const v1::OptimizerState& optimizer, TensorMap& state);

// DATA_LOSS where something is missing. `optimizer` has no moments where it was fresh.
absl::Status RestoreSharedModel(const TensorMap& state, int64_t& version,
                                v1::OptimizerState& optimizer);

}  // namespace cadre
