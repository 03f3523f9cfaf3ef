#include "policy/acting/acted.h"

#include <limits>
#include <optional>
#include <string>
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
  EXPECT_TRUE(CheckActed(ContinuousActions(2), Bytes(good), {}, {7, 640}).ok());
  EXPECT_TRUE(CheckActed(ContinuousActions(2), Bytes(good), {0, -5}, {7, 640}).ok());
  const absl::Status actions = CheckActed(ContinuousActions(2), Bytes(bad), {}, {7, 640});
  EXPECT_EQ(actions.code(), absl::StatusCode::kDataLoss);
  EXPECT_THAT(std::string(actions.message()),
              HasSubstr("the policy of version 7, learned from 640 steps, has diverged: action "
                        "component 2 is -inf"));
  const absl::Status log_probs =
      CheckActed(ContinuousActions(2), Bytes(good), {0, -kInfinity}, {7, 640});
  EXPECT_EQ(log_probs.code(), absl::StatusCode::kDataLoss);
  EXPECT_THAT(std::string(log_probs.message()), HasSubstr("log probability of action 1 is -inf"));
}

TEST(CheckActedTest, DiscreteActionsAreNumbersWhateverTheirBytesAre) {
  const std::vector<float> bytes = {std::numeric_limits<float>::quiet_NaN()};
  EXPECT_TRUE(CheckActed(DiscreteActions(2), Bytes(bytes), {-0.5f}, {1, 64}).ok());
  EXPECT_EQ(CheckActed(DiscreteActions(2), Bytes(bytes), {bytes[0]}, {1, 64}).code(),
            absl::StatusCode::kDataLoss);
}

TEST(CheckActedTest, TheStepsCanBeReadFromTheMessage) {
  const std::vector<float> bad = {1, std::numeric_limits<float>::quiet_NaN()};
  const std::string message(CheckActed(ContinuousActions(2), Bytes(bad), {}, {7, 640}).message());
  EXPECT_EQ(DivergedAt(message), 640);
  EXPECT_EQ(DivergedAt("actor 1, learned from nobody, exited with status 5: " + message), 640);
  for (const char* other : {"", "has diverged", ", learned from 5", " steps, has diverged: x",
                            ", learned from x steps, has diverged: x"})
    EXPECT_EQ(DivergedAt(other), std::nullopt) << other;
}

TEST(CheckMasksTest, AMaskThatAllowsNothingIsNamed) {
  ActionSpace space = ActionSpace::MultiDiscrete({2, 3});
  const std::vector<float> observations(3);
  const std::vector<uint8_t> good = {1, 0, 0, 0, 1, 0, 1, 1, 1, 1, 1, 1, 1, 0, 0};
  std::vector<uint8_t> bad = good;
  bad[7] = bad[8] = bad[9] = 0;
  const auto check = [&](const std::vector<uint8_t>& mask) {
    return CheckMasks(
        space, "Doors-v0",
        {Bytes(observations), {reinterpret_cast<const std::byte*>(mask.data()), mask.size()}},
        {4, 17, 0});
  };
  EXPECT_TRUE(check(bad).ok()) << "it is not masked";
  space.masked = true;
  EXPECT_TRUE(check(good).ok());
  EXPECT_EQ(check(bad), absl::InvalidArgumentError(
                            "environment 1 of 'Doors-v0', after 17 steps of its episode: "
                            "action_mask allows nothing of choice 1; wanted at least one of 3"));
}

}  // namespace
}  // namespace cadre
