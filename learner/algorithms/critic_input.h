// What critics of continuous actions see: observation and action side by side, the
// action scaled from its bounds to [-1, 1].
#pragma once

#include <cstdint>
#include <vector>

#include <torch/types.h>

#include "common/spaces.h"

namespace cadre {

// A buffer of [B, O + A] that is written in two parts.
class CriticInput {
 public:
  // `action` is continuous, its bounds those of an ActionRange.
  CriticInput(int64_t observation_size, const ActionSpace& action, torch::Device device);

  void SetObservations(const torch::Tensor& observations);   // [B, O]; allocates for a new B.
  void SetEnvironmentActions(const torch::Tensor& actions);  // [B, A], within the bounds.
  // The columns of the scaled actions, [B, A], to be written to. Not contiguous.
  torch::Tensor& scaled_actions() { return actions_; }

  const torch::Tensor& tensor() const { return input_; }

  // Those columns of a gradient with respect to the input, added over critics, [B, A].
  void SumActionGradients(const std::vector<torch::Tensor>& input_gradients,
                          torch::Tensor& action_gradient) const;

 private:
  const int64_t observation_size_;             // O
  torch::Tensor centre_, inverse_half_range_;  // [A]
  torch::Tensor input_;                        // [B, O + A]
  torch::Tensor observations_, actions_;       // Views of it, [B, O] and [B, A].
};

}  // namespace cadre
