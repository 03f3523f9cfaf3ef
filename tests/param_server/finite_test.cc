#include "param_server/finite.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "tests/param_server/test_parameters.h"

namespace cadre {
namespace {

// Lengths around the blocks in which the values are looked at.
const int64_t kLengths[] = {1, 2, 1023, 1024, 1025, 2048, 5000};

TEST(FiniteTest, NumbersOfEveryKindAreFine) {
  const float limit = std::numeric_limits<float>::max();
  const float denormal = std::numeric_limits<float>::denorm_min();
  EXPECT_EQ(FirstNonFinite(ValuesBytes({0.0f, -0.0f, 1.5f, -limit, limit, denormal})), -1);
  EXPECT_EQ(FirstNonFinite(""), -1);
  for (const int64_t length : kLengths) {
    EXPECT_EQ(FirstNonFinite(ValuesBytes(std::vector<float>(length, -1.0f))), -1);
  }
}

TEST(FiniteTest, FindsTheFirstOfEachKindAtEachPlace) {
  const float infinity = std::numeric_limits<float>::infinity();
  for (const int64_t length : kLengths) {
    for (const float bad : {std::nanf(""), -std::nanf(""), infinity, -infinity}) {
      for (const int64_t at : {int64_t{0}, length / 2, length - 1}) {
        std::vector<float> values(length, 1.0f);
        values[at] = bad;
        values[length - 1] = bad;
        EXPECT_EQ(FirstNonFinite(ValuesBytes(values)), at) << length << " " << bad;
      }
    }
  }
}

TEST(FiniteTest, ValuesNeedNoAlignment) {
  const std::string bytes = "x" + ValuesBytes({1.0f, std::nanf("")});
  EXPECT_EQ(FirstNonFinite(absl::string_view(bytes).substr(1)), 1);
}

}  // namespace
}  // namespace cadre
