#include "rpc/client/replay_source_options.h"

#include <cmath>
#include <limits>

#include "absl/strings/str_cat.h"
#include "common/experience/experience_spec.h"

namespace cadre {
namespace {

constexpr int kMostPrefetch = 64;

}  // namespace

absl::Status ValidateReplaySourceOptions(const ReplaySourceOptions& options) {
  if (options.prefetch < 1 || options.prefetch > kMostPrefetch)
    return absl::InvalidArgumentError(
        absl::StrCat("prefetch: got ", options.prefetch, "; wanted 1 to ", kMostPrefetch));
  return ValidateSpec(options.spec);
}

absl::Status ValidateSampleOptions(const SampleOptions& options) {
  constexpr int64_t kMostItems = std::numeric_limits<int32_t>::max();
  if (options.items >= 0 && options.items <= kMostItems) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat("a sample of ", options.items, " items; wanted 0 to ", kMostItems));
}

absl::Status ValidatePriorities(absl::Span<const uint64_t> keys,
                                absl::Span<const float> priorities) {
  if (keys.size() != priorities.size())
    return absl::InvalidArgumentError(absl::StrCat("got ", priorities.size(), " priorities for ",
                                                   keys.size(), " keys; wanted as many"));
  for (size_t i = 0; i < priorities.size(); ++i)
    if (!std::isfinite(priorities[i]) || priorities[i] < 0)
      return absl::InvalidArgumentError(
          absl::StrCat("priority ", i, " is ", priorities[i], "; wanted a finite number >= 0"));
  return absl::OkStatus();
}

}  // namespace cadre
