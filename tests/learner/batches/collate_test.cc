#include "learner/batches/collate.h"

#include <algorithm>
#include <limits>
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/learner/example_experience.h"
#include "tests/policy/example_networks.h"

namespace cadre {
namespace {

using testing::HasSubstr;
using Columns = OnPolicyColumns;

constexpr int64_t kObservation = 3;

class CollateTest : public testing::Test {
 protected:
  explicit CollateTest(const ActionSpace& action = DiscreteActions(2), bool returns = false)
      : network_(ExampleNetwork(MlpModelConfig({4}), kObservation, action)) {
    ExperimentConfig config;
    config.mutable_normalization()->set_rewards(returns);
    spec_ = OnPolicySpec(config, VectorSpace(kObservation), action);
  }

  v1::Rollout Rollout(int32_t actor, uint64_t sequence, const std::vector<ExampleSegment>& segments,
                      int64_t version = 1) {
    return ExampleRollout(spec_, actor, sequence, segments, version, random_);
  }
  absl::StatusOr<CollatedBatch> CollateAll(std::vector<v1::Rollout>& rollouts) {
    return Collate(spec_, network_.action, transform_, rollouts);
  }
  // Why a rollout with `value` written into a column is left out of a batch with another; ""
  // where it is not.
  template <typename T>
  std::string WhyDropped(int column, size_t index, T value) {
    std::vector<v1::Rollout> rollouts = {Rollout(3, 8, {{5, v1::SEGMENT_END_CUT}}),
                                         Rollout(2, 1, {{4, v1::SEGMENT_END_CUT}})};
    MutableColumnAs<T>(rollouts[0].mutable_columns(column))[index] = value;
    return WhyDropped(rollouts);
  }
  std::string WhyDropped(std::vector<v1::Rollout>& rollouts) {
    const auto collated = CollateAll(rollouts);
    EXPECT_TRUE(collated.ok()) << collated.status();
    EXPECT_EQ(collated->taken_steps, 9);
    if (collated->dropped.empty()) return "";
    EXPECT_EQ(collated->dropped.size(), 1);
    EXPECT_EQ(collated->batch.steps(), 4) << "the other one's";
    EXPECT_EQ(collated->oldest_version, 1);
    return collated->dropped[0];
  }

  const ActorCriticNetwork network_;
  v1::ExperienceSpec spec_;
  ObservationTransform transform_;
  Random random_{1};
};

class CollateContinuousTest : public CollateTest {
 protected:
  CollateContinuousTest() : CollateTest(ContinuousActions(2), /*returns=*/true) {}
};

template <typename T>
std::vector<T> Values(const torch::Tensor& tensor) {
  return {tensor.data_ptr<T>(), tensor.data_ptr<T>() + tensor.numel()};
}

// A column of the rollouts, one after the other.
template <typename T>
std::vector<T> Concatenated(const std::vector<v1::Rollout>& rollouts, int column) {
  std::vector<T> values;
  for (const v1::Rollout& rollout : rollouts)
    for (const T value : ColumnAs<T>(rollout.columns(column))) values.push_back(value);
  return values;
}

TEST_F(CollateTest, SegmentsAndRowsByHand) {
  std::vector<v1::Rollout> rollouts = {
      Rollout(0, 1, {{2, v1::SEGMENT_END_TERMINATED}, {1, v1::SEGMENT_END_CUT}}),
      Rollout(1, 1, {{3, v1::SEGMENT_END_TRUNCATED}})};
  const auto collated = CollateAll(rollouts);
  ASSERT_TRUE(collated.ok()) << collated.status();
  const OnPolicyBatch& batch = collated->batch;
  EXPECT_EQ(batch.steps(), 6);
  ASSERT_EQ(batch.segments.size(), 3);
  const int64_t firsts[] = {0, 2, 3}, lengths[] = {2, 1, 3};
  for (int s = 0; s < 3; ++s) {
    EXPECT_EQ(batch.segments[s].first_step, firsts[s]);
    EXPECT_EQ(batch.segments[s].length, lengths[s]);
    EXPECT_EQ(batch.segments[s].terminated, s == 0);  // Cut and truncated ones bootstrap.
    EXPECT_EQ(batch.segments[s].cut, s == 1);
  }
  // Rows 2, 4 and 8 are the last observations of the segments.
  EXPECT_THAT(Values<int64_t>(batch.observation_rows), testing::ElementsAre(0, 1, 3, 5, 6, 7));
  EXPECT_EQ(batch.observations.only().sizes(), (std::vector<int64_t>{9, kObservation}));
}

TEST_F(CollateTest, ASegmentKnowsWhereItComesFrom) {
  std::vector<v1::Rollout> rollouts = {
      Rollout(3, 8, {{2, v1::SEGMENT_END_TERMINATED}, {1, v1::SEGMENT_END_CUT}})};
  rollouts[0].mutable_segments(1)->set_environment(5);
  const auto collated = CollateAll(rollouts);
  ASSERT_TRUE(collated.ok()) << collated.status();
  for (int s = 0; s < 2; ++s) {
    const SegmentOrigin& origin = collated->batch.segments[s].origin;
    EXPECT_EQ(origin.actor, 3);
    EXPECT_EQ(origin.environment, s == 0 ? 0 : 5);
    EXPECT_EQ(origin.writer_id, rollouts[0].writer_id());
    EXPECT_EQ(origin.sequence, 8);
  }
}

TEST_F(CollateTest, ColumnsFollowEachOtherInTheOrderOfActorAndSequence) {
  std::vector<v1::Rollout> rollouts = {
      Rollout(2, 5, {{3, v1::SEGMENT_END_CUT}}), Rollout(0, 9, {{1, v1::SEGMENT_END_CUT}}),
      Rollout(2, 4, {{2, v1::SEGMENT_END_CUT}}), Rollout(1, 7, {{4, v1::SEGMENT_END_TERMINATED}})};
  const std::vector<v1::Rollout> sorted = {rollouts[1], rollouts[3], rollouts[2], rollouts[0]};
  std::vector<v1::Rollout> reversed(rollouts.rbegin(), rollouts.rend());
  for (std::vector<v1::Rollout>* order : {&rollouts, &reversed}) {
    const auto collated = CollateAll(*order);
    ASSERT_TRUE(collated.ok()) << collated.status();
    const OnPolicyBatch& batch = collated->batch;
    EXPECT_EQ(Values<float>(batch.observations.only()), Concatenated<float>(sorted, 0));
    EXPECT_EQ(Values<float>(batch.rewards), Concatenated<float>(sorted, Columns().reward));
    EXPECT_EQ(Values<float>(batch.log_probs), Concatenated<float>(sorted, Columns().log_prob));
    const std::vector<int32_t> actions = Concatenated<int32_t>(sorted, Columns().action);
    EXPECT_EQ(Values<int64_t>(batch.actions), std::vector<int64_t>(actions.begin(), actions.end()));
    EXPECT_FALSE(collated->discounted_returns.defined());
  }
}

TEST_F(CollateContinuousTest, ActionsAndReturnsAreFloats) {
  std::vector<v1::Rollout> rollouts = {Rollout(0, 1, {{3, v1::SEGMENT_END_CUT}}),
                                       Rollout(1, 1, {{2, v1::SEGMENT_END_CUT}})};
  const auto collated = CollateAll(rollouts);
  ASSERT_TRUE(collated.ok()) << collated.status();
  EXPECT_EQ(collated->batch.actions.sizes(), (std::vector<int64_t>{5, 2}));
  EXPECT_EQ(Values<float>(collated->batch.actions),
            Concatenated<float>(rollouts, Columns().action));
  EXPECT_EQ(Values<float>(collated->discounted_returns),
            Concatenated<float>(rollouts, Columns().discounted_return));
}

TEST_F(CollateTest, ObservationsAreTransformedAndKeptRaw) {
  transform_ =
      ObservationTransform(std::vector<double>{1, 2, 3}, std::vector<double>{4, 1, 0.25}, 1.5);
  std::vector<v1::Rollout> rollouts = {Rollout(0, 1, {{7, v1::SEGMENT_END_CUT}})};
  const auto collated = CollateAll(rollouts);
  ASSERT_TRUE(collated.ok());
  const std::vector<float> raw = Concatenated<float>(rollouts, 0);
  EXPECT_EQ(Values<float>(collated->raw_observations.only()), raw);
  const std::vector<float> transformed = Values<float>(collated->batch.observations.only());
  const double deviations[] = {2, 1, 0.5};
  for (size_t i = 0; i < raw.size(); ++i)
    EXPECT_NEAR(transformed[i], std::clamp((raw[i] - (1 + i % 3)) / deviations[i % 3], -1.5, 1.5),
                1e-5);
}

TEST_F(CollateTest, TheOldestVersionAndAllEpisodesAreCollected) {
  std::vector<v1::Rollout> rollouts = {Rollout(0, 1, {{4, v1::SEGMENT_END_CUT}}, 9),
                                       Rollout(1, 1, {{4, v1::SEGMENT_END_CUT}}, 8)};
  MutableColumnAs<int64_t>(rollouts[0].mutable_columns(Columns().version))[2] = 6;
  for (const double total : {5.0, 7.0}) rollouts[1].add_episodes()->set_total_reward(total);
  rollouts[0].add_episodes()->set_total_reward(3);
  const auto collated = CollateAll(rollouts);
  ASSERT_TRUE(collated.ok());
  EXPECT_EQ(collated->oldest_version, 6);
  std::vector<double> totals;
  for (const v1::Episode& episode : collated->episodes) totals.push_back(episode.total_reward());
  EXPECT_THAT(totals, testing::ElementsAre(3, 5, 7));
}

TEST_F(CollateTest, RolloutsWithNumbersThatAreNotFiniteAreLeftOut) {
  const std::pair<int, const char*> columns[] = {
      {0, "obs"}, {Columns().reward, "reward"}, {Columns().log_prob, "log_prob"}};
  for (const auto& [column, name] : columns)
    for (const float bad :
         {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity(),
          -std::numeric_limits<float>::infinity()})
      EXPECT_THAT(WhyDropped<float>(column, 4, bad),
                  HasSubstr("actor 3, rollout 8: column '" + std::string(name) + "', row "));
  // Large is not infinite.
  EXPECT_EQ(WhyDropped<float>(Columns().reward, 4, std::numeric_limits<float>::max()), "");
}

TEST_F(CollateContinuousTest, RolloutsWithNumbersThatAreNotFiniteAreLeftOut) {
  for (const auto& [column, name] : {std::pair(Columns().action, "action"),
                                     std::pair(Columns().discounted_return, "discounted_return")})
    EXPECT_THAT(WhyDropped<float>(column, 1, std::numeric_limits<float>::quiet_NaN()),
                HasSubstr("column '" + std::string(name) + "'"));
}

TEST_F(CollateTest, RolloutsWithActionsOutOfRangeAreLeftOut) {
  for (const int32_t bad : {-1, 2})
    EXPECT_EQ(WhyDropped<int32_t>(Columns().action, 0, bad),
              "actor 3, rollout 8: column 'action' has " + std::to_string(bad) + "; wanted 0 to 1");
}

TEST_F(CollateTest, RolloutsWithAnEpisodeWithoutANumberForItsRewardAreLeftOut) {
  std::vector<v1::Rollout> rollouts = {Rollout(3, 8, {{5, v1::SEGMENT_END_CUT}}),
                                       Rollout(2, 1, {{4, v1::SEGMENT_END_CUT}})};
  rollouts[0].add_episodes()->set_total_reward(std::numeric_limits<double>::quiet_NaN());
  EXPECT_THAT(WhyDropped(rollouts), HasSubstr("actor 3, rollout 8: episode 0"));
}

TEST_F(CollateTest, WhatDoesNotFitTheSpecIsLeftOut) {
  std::vector<v1::Rollout> rollouts = {Rollout(0, 1, {{5, v1::SEGMENT_END_CUT}}),
                                       Rollout(2, 1, {{4, v1::SEGMENT_END_CUT}})};
  rollouts[0].mutable_columns(Columns().reward)->pop_back();
  EXPECT_THAT(WhyDropped(rollouts), HasSubstr("column 'reward' has 19 bytes"));
}

TEST_F(CollateTest, WhereNothingIsLeftTheBatchHasNoSteps) {
  std::vector<v1::Rollout> rollouts = {Rollout(3, 8, {{5, v1::SEGMENT_END_CUT}})};
  rollouts[0].mutable_columns(Columns().reward)->pop_back();
  const auto collated = CollateAll(rollouts);
  ASSERT_TRUE(collated.ok()) << collated.status();
  EXPECT_EQ(collated->batch.steps(), 0);
  EXPECT_EQ(collated->taken_steps, 5);
  std::vector<v1::Rollout> none;
  EXPECT_EQ(CollateAll(none).status().code(), absl::StatusCode::kInvalidArgument);
}

TEST(CollateSpacesTest, EveryColumnKeepsItsDtypeAndShape) {
  const ObservationSpace dictionary{{{.name = "image", .dtype = v1::DTYPE_UINT8, .shape = {2, 3}},
                                     {.name = "reading", .shape = {2}},
                                     {.name = "other", .shape = {1}}}};
  ActionSpace action = ActionSpace::MultiDiscrete({2, 4});
  action.masked = true;
  const v1::ExperienceSpec spec = OnPolicySpec(ExperimentConfig(), dictionary, action);
  Random random(4);
  std::vector<v1::Rollout> rollouts = {
      ExampleRollout(spec, 0, 1, {{2, v1::SEGMENT_END_TERMINATED}, {1, v1::SEGMENT_END_CUT}}, 1,
                     random),
      ExampleRollout(spec, 1, 1, {{3, v1::SEGMENT_END_TRUNCATED}}, 1, random)};
  for (v1::Rollout& rollout : rollouts)
    for (const int column : {0, 3})
      for (uint8_t& value : MutableColumnAs<uint8_t>(rollout.mutable_columns(column)))
        value = static_cast<uint8_t>(random.Below(200));
  // Mean 1, 2, 3 and deviation 2 of the three floats.
  const ObservationTransform transform({1, 2, 3}, {4, 4, 4}, 10);
  const auto collated = Collate(spec, action, transform, rollouts);
  ASSERT_TRUE(collated.ok()) << collated.status();
  ASSERT_TRUE(collated->dropped.empty()) << collated->dropped[0];
  const ObservationBatch& observations = collated->batch.observations;
  ASSERT_EQ(observations.columns.size(), 3);
  EXPECT_EQ(observations.rows(), 9);
  EXPECT_EQ(observations.columns[0].sizes(), (std::vector<int64_t>{9, 2, 3}));
  EXPECT_EQ(Values<uint8_t>(observations.columns[0]), Concatenated<uint8_t>(rollouts, 0));
  EXPECT_EQ(Values<uint8_t>(observations.mask), Concatenated<uint8_t>(rollouts, 3));
  EXPECT_EQ(observations.mask.sizes(), (std::vector<int64_t>{9, 6}));
  const std::vector<float> reading = Concatenated<float>(rollouts, 1);
  const std::vector<float> other = Concatenated<float>(rollouts, 2);
  EXPECT_EQ(Values<float>(collated->raw_observations.columns[1]), reading);
  for (int64_t row = 0; row < 9; ++row) {
    EXPECT_NEAR(observations.columns[1][row][1].item<float>(), (reading[2 * row + 1] - 2) / 2,
                1e-5);
    EXPECT_NEAR(observations.columns[2][row][0].item<float>(), (other[row] - 3) / 2, 1e-5);
  }
  // What the statistics are of: the floats side by side.
  const torch::Tensor floats = FloatRows(collated->raw_observations);
  EXPECT_EQ(floats.sizes(), (std::vector<int64_t>{9, 3}));
  EXPECT_EQ(floats[4][2].item<float>(), other[4]);
  EXPECT_EQ(collated->batch.actions.sizes(), (std::vector<int64_t>{6, 2}));
  const std::vector<int32_t> actions = Concatenated<int32_t>(rollouts, 4);
  EXPECT_EQ(Values<int64_t>(collated->batch.actions),
            (std::vector<int64_t>(actions.begin(), actions.end())));

  MutableColumnAs<int32_t>(rollouts[0].mutable_columns(4))[3] = 4;
  const auto dropped = Collate(spec, action, transform, rollouts);
  ASSERT_TRUE(dropped.ok());
  ASSERT_EQ(dropped->dropped.size(), 1);
  EXPECT_THAT(dropped->dropped[0], testing::HasSubstr("column 'action' has 4; wanted 0 to 3"));
}

}  // namespace
}  // namespace cadre
