#include "policy/normalization.h"

#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/policy/example_networks.h"

namespace cadre {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

NormalizationConfig Config(bool observations, bool rewards, double clip = 10) {
  NormalizationConfig config;
  config.set_observations(observations);
  config.set_rewards(rewards);
  config.set_clip(clip);
  return config;
}

TEST(RunningMomentsTest, BatchesOfAnySizeGiveWhatTwoPassesOverAllRowsGive) {
  constexpr int64_t kSize = 3;
  Random random(1);
  std::vector<float> rows = RandomFloats(kSize * 1000, random);
  for (size_t i = 0; i < rows.size(); i += kSize) {
    rows[i] = rows[i] * 0.01f + 1000.0f;  // The squares of sums would lose it.
    rows[i + 1] *= 50;
  }
  RunningMoments moments(kSize);
  size_t begin = 0;
  for (const size_t batch : {1, 1, 7, 0, 13, 500, 478}) {
    moments.Update(absl::MakeConstSpan(rows).subspan(begin * kSize, batch * kSize));
    begin += batch;
  }
  ASSERT_EQ(begin, 1000);
  EXPECT_EQ(moments.count(), 1000);
  for (int64_t j = 0; j < kSize; ++j) {
    double mean = 0, variance = 0;
    for (size_t i = j; i < rows.size(); i += kSize) mean += rows[i] / 1000.0;
    for (size_t i = j; i < rows.size(); i += kSize)
      variance += (rows[i] - mean) * (rows[i] - mean) / 1000.0;
    EXPECT_NEAR(moments.mean()[j], mean, 1e-12 * std::abs(mean) + 1e-12);
    EXPECT_NEAR(moments.variance()[j], variance, 1e-9 * variance);
  }
}

TEST(RunningMomentsTest, ByHand) {
  RunningMoments moments(1);
  EXPECT_THAT(moments.variance(), ElementsAre(1));  // Before the first row.
  moments.Update(std::vector<float>{2});
  EXPECT_THAT(moments.mean(), ElementsAre(2));
  EXPECT_THAT(moments.variance(), ElementsAre(0));
  moments.Update(std::vector<float>{4, 6});
  EXPECT_THAT(moments.mean(), ElementsAre(4));
  EXPECT_THAT(moments.variance(), ElementsAre(testing::DoubleNear(8.0 / 3, 1e-15)));
}

TEST(RunningMomentsTest, AWeightIsHowOftenARowCounts) {
  Random random(6);
  const std::vector<float> rows = RandomFloats(2 * 5, random, 3);
  const std::vector<float> weights = {2, 0, 1, 3, 1};
  std::vector<float> repeated;
  for (size_t i = 0; i < weights.size(); ++i)
    for (int k = 0; k < static_cast<int>(weights[i]); ++k)
      repeated.insert(repeated.end(), rows.begin() + 2 * i, rows.begin() + 2 * i + 2);
  const RowMoments got = MomentsOf(rows, 2, weights), wanted = MomentsOf(repeated, 2);
  EXPECT_EQ(got.count, 7);
  for (int j = 0; j < 2; ++j) {
    EXPECT_NEAR(got.mean[j], wanted.mean[j], 1e-12);
    EXPECT_NEAR(got.squares[j], wanted.squares[j], 1e-12);
  }
}

TEST(RunningMomentsTest, ALimitedCountMakesNewerRowsCountForMore) {
  RunningMoments moments(1);
  moments.Update(std::vector<float>(100, 0.0f));
  moments.LimitCount(1);
  moments.Update(std::vector<float>{4});
  EXPECT_THAT(moments.mean(), ElementsAre(2));
  EXPECT_THAT(moments.variance(), ElementsAre(4));
  moments.LimitCount(10);
  EXPECT_EQ(moments.count(), 2);
}

TEST(RunningMomentsTest, GoesOnFromRestoredMomentsBitForBit) {
  Random random(2);
  RunningMoments moments(5);
  moments.Update(RandomFloats(5 * 37, random));
  RunningMoments restored(5);
  restored.Set(moments.count(), moments.mean(), moments.variance());
  for (int i = 0; i < 20; ++i) {
    const std::vector<float> rows = RandomFloats(5 * (3 + i), random);
    moments.Update(rows);
    restored.Update(rows);
    ASSERT_EQ(restored.mean(), moments.mean());
    ASSERT_EQ(restored.variance(), moments.variance());
  }
}

TEST(ObservationTransformTest, CentresScalesAndClips) {
  const ObservationTransform transform(std::vector<double>{1, -2}, std::vector<double>{4, 0.25}, 3);
  EXPECT_FALSE(transform.identity());
  std::vector<float> out(8);
  transform.Apply(std::vector<float>{1, -2, 3, -1, 100, -100, -100, 100}, absl::MakeSpan(out));
  EXPECT_THAT(out, testing::Pointwise(testing::FloatNear(1e-6f),
                                      std::vector<float>{0, 0, 1, 2, 3, -3, -3, 3}));
}

TEST(ObservationTransformTest, WorksInPlace) {
  const ObservationTransform transform(std::vector<double>{1}, std::vector<double>{4}, 10);
  std::vector<float> rows = {5, 3, 1};
  transform.Apply(rows, absl::MakeSpan(rows));
  EXPECT_THAT(rows, testing::Pointwise(testing::FloatNear(1e-6f), std::vector<float>{2, 1, 0}));
}

TEST(ObservationTransformTest, TheIdentityCopies) {
  const ObservationTransform identity;
  EXPECT_TRUE(identity.identity());
  std::vector<float> out(2);
  identity.Apply(std::vector<float>{1e9f, -5}, absl::MakeSpan(out));
  EXPECT_THAT(out, ElementsAre(1e9f, -5));
}

TEST(ObservationTransformTest, AnElementThatNeverVariedStaysFinite) {
  Normalizer normalizer(Config(true, false), 1);
  normalizer.UpdateObservations(std::vector<float>(10, 7.0f));
  std::vector<float> rows = {7.0f, 8.0f};
  normalizer.observation_transform().Apply(rows, absl::MakeSpan(rows));
  EXPECT_EQ(rows[0], 0);
  EXPECT_EQ(rows[1], 10);  // Clipped.
}

TEST(NormalizerTest, DoesNothingThatTheConfigDoesNotAskFor) {
  Normalizer normalizer(Config(false, false), 2);
  normalizer.UpdateObservations(std::vector<float>{1, 2, 3, 4});
  normalizer.UpdateReturns(std::vector<float>{1, 2});
  EXPECT_TRUE(normalizer.observation_transform().identity());
  std::vector<float> rewards = {100, -100};
  normalizer.NormalizeRewards(absl::MakeSpan(rewards));
  EXPECT_THAT(rewards, ElementsAre(100, -100));
  v1::Parameters parameters;
  normalizer.AddTo(parameters);
  EXPECT_EQ(parameters.statistics_size(), 0);
  EXPECT_TRUE(normalizer.Restore(parameters).ok());
}

TEST(NormalizerTest, RewardsAreDividedByTheDeviationOfReturnsAndKeepTheirMean) {
  Normalizer normalizer(Config(false, true, 2), 1);
  normalizer.UpdateReturns(std::vector<float>{10, 14, 10, 14});  // Deviation 2, mean 12.
  std::vector<float> rewards = {1, -3, 0, 50, -50};
  normalizer.NormalizeRewards(absl::MakeSpan(rewards));
  EXPECT_THAT(rewards, testing::Pointwise(testing::FloatNear(1e-6f),
                                          std::vector<float>{0.5, -1.5, 0, 2, -2}));
}

TEST(NormalizerTest, BeforeTheFirstStatisticsItIsTheIdentity) {
  const Normalizer normalizer(Config(true, true), 2);
  EXPECT_TRUE(normalizer.observation_transform().identity());
  std::vector<float> rewards = {300};
  normalizer.NormalizeRewards(absl::MakeSpan(rewards));
  EXPECT_THAT(rewards, ElementsAre(300));
}

TEST(NormalizerTest, TravelsThroughAPublicationBitForBit) {
  Random random(4);
  Normalizer normalizer(Config(true, true), 4);
  normalizer.UpdateObservations(RandomFloats(4 * 31, random));
  normalizer.UpdateReturns(RandomFloats(17, random));
  v1::Parameters parameters;
  normalizer.AddTo(parameters);

  Normalizer restored(Config(true, true), 4);
  ASSERT_TRUE(restored.Restore(parameters).ok());
  const std::vector<float> observations = RandomFloats(4 * 9, random);
  normalizer.UpdateObservations(observations);
  restored.UpdateObservations(observations);
  v1::Parameters after, restored_after;
  normalizer.AddTo(after);
  restored.AddTo(restored_after);
  EXPECT_EQ(after.SerializeAsString(), restored_after.SerializeAsString());

  // What an actor applies is the same, too, and asks for no reward statistics.
  const auto transform = TransformFrom(parameters, Config(true, true), 4);
  ASSERT_TRUE(transform.ok());
  Normalizer again(Config(true, true), 4);
  ASSERT_TRUE(again.Restore(parameters).ok());
  std::vector<float> ours(observations.size()), theirs(observations.size());
  transform->Apply(observations, absl::MakeSpan(ours));
  again.observation_transform().Apply(observations, absl::MakeSpan(theirs));
  EXPECT_EQ(ours, theirs);
}

TEST(NormalizerTest, MissingOrBadStatisticsAreDataLoss) {
  Normalizer normalizer(Config(true, false), 2);
  v1::Parameters parameters;
  parameters.set_model("m");
  parameters.set_version(7);
  absl::Status status = normalizer.Restore(parameters);
  EXPECT_EQ(status.code(), absl::StatusCode::kDataLoss);
  EXPECT_THAT(std::string(status.message()),
              HasSubstr("version 7 of model 'm' carries no statistic 'observation.count'"));

  normalizer.AddTo(parameters);
  ASSERT_TRUE(normalizer.Restore(parameters).ok());
  status = TransformFrom(parameters, Config(true, false), 3).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kDataLoss);
  EXPECT_THAT(std::string(status.message()),
              HasSubstr("statistic 'observation.mean' has 2 values; wanted 3"));

  for (const double bad : {-1.0, std::numeric_limits<double>::quiet_NaN()}) {
    parameters.mutable_statistics(2)->set_values(1, bad);
    ASSERT_EQ(parameters.statistics(2).name(), "observation.variance");
    EXPECT_EQ(normalizer.Restore(parameters).code(), absl::StatusCode::kDataLoss);
  }
}

}  // namespace
}  // namespace cadre
