#include "learner/algorithms/on_device/device_networks.h"

#include "common/status_macros.h"
#include "learner/algorithms/tensor_spans.h"

namespace cadre {
namespace {

void SaveVector(const std::string& name, const torch::Tensor& vector, TensorMap& state) {
  const torch::Tensor values = vector.cpu();
  state.Add<float>(name, {values.numel()}, Flat(values));
}

// In place: a recorded graph knows the vector by its address.
absl::Status RestoreVector(const std::string& name, const TensorMap& state, torch::Tensor vector) {
  const torch::Tensor values = torch::empty({vector.numel()});
  const absl::Status status = state.Read(name, Flat(values));
  if (!status.ok()) return absl::DataLossError(status.message());
  vector.copy_(values);
  return absl::OkStatus();
}

}  // namespace

DeviceNetworks::DeviceNetworks(const std::vector<Mlp>& networks, const std::vector<float>& initial,
                               double adam_epsilon, double learning_rate, Target target,
                               torch::Device device)
    : parameters_(torch::tensor(initial).to(device)),
      gradient_(torch::zeros_like(parameters_)),
      target_parameters_(target == Target::kNone ? torch::Tensor() : parameters_.clone()),
      online_(networks, parameters_, gradient_),
      adam_(parameters_.numel(), adam_epsilon, device),
      host_(parameters_) {
  // Nothing goes backward through a target; its gradient is never written to.
  if (target != Target::kNone) target_.emplace(networks, target_parameters_, gradient_);
  adam_.SetLearningRate(learning_rate);
}

void DeviceNetworks::Backward(const torch::Tensor& output_gradient) {
  gradient_.zero_();
  online_.Backward(output_gradient, /*parameter_gradient=*/true, /*input_gradient=*/false);
}

void DeviceNetworks::Save(const std::string& name, TensorMap& state) const {
  adam_.Save(name + ".adam", state);
  if (target_parameters_.defined()) SaveVector(name + ".target", target_parameters_, state);
}

absl::Status DeviceNetworks::Restore(const std::string& name, const TensorMap& state) {
  CADRE_RETURN_IF_ERROR(adam_.Restore(name + ".adam", state));
  if (!target_parameters_.defined()) return absl::OkStatus();
  return RestoreVector(name + ".target", state, target_parameters_);
}

void DeviceNetworks::SaveParameters(const std::string& name, TensorMap& state) const {
  SaveVector(name + ".parameters", parameters_, state);
}

absl::Status DeviceNetworks::RestoreParameters(const std::string& name, const TensorMap& state) {
  return RestoreVector(name + ".parameters", state, parameters_);
}

}  // namespace cadre
