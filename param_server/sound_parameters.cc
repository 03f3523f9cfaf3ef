#include "param_server/sound_parameters.h"

#include <cmath>
#include <cstring>

#include "absl/strings/str_cat.h"
#include "param_server/finite.h"

namespace cadre {
namespace {

absl::Status CheckFinite(const v1::Parameters& parameters) {
  if (const int64_t at = FirstNonFinite(parameters.values()); at >= 0) {
    float value;
    std::memcpy(&value, parameters.values().data() + at * sizeof(value), sizeof(value));
    return absl::InvalidArgumentError(absl::StrCat(VersionName(parameters), ": value ", at, " is ",
                                                   value, "; wanted finite numbers"));
  }
  for (const v1::Statistic& statistic : parameters.statistics()) {
    for (const double value : statistic.values()) {
      if (std::isfinite(value)) continue;
      return absl::InvalidArgumentError(absl::StrCat(VersionName(parameters), ": statistic '",
                                                     statistic.name(), "' holds ", value,
                                                     "; wanted finite numbers"));
    }
  }
  return absl::OkStatus();
}

}  // namespace

std::string VersionName(const v1::Parameters& parameters) {
  return absl::StrCat("model '", parameters.model(), "' version ", parameters.version());
}

absl::Status CheckSound(const v1::Parameters& parameters) {
  if (parameters.model().empty()) {
    return absl::InvalidArgumentError("parameters without a model name");
  }
  if (parameters.version() < 1) {
    return absl::InvalidArgumentError(
        absl::StrCat(VersionName(parameters), ": versions start at 1"));
  }
  if (parameters.encoding() != v1::VALUE_ENCODING_FLOAT32) {
    return absl::InvalidArgumentError(absl::StrCat(VersionName(parameters), ": encoding ",
                                                   parameters.encoding(), "; wanted float32"));
  }
  if (parameters.values().empty() || parameters.values().size() % sizeof(float) != 0) {
    return absl::InvalidArgumentError(absl::StrCat(VersionName(parameters), ": ",
                                                   parameters.values().size(),
                                                   " bytes of values; wanted a multiple of 4"));
  }
  return CheckFinite(parameters);
}

}  // namespace cadre
