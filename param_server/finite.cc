#include "param_server/finite.h"

#include <algorithm>
#include <cstring>

namespace cadre {
namespace {

// IEEE 754: infinite or NaN where all bits of the exponent are set.
constexpr uint32_t kExponent = 0x7F800000u;
constexpr size_t kBlock = 1024;  // Values; constant, so that the loop becomes vectors.

bool IsNonFinite(uint32_t bits) { return (bits & kExponent) == kExponent; }

bool AnyNonFinite(const uint32_t (&block)[kBlock]) {
  uint32_t any = 0;
  for (size_t i = 0; i < kBlock; ++i) any |= IsNonFinite(block[i]) ? 1u : 0u;
  return any != 0;
}

}  // namespace

int64_t FirstNonFinite(absl::string_view values) {
  const size_t count = values.size() / sizeof(uint32_t);
  uint32_t block[kBlock];  // A copy, as `values` need not be aligned.
  for (size_t start = 0; start < count; start += kBlock) {
    const size_t length = std::min(kBlock, count - start);
    std::memcpy(block, values.data() + start * sizeof(uint32_t), length * sizeof(uint32_t));
    std::fill(block + length, block + kBlock, 0u);
    if (!AnyNonFinite(block)) continue;
    return start + (std::find_if(block, block + length, IsNonFinite) - block);
  }
  return -1;
}

}  // namespace cadre
