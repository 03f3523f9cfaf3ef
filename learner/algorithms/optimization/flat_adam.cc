#include "learner/algorithms/optimization/flat_adam.h"

#include "learner/algorithms/device/tensor_spans.h"
#include "learner/algorithms/optimization/optimizer_state.h"

namespace cadre {

FlatAdam::FlatAdam(int64_t parameters, const AdamSettings& settings, const DeviceOptions& where) {
  const Adam::Options options{.epsilon = settings.epsilon, .weight_decay = settings.weight_decay};
  if (where.on_cpu_kernels())
    kernels_.emplace(parameters, options);
  else
    tensors_.emplace(parameters, options, where.device);
}

void FlatAdam::SetLearningRate(double learning_rate) {
  learning_rate_ = learning_rate;
  if (tensors_) tensors_->SetLearningRate(learning_rate);
}

void FlatAdam::Step(torch::Tensor parameters, torch::Tensor gradient, const torch::Tensor& norm,
                    double max_norm) {
  const bool shorten = norm.defined() && max_norm > 0;
  if (tensors_) {
    tensors_->Step(parameters, gradient,
                   shorten ? ClippingDivisor(norm, max_norm) : torch::Tensor());
  } else {
    kernels_->Step(Flat(parameters), Flat(gradient), learning_rate_,
                   shorten ? GradientScale(norm.item<double>(), max_norm) : 1.0f);
  }
}

void FlatAdam::Save(const std::string& name, TensorMap& state) const {
  if (tensors_)
    tensors_->Save(name, state);
  else
    SaveAdam(*kernels_, state, name);
}

absl::Status FlatAdam::Restore(const std::string& name, const TensorMap& state) {
  return tensors_ ? tensors_->Restore(name, state) : RestoreAdam(state, *kernels_, name);
}

torch::Tensor FlatNorm(const torch::Tensor& gradient) {
  if (!gradient.device().is_cpu()) return gradient.norm();
  return torch::scalar_tensor(GradientNorm(Flat(gradient)), torch::kFloat64);
}

}  // namespace cadre
