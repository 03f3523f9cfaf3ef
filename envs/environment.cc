#include "envs/environment.h"

#include "absl/strings/str_cat.h"

namespace cadre {

absl::Status Environment::SetState(absl::Span<const double> /*state*/,
                                   ObservationRow /*observation*/) {
  return absl::UnimplementedError(
      absl::StrCat("environment '", spec().id, "' has no state that can be set"));
}

absl::Status CheckStateSize(const EnvironmentSpec& spec, absl::Span<const double> state,
                            size_t wanted) {
  if (state.size() == wanted) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat("environment '", spec.id, "': the state has ",
                                                 state.size(), " numbers; wanted ", wanted));
}

}  // namespace cadre
