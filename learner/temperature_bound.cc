#include "learner/temperature_bound.h"

#include <limits>
#include <utility>

#include "absl/strings/str_cat.h"

namespace cadre {
namespace {

constexpr double kNone = std::numeric_limits<double>::infinity();

}  // namespace

TemperatureBound::TemperatureBound(const ExperimentConfig& config)
    : bound_(config.has_sac() && config.sac().learn_temperature() ? config.sac().max_temperature()
                                                                  : kNone) {}

std::string TemperatureBound::Warning(const Diagnostics& diagnostics) {
  constexpr double kRounding = 1e-5;  // The logarithm is a float.
  for (const auto& [name, value] : diagnostics) {
    if (name != "temperature" || !(value >= bound_ * (1 - kRounding))) continue;
    const double bound = std::exchange(bound_, kNone);
    return absl::StrCat("the temperature is at its bound, sac.max_temperature ", bound,
                        ": the policy does not reach sac.target_entropy. Lower the target, or set "
                        "learn_temperature to false and choose a temperature");
  }
  return "";
}

}  // namespace cadre
