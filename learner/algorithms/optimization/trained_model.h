// A network in training: its parameters, their Adam optimiser and, optionally, a target network
// that follows it (Lillicrap et al. 2016, section 3). Only calls that say so wait for the device.
// Not thread-safe.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include <torch/types.h>

#include "absl/status/status.h"
#include "absl/types/span.h"
#include "learner/algorithms/device/device_options.h"
#include "learner/algorithms/device/host_copy.h"
#include "learner/algorithms/optimization/flat_adam.h"
#include "learner/run_folder/safetensors.h"
#include "policy/networks/model.h"

namespace cadre {

class TrainedModel {
 public:
  enum class Target { kNone, kFollows };

  struct Settings {
    AdamSettings adam;
    double max_gradient_norm = 0;  // 0: no clipping.

    // Those that a config calls adam_epsilon, weight_decay and max_gradient_norm.
    template <typename Config>
    static Settings Of(const Config& config) {
      return {{config.adam_epsilon(), config.weight_decay()}, config.max_gradient_norm()};
    }
  };

  // The parameters, and the target's, are `initial` [P] at first. The learning rate is 0 until
  // it is set.
  TrainedModel(const Network& network, const std::vector<float>& initial, const Settings& settings,
               Target target, const DeviceOptions& where);

  // For passes other than those below.
  Model& online() { return *online_; }
  Model& target() { return *target_; }

  // Compute every head. `inputs`: one for each network input, as for Pass::Forward.
  const std::vector<torch::Tensor>& Forward(absl::Span<const torch::Tensor> inputs);
  const std::vector<torch::Tensor>& TargetForward(absl::Span<const torch::Tensor> inputs);

  // Both take the gradient with respect to the heads of the last Forward. Backward sets
  // gradient(); InputGradient returns the gradient with respect to one input.
  void Backward(absl::Span<const torch::Tensor> head_gradients);
  torch::Tensor InputGradient(absl::Span<const torch::Tensor> head_gradients, int input);

  // The gradient with respect to the parameters, [P], on the device.
  torch::Tensor gradient() const { return online_->gradient(); }

  void SetLearningRate(double learning_rate) { adam_.SetLearningRate(learning_rate); }
  double learning_rate() const { return adam_.learning_rate(); }

  // One step along gradient(), clipped first.
  void Step();
  // The L2 norm of the last step's gradient before clipping. Waits for the device.
  double GradientNorm() const;

  // target = rate * online + (1 - rate) * target.
  void MoveTarget(double rate);

  // The parameters [P] on the CPU; waits for the device if they have changed. After writing to
  // them call HostParametersChanged().
  torch::Tensor HostParameters() { return host_.Get(); }
  void HostParametersChanged();
  // Call after launching a recorded step: the host's copy of the parameters is stale.
  void Stepped() { host_.Stale(); }

  // Save and restore the optimiser and the target under these names, and the parameters. DATA_LOSS
  // if something is missing or has another size.
  struct Names {
    std::string adam, target;
  };
  void Save(const Names& names, TensorMap& state) const;
  absl::Status Restore(const Names& names, const TensorMap& state);
  void SaveParameters(const std::string& name, TensorMap& state) const;
  absl::Status RestoreParameters(const std::string& name, const TensorMap& state);

 private:
  const std::unique_ptr<Model> online_;
  const std::unique_ptr<Model> target_;  // Null without one.
  const std::unique_ptr<Pass> online_pass_, target_pass_;
  const double max_gradient_norm_;
  FlatAdam adam_;
  HostCopy host_;
  torch::Tensor norm_;  // [], of the last step's gradient; undefined if it was not computed.
};

}  // namespace cadre
