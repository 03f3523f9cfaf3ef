#include "envs/vector_environment.h"

#include "absl/strings/str_cat.h"

namespace cadre {

absl::Status VectorEnvironment::StepSome(absl::Span<const std::byte> /*actions*/,
                                         absl::Span<const uint8_t> /*stepped*/) {
  return absl::UnimplementedError(
      absl::StrCat("environments of '", spec().id, "' can only be stepped all together"));
}

absl::Status VectorEnvironment::Restart(absl::Span<const uint8_t> /*restarted*/) {
  return absl::UnimplementedError(
      absl::StrCat("an episode of '", spec().id, "' cannot be given up before its end"));
}

absl::Status VectorEnvironment::SetState(int64_t /*index*/, absl::Span<const double> /*state*/) {
  return absl::UnimplementedError(
      absl::StrCat("environment '", spec().id, "' has no state that can be set"));
}

}  // namespace cadre
