// The device of --device, checked before anything is built on it.
#pragma once

#include <cstdint>
#include <string>

#include <torch/types.h>

#include "absl/status/statusor.h"
#include "learner/algorithms/device/device_options.h"

namespace cadre {

// `name`: "cpu", "cuda:N", or "cuda", which gives learner `rank` of several the device
// rank mod their number. INVALID_ARGUMENT where it is none of these, FAILED_PRECONDITION where
// LibTorch has no CUDA or there is no such device. Fallbacks of the options are logged.
absl::StatusOr<DeviceOptions> OpenLearningDevice(const std::string& name, bool cuda_graphs,
                                                 int32_t rank = 0);

// Its device, on a machine with `cuda_devices` of them, 0 or more.
absl::StatusOr<torch::Device> ChooseLearningDevice(const std::string& name, int32_t rank,
                                                   int cuda_devices);

}  // namespace cadre
