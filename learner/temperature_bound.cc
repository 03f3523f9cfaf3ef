#include "learner/temperature_bound.h"

#include <limits>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/config/config.h"

namespace cadre {
namespace {

constexpr double kNone = std::numeric_limits<double>::infinity();

template <typename Settings>
double BoundOf(const Settings& settings) {
  return settings.learn_temperature() ? settings.max_temperature() : kNone;
}

}  // namespace

TemperatureBound::TemperatureBound(const ExperimentConfig& config)
    : algorithm_(AlgorithmName(config)),
      bound_(config.has_sac()    ? BoundOf(config.sac())
             : config.has_redq() ? BoundOf(config.redq())
                                 : kNone) {}

std::string TemperatureBound::Warning(const Diagnostics& diagnostics) {
  constexpr double kRounding = 1e-5;  // The logarithm is a float.
  for (const auto& [name, value] : diagnostics) {
    if (name != "temperature" || !(value >= bound_ * (1 - kRounding))) continue;
    const double bound = std::exchange(bound_, kNone);
    return absl::StrCat("the temperature is at its bound, ", algorithm_, ".max_temperature ", bound,
                        ": the policy does not reach ", algorithm_,
                        ".target_entropy. Lower the target, or set learn_temperature to false and "
                        "choose a temperature");
  }
  return "";
}

}  // namespace cadre
