// Dense layers one after the other, as every network has them: "<name>.<i>" for layer i.
#pragma once

#include <cstdint>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "common/spaces.h"
#include "policy/network.h"
#include "proto/config.pb.h"

namespace cadre {

// Units of each hidden layer; [64, 64] where the config names none.
std::vector<int64_t> HiddenUnits(const MlpConfig& config);

LayerActivation HiddenActivation(const MlpConfig& config);

// A layer of each of `units`; the first reads `operands` side by side. Returns what the next
// layer is to read: `operands` where there are no units.
std::vector<ValueId> AddHidden(NetworkBuilder& builder, absl::string_view name,
                               std::vector<ValueId> operands, absl::Span<const int64_t> units,
                               LayerActivation activation);

// And a linear one on top, with initial weights of this gain where they are orthogonal.
ValueId AddMlp(NetworkBuilder& builder, absl::string_view name, std::vector<ValueId> operands,
               absl::Span<const int64_t> units, LayerActivation activation, int64_t outputs,
               double gain = 1);

// INVALID_ARGUMENT unless observations are float32, the only ones that MLPs take.
absl::Status CheckMlpObservation(const ObservationSpace& observation);

}  // namespace cadre
