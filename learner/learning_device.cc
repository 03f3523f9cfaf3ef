#include "learner/learning_device.h"

#include <torch/cuda.h>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "learner/algorithms/on_device/device_graph.h"
#include "spdlog/spdlog.h"

namespace cadre {

absl::StatusOr<DeviceOptions> OpenLearningDevice(const std::string& name, bool cuda_graphs) {
  DeviceOptions options;
  options.graphs = cuda_graphs;
  options.on_fallback = [](absl::string_view reason) {
    spdlog::warn("updates run eagerly: {}", std::string(reason));
  };
  if (name == "cpu") return options;
  int index = 0;
  absl::string_view rest = name;
  if (!absl::ConsumePrefix(&rest, "cuda") ||
      (!rest.empty() &&
       !(absl::ConsumePrefix(&rest, ":") && absl::SimpleAtoi(rest, &index) && index >= 0)))
    return absl::InvalidArgumentError(
        absl::StrCat("--device: got '", name, "'; wanted cpu, cuda or cuda:N"));
  if (!BuiltWithCuda())
    return absl::FailedPreconditionError(absl::StrCat(
        "--device: got '", name,
        "'; this build's LibTorch has no CUDA. docs/gpu.md says how to build with one that has"));
  const auto devices = static_cast<int>(torch::cuda::device_count());
  if (index >= devices)
    return absl::FailedPreconditionError(absl::StrCat("--device: got '", name, "'; there are ",
                                                      devices, " CUDA devices here, from cuda:0"));
  options.device = torch::Device(torch::kCUDA, static_cast<c10::DeviceIndex>(index));
  return options;
}

}  // namespace cadre
