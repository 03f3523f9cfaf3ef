// Adam (Kingma and Ba 2015, algorithm 1) on a flat tensor wherever it is: the kernels on
// the CPU, tensor operations on other devices. Not thread-safe.
#pragma once

#include <string>

#include <torch/types.h>

#include "absl/status/status.h"
#include "common/kernels/optimizer.h"
#include "learner/safetensors.h"

namespace cadre {

class FlatAdam {
 public:
  FlatAdam(int64_t parameters, double epsilon, torch::Device device);

  // All [P] float32, on the device.
  void Step(torch::Tensor parameters, const torch::Tensor& gradient, double learning_rate);

  // As `name`.step, `name`.m and `name`.v. DATA_LOSS where one is missing or has another
  // size.
  void Save(const std::string& name, TensorMap& state) const;
  absl::Status Restore(const std::string& name, const TensorMap& state);

 private:
  const Adam::Options options_;
  Adam adam_;            // Counts the steps; on the CPU it does them.
  torch::Tensor m_, v_;  // [P], on other devices: the moments.
};

// The `step`-th step, counted from 1, with tensor operations on any device. All [P]; the
// parameters and both moments are changed.
void AdamStepOfTensors(torch::Tensor parameters, const torch::Tensor& gradient, int64_t step,
                       double learning_rate, const Adam::Options& options, torch::Tensor m,
                       torch::Tensor v);

}  // namespace cadre
