// Networks that learn: their parameters, the Adam that moves them and, where wanted, the
// target networks that follow (Lillicrap et al. 2016, section 3). Not thread-safe.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include <torch/types.h>

#include "absl/status/status.h"
#include "absl/types/span.h"
#include "learner/algorithms/collective.h"
#include "learner/algorithms/flat_adam.h"
#include "learner/safetensors.h"
#include "policy/mlp_model.h"

namespace cadre {

class TrainedNetworks {
 public:
  enum class Target { kNone, kPolyak };

  // `networks` index one vector, which is `initial` [P] at first, as is the target's.
  TrainedNetworks(std::vector<Mlp> networks, const std::vector<float>& initial, double adam_epsilon,
                  Target target, torch::Device device);

  // One network's outputs and gradients: MlpModel's business.
  MlpModel& online() { return *online_; }
  MlpModel& target() { return *target_; }

  // Every network's, of the same input [B, I].
  void Forward(const torch::Tensor& input, std::vector<torch::Tensor>& outputs);
  void TargetForward(const torch::Tensor& input, std::vector<torch::Tensor>& outputs);

  // The gradient with respect to the parameters, from those with respect to the outputs
  // of every network's last Forward; it replaces the last one.
  void Backward(const std::vector<torch::Tensor>& output_gradients);
  // With respect to the inputs alone, [B, I] by network.
  void InputGradients(const std::vector<torch::Tensor>& output_gradients,
                      std::vector<torch::Tensor>& input_gradients);

  // One step of Adam along the last Backward's gradient; where learners move one model together
  // along the mean of theirs, and `beside` becomes the means of these numbers.
  absl::Status Step(double learning_rate, Collective* collective, absl::Span<double> beside = {});
  double GradientNorm() const;  // L2, of the last Backward; 0 before the first.

  // target = rate * online + (1 - rate) * target.
  void MoveTarget(double rate);

  // The parameters [P] on the CPU, whatever the device. After writing to them call
  // HostParametersChanged().
  torch::Tensor HostParameters();
  void HostParametersChanged();

  // Optimiser and target, as `name`.adam and `name`.target; without the parameters.
  void Save(const std::string& name, TensorMap& state) const;
  absl::Status Restore(const std::string& name, const TensorMap& state);
  // The parameters, as `name`.parameters.
  void SaveParameters(const std::string& name, TensorMap& state) const;
  absl::Status RestoreParameters(const std::string& name, const TensorMap& state);

 private:
  const int count_;
  const std::unique_ptr<MlpModel> online_;
  const std::unique_ptr<MlpModel> target_;  // Null without one.
  FlatAdam adam_;
  torch::Tensor host_;    // [P]; the online parameters' copy where they are on a device.
  torch::Tensor shared_;  // Of AverageGradient.
};

}  // namespace cadre
