#include "policy/published_values.h"

#include <cstdint>
#include <cstring>
#include <string>

#include "absl/strings/str_format.h"

namespace cadre {

absl::StatusOr<std::vector<float>> PublishedValues(const v1::Parameters& parameters,
                                                   const ParameterLayout& layout) {
  const std::string& bytes = parameters.values();
  const int64_t got = static_cast<int64_t>(bytes.size() / sizeof(float));
  if (got != layout.size() || bytes.size() % sizeof(float) != 0 ||
      parameters.layout_fingerprint() != layout.fingerprint())
    return absl::FailedPreconditionError(absl::StrFormat(
        "model '%s' version %d has %d parameters of layout %x; this config's network has %d of "
        "layout %x",
        parameters.model(), parameters.version(), got, parameters.layout_fingerprint(),
        layout.size(), layout.fingerprint()));
  std::vector<float> values(got);
  std::memcpy(values.data(), bytes.data(), bytes.size());
  return values;
}

}  // namespace cadre
