#include "envs/checked_steps.h"

#include <cmath>
#include <cstring>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/status_macros.h"

namespace cadre {
namespace {

absl::Status Wrong(const EnvironmentSpec& spec, size_t i, absl::string_view what) {
  return absl::InternalError(absl::StrCat("environment ", i, " of '", spec.id, "': ", what));
}

// The first element of row i that is no finite number; -1 where all are.
int64_t NotFinite(absl::Span<const std::byte> row) {
  // A sum of the exponents' overflow would do, but rows are short and this is vectorised.
  for (size_t e = 0; e < row.size() / sizeof(float); ++e) {
    float value;
    std::memcpy(&value, row.data() + e * sizeof(value), sizeof(value));
    if (!std::isfinite(value)) return static_cast<int64_t>(e);
  }
  return -1;
}

absl::Status CheckMask(const EnvironmentSpec& spec, size_t i, absl::Span<const std::byte> row) {
  size_t first = 0;
  const std::vector<int64_t>& counts = spec.action.counts;
  for (size_t k = 0; k < counts.size(); ++k) {
    bool any = false;
    for (int64_t a = 0; a < counts[k]; ++a) any |= row[first + a] != std::byte{0};
    if (!any)
      return Wrong(
          spec, i,
          absl::StrCat("its mask allows no alternative of choice ", k, "; wanted at least one"));
    first += counts[k];
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status CheckObservations(const VectorEnvironment& environment,
                               absl::Span<const uint8_t> which) {
  return CheckShown(environment.spec(), environment.observations(), which);
}

absl::Status CheckShown(const EnvironmentSpec& spec, ShownBlocks blocks,
                        absl::Span<const uint8_t> which) {
  const std::vector<ObservationColumn> shown = ShownColumns(spec.observation, spec.action);
  for (size_t c = 0; c < shown.size(); ++c) {
    const size_t size = shown[c].bytes();
    for (size_t i = 0; i < which.size(); ++i) {
      if (!which[i]) continue;
      const absl::Span<const std::byte> row = blocks[c].subspan(i * size, size);
      if (c >= spec.observation.columns.size()) {
        CADRE_RETURN_IF_ERROR(CheckMask(spec, i, row));
        continue;
      }
      if (shown[c].dtype != v1::DTYPE_FLOAT32) continue;
      const int64_t element = NotFinite(row);
      if (element < 0) continue;
      float value;
      std::memcpy(&value, row.data() + element * sizeof(value), sizeof(value));
      return Wrong(spec, i,
                   absl::StrCat("element ", element, " of its observation '", shown[c].name,
                                "' is ", value, "; wanted a finite number"));
    }
  }
  return absl::OkStatus();
}

absl::Status CheckStep(const VectorEnvironment& environment, absl::Span<const uint8_t> which) {
  for (size_t i = 0; i < which.size(); ++i) {
    if (!which[i]) continue;
    const float reward = environment.rewards()[i];
    const int terminated = environment.terminated()[i], truncated = environment.truncated()[i];
    if (!std::isfinite(reward))
      return Wrong(environment.spec(), i,
                   absl::StrCat("its reward is ", reward, "; wanted a finite number"));
    if (terminated > 1 || truncated > 1 || terminated + truncated > 1)
      return Wrong(environment.spec(), i,
                   absl::StrCat("terminated is ", terminated, " and truncated is ", truncated,
                                "; wanted 0 or 1, and at most one of them 1"));
  }
  return CheckObservations(environment, which);
}

}  // namespace cadre
