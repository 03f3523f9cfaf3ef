// Standard normal numbers on a device. Not thread-safe.
#pragma once

#include <optional>
#include <string>

#include <ATen/core/Generator.h>
#include <torch/types.h>

#include "absl/status/status.h"
#include "common/random.h"
#include "learner/algorithms/device/device_options.h"
#include "learner/algorithms/optimization/collective.h"
#include "learner/run_folder/safetensors.h"

namespace cadre {

class NormalSource {
 public:
  // Where the options want the device's noise on a CUDA device, it has a generator of its
  // own there, seeded from `random`; else `random`'s numbers are copied.
  NormalSource(Random random, const DeviceOptions& options);

  // This learner's rows of what a single one would draw for the whole batch, as
  // FillNormalShare. Not within a recorded graph.
  void FillShare(const Collective* collective, torch::Tensor& noise);

  // As `name`, what the CPU's algorithms save too, and `name`.device. A state without the
  // second, of a run on the CPU, seeds the generator from the first.
  void Save(const std::string& name, TensorMap& state) const;
  absl::Status Restore(const std::string& name, const TensorMap& state);

 private:
  void Seed();

  Random random_;
  std::optional<at::Generator> generator_;  // The device's, where it is used.
};

}  // namespace cadre
