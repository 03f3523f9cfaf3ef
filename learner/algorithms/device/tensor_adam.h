// Adam (Kingma and Ba 2015, algorithm 1) on a flat tensor of any device. Step count and
// learning rate are tensors there, so that a CUDA graph may hold a step. The same as
// Adam's kernels up to rounding. Not thread-safe.
#pragma once

#include <string>

#include <torch/types.h>

#include "absl/status/status.h"
#include "common/kernels/optimizer.h"
#include "learner/run_folder/safetensors.h"

namespace cadre {

class TensorAdam {
 public:
  TensorAdam(int64_t parameters, const Adam::Options& options, torch::Device device);

  // Of the steps from here on. Not within a recorded graph.
  void SetLearningRate(double learning_rate);

  // One step along `gradient`, divided by `divisor` [] first where that is defined. Both
  // [P] float32; the gradient may be overwritten.
  void Step(torch::Tensor parameters, torch::Tensor gradient, const torch::Tensor& divisor = {});

  // As `name`.step, `name`.m and `name`.v, which Adam reads as well. DATA_LOSS where one
  // is missing or has another size.
  void Save(const std::string& name, TensorMap& state) const;
  absl::Status Restore(const std::string& name, const TensorMap& state);

 private:
  const Adam::Options options_;
  double set_learning_rate_ = -1;  // What learning_rate_ holds.
  torch::Tensor learning_rate_;    // [] float32
  torch::Tensor step_;             // [] float32: exact up to 16 million steps.
  torch::Tensor m_, v_;            // [P]
};

// What to divide a gradient of this norm [] by so that it is at most `max_norm` long;
// undefined where that is 0. GradientScale's twin.
torch::Tensor ClippingDivisor(const torch::Tensor& norm, double max_norm);

}  // namespace cadre
