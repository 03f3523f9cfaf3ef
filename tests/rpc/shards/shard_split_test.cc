#include "rpc/shards/shard_split.h"

#include <cmath>
#include <numeric>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace cadre {
namespace {

using ::testing::ElementsAre;

TEST(ShardSplitTest, TheSplitIsTheShareRoundedAndExactInExpectation) {
  const std::vector<double> masses = {1, 0, 2.5, 1e-3, 6};
  const double total = std::accumulate(masses.begin(), masses.end(), 0.0);
  Random random(3);
  constexpr int kTrials = 20'000;
  constexpr int64_t kItems = 13;
  std::vector<int64_t> sums(masses.size(), 0);
  for (int trial = 0; trial < kTrials; ++trial) {
    const std::vector<int64_t> split = SplitByMass(kItems, masses, random);
    ASSERT_EQ(std::accumulate(split.begin(), split.end(), int64_t{0}), kItems);
    for (size_t i = 0; i < masses.size(); ++i) {
      const double share = kItems * masses[i] / total;
      ASSERT_GE(split[i], std::floor(share));
      ASSERT_LE(split[i], std::ceil(share));
      sums[i] += split[i];
    }
  }
  for (size_t i = 0; i < masses.size(); ++i) {
    const double share = kItems * masses[i] / total;
    const double part = share - std::floor(share);
    const double deviation = std::sqrt(part * (1 - part) / kTrials);
    EXPECT_NEAR(static_cast<double>(sums[i]) / kTrials, share, 4 * deviation + 1e-12) << i;
  }
}

TEST(ShardSplitTest, NothingIsAskedOfShardsWithoutMass) {
  Random random(1);
  EXPECT_THAT(SplitByMass(10, {0, 0}, random), ElementsAre(0, 0));
  EXPECT_THAT(SplitByMass(10, {0, 1e-300, 0}, random), ElementsAre(0, 10, 0));
  EXPECT_THAT(SplitByMass(0, {1, 2}, random), ElementsAre(0, 0));
}

TEST(ShardSplitTest, ImportanceWeightsByHand) {
  const std::vector<float> probabilities = {0.01f, 0.04f, 0.25f};
  std::vector<float> weights(3);
  SetImportanceWeights(100, probabilities, 0.5, absl::MakeSpan(weights));
  // (100 * 0.01)^-0.5 = 1, 0.5, 0.2.
  EXPECT_NEAR(weights[0], 1.0, 1e-6);
  EXPECT_NEAR(weights[1], 0.5, 1e-6);
  EXPECT_NEAR(weights[2], 0.2, 1e-6);
  SetImportanceWeights(100, probabilities, 0, absl::MakeSpan(weights));
  EXPECT_THAT(weights, ElementsAre(1, 1, 1));
}

TEST(ShardSplitTest, NamesLeadBackToTheirShards) {
  ShardKeys keys(4);
  std::vector<uint64_t> first = {7, 8}, second = {7, 9};
  keys.Name(0, absl::MakeSpan(first));
  keys.Name(3, absl::MakeSpan(second));
  EXPECT_EQ(keys.Find(first[0])->shard, 0);
  EXPECT_EQ(keys.Find(first[0])->key, 7);
  EXPECT_EQ(keys.Find(second[1])->shard, 3);
  EXPECT_EQ(keys.Find(second[1])->key, 9);
  std::vector<uint64_t> third = {1};
  keys.Name(1, absl::MakeSpan(third));
  EXPECT_FALSE(keys.Find(first[0]).has_value());  // Too old.
  EXPECT_EQ(keys.Find(first[1])->key, 8);
  EXPECT_FALSE(keys.Find(5).has_value());  // Never given.
}

}  // namespace
}  // namespace cadre
