#include "policy/acting/action_range.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <string>
#include <utility>
#include <vector>

#include "common/tensor_view.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/policy/example_networks.h"

namespace cadre {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

ActionSpace Bounded(std::vector<float> low, std::vector<float> high) {
  ActionSpace space = ContinuousActions(static_cast<int64_t>(low.size()));
  space.low = std::move(low);
  space.high = std::move(high);
  return space;
}

TEST(ActionRangeTest, MinusOneAndOneAreTheBounds) {
  const auto range = ActionRange::Create(Bounded({-2, 0}, {2, 10}));
  ASSERT_TRUE(range.ok());
  std::vector<float> actions = {-1, -1, /**/ 1, 1, /**/ 0, 0.5, /**/ -3, 7};
  range->ToBounds(actions, absl::MakeSpan(actions));
  EXPECT_THAT(actions, ElementsAre(-2, 0, 2, 10, 0, 7.5, -2, 10));
}

TEST(ActionRangeTest, RoundingDoesNotLeadOut) {
  Random random(2);
  constexpr float kMax = std::numeric_limits<float>::max();
  std::vector<std::pair<float, float>> bounds = {{-kMax, kMax}};
  for (int i = 0; i < 1000; ++i) {
    const auto low = static_cast<float>(random.Normal());
    bounds.emplace_back(low, low + 0.001f + random.UniformFloat());
  }
  for (const auto& [low, high] : bounds) {
    const auto range = ActionRange::Create(Bounded({low}, {high}));
    ASSERT_TRUE(range.ok());
    std::vector<float> actions = {-1, 1, random.UniformFloat()};
    range->ToBounds(actions, absl::MakeSpan(actions));
    for (const float action : actions) {
      EXPECT_GE(action, low);
      EXPECT_LE(action, high);
    }
  }
}

TEST(ActionRangeTest, BoundsThatAreNoRangeAreRefused) {
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  const auto range = ActionRange::Create(Bounded({-1, -1}, {1, kInfinity}));
  EXPECT_EQ(range.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(range.status().message()),
              HasSubstr("dimension 1 of the action: got bounds -1 and inf; wanted finite ones"));
  EXPECT_FALSE(ActionRange::Create(Bounded({-1, 3}, {1, 3})).ok());
}

// A chi-square of 9 degrees of freedom is less with p = 0.999.
constexpr double kChiSquare9 = 27.9;

double ChiSquareUniform(const std::vector<int>& counts, double total) {
  const double expected = total / static_cast<double>(counts.size());
  double chi_square = 0;
  for (const int count : counts) chi_square += (count - expected) * (count - expected) / expected;
  return chi_square;
}

TEST(DrawUniformActionsTest, DiscreteOnesAreEquallyFrequent) {
  Random random(8);
  std::vector<std::byte> bytes(4 * 50'000);
  DrawUniformActions(DiscreteActions(10), {}, random, absl::MakeSpan(bytes));
  std::vector<int32_t> actions(50'000);
  std::memcpy(actions.data(), bytes.data(), bytes.size());
  std::vector<int> counts(10);
  for (const int32_t action : actions) ++counts.at(action);
  EXPECT_LT(ChiSquareUniform(counts, 50'000), kChiSquare9);
}

TEST(DrawUniformActionsTest, ContinuousOnesFillTheirBounds) {
  Random random(8);
  const ActionSpace space = Bounded({-2, 0}, {2, 10});
  std::vector<std::byte> bytes(8 * 50'000);
  DrawUniformActions(space, {}, random, absl::MakeSpan(bytes));
  std::vector<float> actions(2 * 50'000);
  std::memcpy(actions.data(), bytes.data(), bytes.size());
  std::vector<int> counts[2] = {std::vector<int>(10), std::vector<int>(10)};
  for (size_t i = 0; i < actions.size(); ++i) {
    const size_t a = i % 2;
    ASSERT_GE(actions[i], space.low[a]);
    ASSERT_LE(actions[i], space.high[a]);
    const double share = (actions[i] - space.low[a]) / (space.high[a] - space.low[a]);
    ++counts[a][std::min(9, static_cast<int>(10 * share))];
  }
  EXPECT_LT(ChiSquareUniform(counts[0], 50'000), kChiSquare9);
  EXPECT_LT(ChiSquareUniform(counts[1], 50'000), kChiSquare9);
}

TEST(DrawUniformActionsTest, EachChoiceIsAmongWhatItsMaskAllows) {
  constexpr int64_t kRows = 30'000;
  const ActionSpace space = ActionSpace::MultiDiscrete({3, 2});
  std::vector<uint8_t> mask;
  for (int64_t r = 0; r < kRows; ++r) mask.insert(mask.end(), {1, 0, 1, 0, 1});
  std::vector<std::byte> bytes(kRows * space.bytes());
  Random random(2);
  DrawUniformActions(space, mask, random, absl::MakeSpan(bytes));
  const absl::Span<const int32_t> actions = ColumnAs<int32_t>(bytes);
  int64_t twos = 0;
  for (int64_t r = 0; r < kRows; ++r) {
    ASSERT_TRUE(actions[2 * r] == 0 || actions[2 * r] == 2);
    ASSERT_EQ(actions[2 * r + 1], 1);
    twos += actions[2 * r] == 2;
  }
  EXPECT_NEAR(static_cast<double>(twos) / kRows, 0.5, 0.02);
  DrawUniformActions(space, {}, random, absl::MakeSpan(bytes));
  EXPECT_NE(std::count(actions.begin(), actions.end(), 1), kRows) << "all are drawn without one";
}

}  // namespace
}  // namespace cadre
