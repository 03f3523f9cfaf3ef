// The parts of networks as model {} describes them: inputs, encoders, memory and dense layers.
// Every network of an algorithm is made of these.
#pragma once

#include <cstdint>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "common/spaces.h"
#include "policy/networks/network_builder.h"
#include "proto/config.pb.h"

namespace cadre {

// Returns INVALID_ARGUMENT if an encoder does not fit its column.
absl::Status CheckModel(const ModelConfig& model, const ObservationSpace& observation);

// Adds an input for each column, in order and under its name; bytes are divided by the largest
// value of the column's space. With a memory also "state" and "starts". Returns the columns.
std::vector<ValueId> AddInputs(NetworkBuilder& builder, const ModelConfig& model,
                               const ObservationSpace& observation);

// Adds encoders and memory, whose parameters are named "<prefix>encoder.<column>..." and
// "<prefix>memory...". `columns` are those of AddInputs. Returns what the next layer reads.
std::vector<ValueId> AddFeatures(NetworkBuilder& builder, absl::string_view prefix,
                                 const ModelConfig& model, const ObservationSpace& observation,
                                 const std::vector<ValueId>& columns);

// Hidden dense layers, one after the other.
struct HiddenLayers {
  std::vector<int64_t> units;
  LayerActivation activation = LayerActivation::kTanh;
  bool layer_norm = false;
};

// Those of model.mlp, with the defaults of MlpConfig.
HiddenLayers HiddenLayersOf(const ModelConfig& model);

// Adds them under the names "<name>.<i>"; the first reads `operands`, concatenated. Returns what
// the next layer reads: `operands` if there are no layers.
std::vector<ValueId> AddHidden(NetworkBuilder& builder, absl::string_view name,
                               std::vector<ValueId> operands, const HiddenLayers& layers);

// Adds them and a linear layer on top, whose initial weights have this gain if they are
// orthogonal.
ValueId AddMlp(NetworkBuilder& builder, absl::string_view name, std::vector<ValueId> operands,
               const HiddenLayers& layers, int64_t outputs, double gain = 1);

}  // namespace cadre
