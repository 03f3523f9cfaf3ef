#include "common/kernels/optimizer.h"

#include <cmath>

#include "common/check.h"
#include "common/kernels/kernels.h"

namespace cadre {

double GradientNorm(absl::Span<const float> gradient) {
  return std::sqrt(
      kernels::Best().squared_norm(static_cast<int64_t>(gradient.size()), gradient.data()));
}

float GradientScale(double norm, double max_norm) {
  // The 1e-6 keeps the quotient finite, and is what others clip with, too.
  if (max_norm <= 0 || norm <= max_norm) return 1.0f;
  return static_cast<float>(max_norm / (norm + 1e-6));
}

Adam::Adam(int64_t parameters, const Options& options) : options_(options) {
  state_.m.assign(parameters, 0.0f);
  state_.v.assign(parameters, 0.0f);
}

void Adam::Step(absl::Span<float> parameters, absl::Span<const float> gradient,
                double learning_rate, float gradient_scale) {
  CADRE_CHECK(parameters.size() == state_.m.size() && gradient.size() == state_.m.size());
  ++state_.step;
  // Of the rounded betas that the kernel uses: 1 - 0.999f is 1.3e-5 away from 0.001.
  const float beta1 = static_cast<float>(options_.beta1);
  const float beta2 = static_cast<float>(options_.beta2);
  const double step = static_cast<double>(state_.step);
  const double correction1 = 1.0 - std::pow(static_cast<double>(beta1), step);
  const double correction2 = std::sqrt(1.0 - std::pow(static_cast<double>(beta2), step));
  // m / c1 / (sqrt(v) / c2 + eps)  =  (c2 / c1) m / (sqrt(v) + c2 eps)
  kernels::Best().adam(static_cast<int64_t>(parameters.size()), parameters.data(), state_.m.data(),
                       state_.v.data(), gradient.data(), gradient_scale, beta1, beta2,
                       static_cast<float>(learning_rate * correction2 / correction1),
                       static_cast<float>(options_.epsilon * correction2),
                       static_cast<float>(learning_rate * options_.weight_decay));
}

}  // namespace cadre
