#include "policy/acting/acted.h"

#include <algorithm>
#include <cmath>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "common/check.h"
#include "common/experience/finite_values.h"
#include "common/tensor_view.h"

namespace cadre {
namespace {

constexpr char kOf[] = ", learned from ";
constexpr char kDiverged[] = " steps, has diverged: ";

absl::Status Diverged(const ActedBy& policy, absl::string_view what,
                      absl::Span<const float> values) {
  int64_t at = 0;
  while (std::isfinite(values[at])) ++at;
  return absl::DataLossError(absl::StrCat(
      "the policy of version ", policy.version, kOf, policy.env_steps, kDiverged, what, " ", at,
      " is ", values[at],
      ". Lower the learning rate or the entropy coefficient, or clip the gradient, and go on from "
      "a checkpoint of fewer steps"));
}

}  // namespace

absl::Status CheckActed(const ActionSpace& space, absl::Span<const std::byte> actions,
                        absl::Span<const float> log_probs, const ActedBy& policy) {
  if (!space.discrete()) {
    const absl::Span<const float> components = ColumnAs<float>(actions);
    if (!AllFinite(components)) return Diverged(policy, "action component", components);
  }
  if (!AllFinite(log_probs)) return Diverged(policy, "the log probability of action", log_probs);
  return absl::OkStatus();
}

absl::Status CheckMasks(const ActionSpace& space, absl::string_view environment_id,
                        ShownBlocks shown, absl::Span<const int64_t> steps) {
  if (!space.masked) return absl::OkStatus();
  absl::Span<const uint8_t> mask = ColumnAs<uint8_t>(shown.back());
  CADRE_CHECK(static_cast<int64_t>(mask.size()) ==
              static_cast<int64_t>(steps.size()) * space.alternatives());
  for (size_t i = 0; i < steps.size(); ++i) {
    for (int64_t k = 0; k < space.choices(); ++k) {
      const absl::Span<const uint8_t> own = mask.first(space.counts[k]);
      mask.remove_prefix(own.size());
      if (std::any_of(own.begin(), own.end(), [](uint8_t allowed) { return allowed != 0; }))
        continue;
      return absl::InvalidArgumentError(
          absl::StrCat("environment ", i, " of '", environment_id, "', after ", steps[i],
                       " steps of its episode: ", kMaskColumn, " allows nothing of choice ", k,
                       "; wanted at least one of ", own.size()));
    }
  }
  return absl::OkStatus();
}

std::optional<int64_t> DivergedAt(absl::string_view message) {
  const size_t end = message.find(kDiverged);
  const size_t of = message.substr(0, end).rfind(kOf);
  if (end == message.npos || of == message.npos) return std::nullopt;
  const size_t begin = of + sizeof(kOf) - 1;
  int64_t env_steps;
  if (!absl::SimpleAtoi(message.substr(begin, end - begin), &env_steps)) return std::nullopt;
  return env_steps;
}

}  // namespace cadre
