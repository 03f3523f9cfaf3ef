// Convolutions over one column of the observation, as cnn {} describes them.
#pragma once

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "common/spaces.h"
#include "policy/networks/network_builder.h"
#include "proto/config.pb.h"

namespace cadre {

LayerActivation ActivationOf(Activation activation);

// Returns INVALID_ARGUMENT if the column is not an image, or is too small for the layers.
absl::Status CheckImageEncoder(const CnnConfig& config, const ObservationColumn& column);

// Adds its layers, "<name>.<i>...". Returns the features, one row for each image.
ValueId AddImageEncoder(NetworkBuilder& builder, absl::string_view name, const CnnConfig& config,
                        const ObservationColumn& column, ValueId input);

}  // namespace cadre
