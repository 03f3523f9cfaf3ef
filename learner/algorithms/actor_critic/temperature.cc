#include "learner/algorithms/actor_critic/temperature.h"

#include <cmath>

#include "common/status_macros.h"

namespace cadre {

Temperature::Temperature(const Settings& settings, const DeviceOptions& where)
    : target_entropy_(settings.target_entropy),
      most_log_alpha_(std::log(settings.most)),
      learned_(settings.learned && settings.learning_rate > 0),
      fast_(where.on_cpu_kernels()),
      log_alpha_(torch::full({1}, std::log(settings.initial),
                             torch::dtype(torch::kFloat32).device(where.device))),
      alpha_(torch::empty({}, log_alpha_.options())),
      adam_(1, {.epsilon = settings.adam_epsilon}, where) {
  adam_.SetLearningRate(settings.learning_rate);
  SetValue();
}

void Temperature::SetValue() {
  if (fast_)
    *alpha_.data_ptr<float>() = std::exp(*log_alpha_.data_ptr<float>());
  else
    alpha_.copy_(log_alpha_.exp().squeeze(0));
}

void Temperature::Update(const torch::Tensor& entropy) {
  if (!learned_) return;
  torch::NoGradGuard no_graph;
  adam_.Step(log_alpha_, (alpha_ * (entropy - target_entropy_)).view({1}));
  log_alpha_.clamp_max_(most_log_alpha_);
  SetValue();
}

void Temperature::Save(const std::string& name, TensorMap& state) const {
  state.AddScalar<float>(name + ".log", log_alpha_.item<float>());
  adam_.Save(name + ".adam", state);
}

absl::Status Temperature::Restore(const std::string& name, const TensorMap& state) {
  const absl::StatusOr<float> log_alpha = state.ReadScalar<float>(name + ".log");
  if (!log_alpha.ok()) return absl::DataLossError(log_alpha.status().message());
  CADRE_RETURN_IF_ERROR(adam_.Restore(name + ".adam", state));
  log_alpha_.fill_(*log_alpha);
  SetValue();
  return absl::OkStatus();
}

}  // namespace cadre
