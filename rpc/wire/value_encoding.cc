#include "rpc/wire/value_encoding.h"

#include <cstdint>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/kernels/kernels.h"

namespace cadre {

absl::Status WidenValues(v1::Parameters* parameters) {
  if (parameters->encoding() == v1::VALUE_ENCODING_FLOAT32) return absl::OkStatus();
  const std::string& from = parameters->values();
  if (parameters->encoding() != v1::VALUE_ENCODING_BFLOAT16 || from.size() % 2 != 0) {
    return absl::InvalidArgumentError(
        absl::StrCat("model '", parameters->model(), "': ", from.size(), " bytes in encoding ",
                     parameters->encoding(), "; wanted float32 or bfloat16"));
  }
  const size_t count = from.size() / sizeof(uint16_t);
  std::string values(count * sizeof(float), '\0');
  kernels::Best().from_bfloat16(static_cast<int64_t>(count),
                                reinterpret_cast<const uint16_t*>(from.data()),
                                reinterpret_cast<float*>(values.data()));
  parameters->set_values(std::move(values));
  parameters->set_encoding(v1::VALUE_ENCODING_FLOAT32);
  return absl::OkStatus();
}

}  // namespace cadre
