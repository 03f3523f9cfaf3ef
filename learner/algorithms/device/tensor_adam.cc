#include "learner/algorithms/device/tensor_adam.h"

#include <torch/version.h>

#include <algorithm>
#include <cmath>
#include <optional>
#include <vector>

#include "common/status_macros.h"
#include "learner/algorithms/device/tensor_spans.h"
#include "learner/algorithms/optimization/optimizer_state.h"

#define CADRE_FUSED_ADAM \
  (TORCH_VERSION_MAJOR > 2 || (TORCH_VERSION_MAJOR == 2 && TORCH_VERSION_MINOR >= 5))
#if CADRE_FUSED_ADAM
#include <ATen/ops/_fused_adamw.h>
#endif

namespace cadre {

torch::Tensor ClippingDivisor(const torch::Tensor& norm, double max_norm) {
  if (max_norm <= 0) return {};
  return (norm / max_norm).clamp_min_(1.0);
}

TensorAdam::TensorAdam(int64_t parameters, const Adam::Options& options, torch::Device device)
    : options_(options),
      learning_rate_(torch::zeros({}, device)),
      step_(torch::zeros({}, device)),
      m_(torch::zeros({parameters}, device)),
      v_(torch::zeros({parameters}, device)) {}

void TensorAdam::SetLearningRate(double learning_rate) {
  if (learning_rate == set_learning_rate_) return;
  learning_rate_.fill_(learning_rate);
  set_learning_rate_ = learning_rate;
}

#if CADRE_FUSED_ADAM

// One kernel.
void TensorAdam::Step(torch::Tensor parameters, torch::Tensor gradient,
                      const torch::Tensor& divisor) {
  torch::NoGradGuard no_graph;
  std::optional<torch::Tensor> grad_scale;
  if (divisor.defined()) grad_scale = divisor;
  step_.add_(1);
  at::_fused_adamw_(/*self=*/{parameters}, /*grads=*/{gradient}, /*exp_avgs=*/{m_},
                    /*exp_avg_sqs=*/{v_}, /*max_exp_avg_sqs=*/{}, /*state_steps=*/{step_},
                    learning_rate_, options_.beta1, options_.beta2, options_.weight_decay,
                    options_.epsilon, /*amsgrad=*/false, /*maximize=*/false, grad_scale,
                    /*found_inf=*/{});
}

#else

// The bias corrections in float64: 1 - beta2^t loses four digits in float32.
void TensorAdam::Step(torch::Tensor parameters, torch::Tensor gradient,
                      const torch::Tensor& divisor) {
  torch::NoGradGuard no_graph;
  if (divisor.defined()) gradient.div_(divisor);
  step_.add_(1);
  const torch::Tensor step = step_.to(torch::kFloat64);
  const torch::Tensor correction1 = -torch::expm1(step * std::log(options_.beta1));
  const torch::Tensor correction2 = (-torch::expm1(step * std::log(options_.beta2))).sqrt_();
  m_.mul_(options_.beta1).add_(gradient, 1 - options_.beta1);
  v_.mul_(options_.beta2).addcmul_(gradient, gradient, 1 - options_.beta2);
  const torch::Tensor denominator = v_.sqrt().add_(correction2 * options_.epsilon);
  if (options_.weight_decay > 0)
    parameters.sub_(parameters * (learning_rate_ * options_.weight_decay));
  parameters.sub_((m_ / denominator).mul_(learning_rate_ * correction2 / correction1));
}

#endif

void TensorAdam::Save(const std::string& name, TensorMap& state) const {
  Adam copy(m_.numel(), options_);
  const torch::Tensor m = m_.cpu(), v = v_.cpu();
  copy.mutable_state().step = std::llround(step_.item<double>());
  std::ranges::copy(Flat(m), copy.mutable_state().m.begin());
  std::ranges::copy(Flat(v), copy.mutable_state().v.begin());
  SaveAdam(copy, state, name);
}

absl::Status TensorAdam::Restore(const std::string& name, const TensorMap& state) {
  Adam adam(m_.numel(), options_);
  CADRE_RETURN_IF_ERROR(RestoreAdam(state, adam, name));
  step_.fill_(static_cast<double>(adam.state().step));
  m_.copy_(torch::tensor(adam.state().m));
  v_.copy_(torch::tensor(adam.state().v));
  return absl::OkStatus();
}

}  // namespace cadre
