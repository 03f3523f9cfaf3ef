#include "common/experience/finite_values.h"

#include <cstring>
#include <limits>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace cadre {
namespace {

v1::ColumnSpec Column(v1::DType dtype, std::vector<int64_t> shape) {
  v1::ColumnSpec column;
  column.set_name("obs");
  column.set_dtype(dtype);
  column.mutable_shape()->Add(shape.begin(), shape.end());
  return column;
}

template <typename T>
std::vector<std::byte> BytesOf(const std::vector<T>& values) {
  std::vector<std::byte> bytes(values.size() * sizeof(T));
  std::memcpy(bytes.data(), values.data(), bytes.size());
  return bytes;
}

template <typename T>
class FiniteValuesTest : public ::testing::Test {};
using Floats = ::testing::Types<float, double>;
TYPED_TEST_SUITE(FiniteValuesTest, Floats);

TYPED_TEST(FiniteValuesTest, FindsABadValueAnywhereHoweverTheBytesAreCut) {
  using T = TypeParam;
  const v1::ColumnSpec column = Column(sizeof(T) == 4 ? v1::DTYPE_FLOAT32 : v1::DTYPE_FLOAT64, {3});
  const T bads[] = {std::numeric_limits<T>::quiet_NaN(), std::numeric_limits<T>::infinity(),
                    -std::numeric_limits<T>::infinity()};
  for (int64_t at = 0; at < 300; at += 41)
    for (const T bad : bads)
      for (const size_t piece : {1, 5, 7, 64, 100'000}) {
        std::vector<T> values(300, std::numeric_limits<T>::max());
        values[1] = -std::numeric_limits<T>::denorm_min();
        const std::vector<std::byte> good = BytesOf(values);
        values[at] = bad;
        const std::vector<std::byte> bytes = BytesOf(values);
        PiecewiseBytes pieces, good_pieces;
        for (size_t begin = 0; begin < bytes.size(); begin += piece) {
          pieces.push_back(absl::MakeConstSpan(bytes).subspan(begin, piece));
          good_pieces.push_back(absl::MakeConstSpan(good).subspan(begin, piece));
        }
        ASSERT_TRUE(CheckFinite(column, good_pieces).ok());
        const absl::Status status = CheckFinite(column, pieces);
        ASSERT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << at << ", " << piece;
        ASSERT_EQ(status.message(), absl::StrCat("column 'obs', row ", at / 3, ", value ", at % 3,
                                                 " is ", bad, "; wanted a finite number"));
      }
}

TEST(FiniteValuesOfRolloutTest, WholeNumbersAreNotLookedAt) {
  const std::vector<std::byte> ones(64, std::byte{0xff});
  for (const v1::DType dtype : {v1::DTYPE_UINT8, v1::DTYPE_INT32, v1::DTYPE_INT64})
    EXPECT_TRUE(CheckFinite(Column(dtype, {}), {absl::MakeConstSpan(ones)}).ok());
}

TEST(FiniteValuesOfRolloutTest, EpisodesAreLookedAt) {
  std::vector<v1::Episode> episodes(2);
  EXPECT_TRUE(CheckFiniteRollout({}, {}, episodes).ok());
  episodes[1].set_total_reward(std::numeric_limits<double>::quiet_NaN());
  EXPECT_THAT(std::string(CheckFiniteRollout({}, {}, episodes).message()),
              testing::StartsWith("episode 1 has a total reward of nan"));
}

TEST(FiniteValuesOfRolloutTest, AllFinite) {
  std::vector<float> values(1000, 1);
  EXPECT_TRUE(AllFinite(values));
  EXPECT_TRUE(AllFinite({}));
  values[999] = std::numeric_limits<float>::infinity();
  EXPECT_FALSE(AllFinite(values));
}

}  // namespace
}  // namespace cadre
