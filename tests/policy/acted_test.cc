#include "policy/acted.h"

#include <limits>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/policy/example_networks.h"

namespace cadre {
namespace {

using testing::HasSubstr;

absl::Span<const std::byte> Bytes(const std::vector<float>& values) {
  return {reinterpret_cast<const std::byte*>(values.data()), values.size() * sizeof(float)};
}

TEST(CheckActedTest, DivergenceIsNotAnInvalidArgument) {
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  const std::vector<float> good = {1, -2, 3e38f, 0}, bad = {1, 0, -kInfinity, 0};
  EXPECT_TRUE(CheckActed(ContinuousActions(2), Bytes(good), {}, 7).ok());
  EXPECT_TRUE(CheckActed(ContinuousActions(2), Bytes(good), {0, -5}, 7).ok());
  const absl::Status actions = CheckActed(ContinuousActions(2), Bytes(bad), {}, 7);
  EXPECT_EQ(actions.code(), absl::StatusCode::kDataLoss);
  EXPECT_THAT(std::string(actions.message()),
              HasSubstr("the policy of version 7 has diverged: action component 2 is -inf"));
  const absl::Status log_probs = CheckActed(ContinuousActions(2), Bytes(good), {0, -kInfinity}, 7);
  EXPECT_EQ(log_probs.code(), absl::StatusCode::kDataLoss);
  EXPECT_THAT(std::string(log_probs.message()), HasSubstr("log probability of action 1 is -inf"));
}

TEST(CheckActedTest, DiscreteActionsAreNumbersWhateverTheirBytesAre) {
  const std::vector<float> bytes = {std::numeric_limits<float>::quiet_NaN()};
  EXPECT_TRUE(CheckActed(DiscreteActions(2), Bytes(bytes), {-0.5f}, 1).ok());
  EXPECT_EQ(CheckActed(DiscreteActions(2), Bytes(bytes), {bytes[0]}, 1).code(),
            absl::StatusCode::kDataLoss);
}

}  // namespace
}  // namespace cadre
