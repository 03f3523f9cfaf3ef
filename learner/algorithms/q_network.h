// An ActionValueNetwork with parameters of its own: one forward and one backward pass,
// whether it is dueling or not. On the CPU kernels, or with autograd on other devices.
// Not thread-safe.
#pragma once

#include <memory>

#include <torch/types.h>

#include "policy/mlp_model.h"
#include "policy/off_policy_network.h"

namespace cadre {

class QNetwork {
 public:
  // Other devices than the CPU always run with autograd.
  QNetwork(ActionValueNetwork network, torch::Device device, bool autograd);

  // `observations` [B, O] float32; returns [B, n * atoms], valid until the next Forward
  // and not to be written to. `observations` must stay as they are until Backward.
  torch::Tensor Forward(const torch::Tensor& observations);

  // Adds to model().gradient() from the gradient of the last Forward's outputs,
  // [B, n * atoms], which may be overwritten.
  void Backward(torch::Tensor output_gradient);

  // Its parameters and their gradient.
  MlpModel& model() const { return *model_; }
  const ActionValueNetwork& network() const { return network_; }

 private:
  // Networks of the model.
  enum { kTrunk = 0, kValue = 1, kAdvantage = 2 };  // Dueling.
  enum { kWhole = 0 };                              // Plain.

  const ActionValueNetwork network_;
  const bool closed_form_;  // On the CPU kernels, not through autograd.
  const std::unique_ptr<MlpModel> model_;
  torch::Tensor values_;          // [B, n * atoms]; dueling in closed form only.
  torch::Tensor value_gradient_;  // [B, atoms]; likewise.
};

}  // namespace cadre
