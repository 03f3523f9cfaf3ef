// Where and how an algorithm computes. Plain data.
#pragma once

#include <functional>

#include <torch/types.h>

#include "absl/strings/string_view.h"
#include "policy/networks/model.h"

namespace cadre {

struct DeviceOptions {
  torch::Device device = torch::kCPU;
  // The fixed-shape part of an update as one CUDA graph. Means nothing on the CPU.
  bool graphs = true;
  // Noise from the device's own generator, seeded from the algorithm's: other numbers than
  // on the CPU. False: the CPU's numbers, copied. Means nothing on the CPU.
  bool device_noise = true;
  // As on other devices even on the CPU, for tests that hold the two together.
  bool tensor_operations = false;
  // Told once where a graph cannot be had and why; the update then runs without. May be
  // empty.
  std::function<void(absl::string_view)> on_fallback;

  // On the CPU kernels and closed forms in plain loops.
  bool on_cpu_kernels() const { return device.is_cpu() && !tensor_operations; }
  Runner runner() const { return on_cpu_kernels() ? Runner::kKernels : Runner::kGraph; }
};

}  // namespace cadre
