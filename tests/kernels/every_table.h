// For tests of the kernels: every table that this processor runs, and errors in ulp.
#pragma once

#include <cmath>
#include <cstdint>
#include <limits>
#include <string>
#include <vector>

#include "common/kernels/kernels.h"
#include "common/random.h"
#include "gtest/gtest.h"

namespace cadre::kernels {

constexpr float kCanary = 123456.0f;
constexpr float kInfinity = std::numeric_limits<float>::infinity();
constexpr float kNaN = std::numeric_limits<float>::quiet_NaN();

inline std::vector<float> Normals(int64_t n, Random& random) {
  std::vector<float> values(n);
  for (float& value : values) value = static_cast<float>(random.Normal());
  return values;
}

inline std::vector<const KernelTable*> Tables() {
  std::vector<const KernelTable*> tables;
  while (const KernelTable* table = Supported(static_cast<int>(tables.size())))
    tables.push_back(table);
  return tables;
}

// A test suite that runs once for each table:
//   class ConvTest : public EveryTableTest {};
//   INSTANTIATE_FOR_EVERY_TABLE(ConvTest);
class EveryTableTest : public testing::TestWithParam<const KernelTable*> {
 protected:
  const KernelTable& table() const { return *GetParam(); }
};

#define INSTANTIATE_FOR_EVERY_TABLE(Suite)                                 \
  INSTANTIATE_TEST_SUITE_P(EveryTable, Suite, testing::ValuesIn(Tables()), \
                           [](const auto& info) { return std::string(info.param->name); })

// Images [.., channels, n] in the other layout: pixels if they are planes, else planes.
template <typename T>
std::vector<T> Turned(const std::vector<T>& values, int64_t channels, int64_t n, bool to_pixels) {
  std::vector<T> turned = values;  // With what is left over past the last image.
  for (int64_t image = 0; image + channels * n <= static_cast<int64_t>(values.size());
       image += channels * n)
    for (int64_t c = 0; c < channels; ++c)
      for (int64_t i = 0; i < n; ++i) {
        const int64_t plane = image + c * n + i, pixel = image + i * channels + c;
        if (to_pixels)
          turned[pixel] = values[plane];
        else
          turned[plane] = values[pixel];
      }
  return turned;
}

// In units in the last place of `exact` as float32.
inline double UlpError(float got, double exact) {
  const float nearest = std::abs(static_cast<float>(exact));
  const double ulp = static_cast<double>(std::nextafter(nearest, kInfinity)) - nearest;
  return std::abs(got - exact) / ulp;
}

}  // namespace cadre::kernels
