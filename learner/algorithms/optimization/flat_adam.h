// Adam (Kingma and Ba 2015, algorithm 1) on a flat tensor: on the CPU kernels, or in tensor
// operations on any device that a CUDA graph can record. Not thread-safe.
#pragma once

#include <optional>
#include <string>

#include <torch/types.h>

#include "absl/status/status.h"
#include "common/kernels/optimizer.h"
#include "learner/algorithms/device/device_options.h"
#include "learner/algorithms/device/tensor_adam.h"
#include "learner/run_folder/safetensors.h"

namespace cadre {

struct AdamSettings {
  double epsilon = 1e-8;
  double weight_decay = 0;  // Decoupled.
};

class FlatAdam {
 public:
  FlatAdam(int64_t parameters, const AdamSettings& settings, const DeviceOptions& where);

  // Takes effect from the next step on. Do not call it within a recorded graph.
  void SetLearningRate(double learning_rate);
  double learning_rate() const { return learning_rate_; }

  // One step along `gradient`, both [P] float32; may overwrite `gradient`. If `norm`, the
  // gradient's FlatNorm, is given and `max_norm` is above 0, the gradient is clipped to it first.
  void Step(torch::Tensor parameters, torch::Tensor gradient, const torch::Tensor& norm = {},
            double max_norm = 0);

  // As `name`.step, `name`.m and `name`.v, the same on every device. DATA_LOSS if one is missing
  // or has another size.
  void Save(const std::string& name, TensorMap& state) const;
  absl::Status Restore(const std::string& name, const TensorMap& state);

 private:
  double learning_rate_ = 0;
  std::optional<Adam> kernels_;  // Exactly one of the two is set.
  std::optional<TensorAdam> tensors_;
};

// The L2 norm of a flat gradient: [] float64 on the CPU, else [] float32 on the device, without
// waiting for it.
torch::Tensor FlatNorm(const torch::Tensor& gradient);

}  // namespace cadre
