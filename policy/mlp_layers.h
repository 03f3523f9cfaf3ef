// Lays dense layers out in a flat parameter vector, as every network does it: blocks
// "<name>.<i>.weight" [outputs, inputs] and "<name>.<i>.bias" [outputs] for layer i.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/types/span.h"
#include "common/spaces.h"
#include "policy/layout.h"
#include "policy/network.h"
#include "proto/config.pb.h"

namespace cadre {

// Units of each hidden layer; [64, 64] where the config names none.
std::vector<int64_t> HiddenUnits(const MlpConfig& config);

LayerActivation HiddenActivation(const MlpConfig& config);

// Appends one layer to `mlp`.
void AddLayer(ParameterLayout& layout, const std::string& name, int64_t inputs, int64_t outputs,
              LayerActivation activation, Mlp& mlp);

// A layer of each of `units`, one after the other; empty where there are none.
Mlp AddHidden(ParameterLayout& layout, const std::string& name, int64_t inputs,
              absl::Span<const int64_t> units, LayerActivation activation);

// Hidden layers as the config says, and a linear one on top.
Mlp AddMlp(ParameterLayout& layout, const std::string& name, int64_t inputs, int64_t outputs,
           const MlpConfig& config);

// INVALID_ARGUMENT unless observations are float32, the only ones that MLPs take.
absl::Status CheckMlpObservation(const ObservationSpace& observation);

}  // namespace cadre
