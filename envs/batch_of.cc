#include "envs/batch_of.h"

#include <cmath>
#include <string>

#include "absl/strings/str_cat.h"

namespace cadre {
namespace {

// Checks all of them before it looks for the culprit, so that the loop is short
// enough for the compiler to vectorise.
absl::Status CheckDiscrete(const ActionSpace& space, int64_t count, const std::byte* actions) {
  const int64_t choices = space.choices();
  for (int64_t k = 0; k < choices; ++k) {
    const auto at = [=](int64_t i) {
      int32_t action;
      std::memcpy(&action, actions + (i * choices + k) * sizeof(action), sizeof(action));
      return action;
    };
    const auto bound = static_cast<uint32_t>(space.counts[k]);
    bool valid = true;
    for (int64_t i = 0; i < count; ++i) valid &= static_cast<uint32_t>(at(i)) < bound;
    if (valid) continue;
    int64_t i = 0;
    while (static_cast<uint32_t>(at(i)) < bound) ++i;
    const std::string which = choices == 1 ? "" : absl::StrCat(" ", k);
    return absl::InvalidArgumentError(absl::StrCat("environment ", i, ": action", which, " is ",
                                                   at(i), "; wanted 0 to ", bound - 1));
  }
  return absl::OkStatus();
}

absl::Status CheckContinuous(const ActionSpace& space, int64_t count, const std::byte* actions) {
  for (int64_t i = 0; i < count * space.dimensions; ++i) {
    float value;
    std::memcpy(&value, actions + i * sizeof(value), sizeof(value));
    if (!std::isfinite(value)) {
      return absl::InvalidArgumentError(absl::StrCat("environment ", i / space.dimensions,
                                                     ": action component ", i % space.dimensions,
                                                     " is ", value, "; wanted a finite number"));
    }
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status CheckActions(const ActionSpace& space, int64_t count,
                          absl::Span<const std::byte> actions) {
  const int64_t wanted = count * space.bytes();
  if (static_cast<int64_t>(actions.size()) != wanted) {
    return absl::InvalidArgumentError(absl::StrCat("actions have ", actions.size(),
                                                   " bytes; wanted ", wanted, ", ", space.bytes(),
                                                   " for each of ", count, " environments"));
  }
  return space.discrete() ? CheckDiscrete(space, count, actions.data())
                          : CheckContinuous(space, count, actions.data());
}

}  // namespace cadre
