#include "learner/algorithms/flat_adam.h"

#include <algorithm>
#include <cmath>

#include "common/status_macros.h"
#include "learner/algorithms/optimizer_state.h"
#include "learner/algorithms/tensor_spans.h"

namespace cadre {

FlatAdam::FlatAdam(int64_t parameters, double epsilon, torch::Device device)
    : options_{.epsilon = epsilon}, adam_(parameters, options_) {
  if (device.is_cpu()) return;
  m_ = torch::zeros({parameters}, device);
  v_ = torch::zeros({parameters}, device);
}

void FlatAdam::Step(torch::Tensor parameters, const torch::Tensor& gradient, double learning_rate) {
  if (m_.defined())
    AdamStepOfTensors(parameters, gradient, ++adam_.mutable_state().step, learning_rate, options_,
                      m_, v_);
  else
    adam_.Step(Flat(parameters), Flat(gradient), learning_rate);
}

void FlatAdam::Save(const std::string& name, TensorMap& state) const {
  if (!m_.defined()) return SaveAdam(adam_, state, name);
  Adam copy = adam_;
  const torch::Tensor m = m_.cpu(), v = v_.cpu();
  std::ranges::copy(Flat(m), copy.mutable_state().m.begin());
  std::ranges::copy(Flat(v), copy.mutable_state().v.begin());
  SaveAdam(copy, state, name);
}

absl::Status FlatAdam::Restore(const std::string& name, const TensorMap& state) {
  CADRE_RETURN_IF_ERROR(RestoreAdam(state, adam_, name));
  if (m_.defined()) {
    m_.copy_(torch::tensor(adam_.state().m));
    v_.copy_(torch::tensor(adam_.state().v));
  }
  return absl::OkStatus();
}

void AdamStepOfTensors(torch::Tensor parameters, const torch::Tensor& gradient, int64_t step,
                       double learning_rate, const Adam::Options& options, torch::Tensor m,
                       torch::Tensor v) {
  const double correction1 = 1 - std::pow(options.beta1, static_cast<double>(step));
  const double correction2 = std::sqrt(1 - std::pow(options.beta2, static_cast<double>(step)));
  m.mul_(options.beta1).add_(gradient, 1 - options.beta1);
  v.mul_(options.beta2).addcmul_(gradient, gradient, 1 - options.beta2);
  parameters.addcdiv_(m, v.sqrt().add_(options.epsilon * correction2),
                      -learning_rate * correction2 / correction1);
}

}  // namespace cadre
