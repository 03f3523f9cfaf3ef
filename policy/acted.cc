#include "policy/acted.h"

#include <cmath>

#include "absl/strings/str_cat.h"
#include "common/finite_values.h"
#include "common/tensor_view.h"

namespace cadre {
namespace {

absl::Status Diverged(int64_t version, absl::string_view what, absl::Span<const float> values) {
  int64_t at = 0;
  while (std::isfinite(values[at])) ++at;
  return absl::DataLossError(absl::StrCat(
      "the policy of version ", version, " has diverged: ", what, " ", at, " is ", values[at],
      ". Lower the learning rate or the entropy coefficient, or clip the gradient"));
}

}  // namespace

absl::Status CheckActed(const ActionSpace& space, absl::Span<const std::byte> actions,
                        absl::Span<const float> log_probs, int64_t version) {
  if (!space.discrete()) {
    const absl::Span<const float> components = ColumnAs<float>(actions);
    if (!AllFinite(components)) return Diverged(version, "action component", components);
  }
  if (!AllFinite(log_probs)) return Diverged(version, "the log probability of action", log_probs);
  return absl::OkStatus();
}

}  // namespace cadre
