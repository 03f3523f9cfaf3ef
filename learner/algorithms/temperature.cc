#include "learner/algorithms/temperature.h"

#include <algorithm>
#include <cmath>

#include "common/status_macros.h"
#include "learner/algorithms/optimizer_state.h"

namespace cadre {

Temperature::Temperature(const SacConfig& config, double default_target)
    : target_entropy_(config.has_target_entropy() ? config.target_entropy() : default_target),
      learning_rate_(config.learn_temperature() ? config.temperature_learning_rate() : 0),
      most_log_alpha_(static_cast<float>(std::log(config.max_temperature()))),
      log_alpha_(static_cast<float>(std::log(config.temperature()))),
      adam_(1, {.epsilon = config.adam_epsilon()}) {}

double Temperature::value() const { return std::exp(static_cast<double>(log_alpha_)); }

void Temperature::Update(double entropy) {
  if (!learned()) return;
  const float gradient = static_cast<float>(value() * (entropy - target_entropy_));
  adam_.Step(absl::MakeSpan(&log_alpha_, 1), absl::MakeConstSpan(&gradient, 1), learning_rate_);
  log_alpha_ = std::min(log_alpha_, most_log_alpha_);
}

void Temperature::Save(const std::string& name, TensorMap& state) const {
  state.AddScalar<float>(name + ".log", log_alpha_);
  SaveAdam(adam_, state, name + ".adam");
}

absl::Status Temperature::Restore(const std::string& name, const TensorMap& state) {
  const absl::StatusOr<float> log_alpha = state.ReadScalar<float>(name + ".log");
  if (!log_alpha.ok()) return absl::DataLossError(log_alpha.status().message());
  CADRE_RETURN_IF_ERROR(RestoreAdam(state, adam_, name + ".adam"));
  log_alpha_ = *log_alpha;
  return absl::OkStatus();
}

}  // namespace cadre
