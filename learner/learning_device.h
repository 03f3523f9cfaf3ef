// The device of --device, checked before anything is built on it.
#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "learner/algorithms/on_device/device_options.h"

namespace cadre {

// `name`: "cpu", "cuda" (the first) or "cuda:N". INVALID_ARGUMENT where it is none of
// these, FAILED_PRECONDITION where LibTorch has no CUDA or there is no such device.
// Fallbacks of the options are logged.
absl::StatusOr<DeviceOptions> OpenLearningDevice(const std::string& name, bool cuda_graphs);

}  // namespace cadre
