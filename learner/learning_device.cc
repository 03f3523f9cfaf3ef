#include "learner/learning_device.h"

#include <torch/cuda.h>

#include <algorithm>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "common/status_macros.h"
#include "learner/algorithms/device/device_graph.h"
#include "spdlog/spdlog.h"

namespace cadre {

absl::StatusOr<torch::Device> ChooseLearningDevice(const std::string& name, int32_t rank,
                                                   int cuda_devices) {
  if (name == "cpu") return torch::kCPU;
  int index = rank % std::max(1, cuda_devices);
  absl::string_view rest = name;
  if (!absl::ConsumePrefix(&rest, "cuda") ||
      (!rest.empty() &&
       !(absl::ConsumePrefix(&rest, ":") && absl::SimpleAtoi(rest, &index) && index >= 0)))
    return absl::InvalidArgumentError(
        absl::StrCat("--device: got '", name, "'; wanted cpu, cuda or cuda:N"));
  if (index >= cuda_devices)
    return absl::FailedPreconditionError(absl::StrCat(
        "--device: got '", name, "'; there are ", cuda_devices, " CUDA devices here, from cuda:0"));
  return torch::Device(torch::kCUDA, static_cast<c10::DeviceIndex>(index));
}

absl::StatusOr<DeviceOptions> OpenLearningDevice(const std::string& name, bool cuda_graphs,
                                                 int32_t rank) {
  const int devices = BuiltWithCuda() ? static_cast<int>(torch::cuda::device_count()) : 0;
  const absl::StatusOr<torch::Device> device = ChooseLearningDevice(name, rank, devices);
  if (absl::IsFailedPrecondition(device.status()) && !BuiltWithCuda())
    return absl::FailedPreconditionError(absl::StrCat(
        "--device: got '", name,
        "'; this build's LibTorch has no CUDA. docs/gpu.md says how to build with one that has"));
  CADRE_RETURN_IF_ERROR(device.status());
  DeviceOptions options;
  options.device = *device;
  options.graphs = cuda_graphs;
  options.on_fallback = [](absl::string_view reason) {
    spdlog::warn("updates run eagerly: {}", std::string(reason));
  };
  return options;
}

}  // namespace cadre
