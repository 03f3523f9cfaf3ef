#include "common/replay_capacity.h"

#include <string>

#include "common/config.h"
#include "common/replay_config.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace cadre {
namespace {

using ::testing::HasSubstr;

TEST(ReplayCapacityTest, ARolloutCompletesMostWhereEveryEpisodeEndsAtOnce) {
  const TableWriters writers{.count = 3, .environments = 4, .segment_length = 5};
  EXPECT_EQ(MostItemsPerRollout({1, 1}, writers), 4 * 5);
  EXPECT_EQ(MostItemsPerRollout({10, 1}, writers), 4 * 14);
  EXPECT_EQ(MostItemsPerRollout({80, 40}, writers), 4 * (2 + 4));
}

TEST(ReplayCapacityTest, AWindowExtendsOverTheRolloutsOfAllEnvironments) {
  // Ten steps that begin with the last of a rollout of five: two more rollouts.
  EXPECT_EQ(StepsForWindows({10, 1}, {.count = 1, .environments = 4, .segment_length = 5}),
            4 * 5 * 3);
  EXPECT_EQ(StepsForWindows({11, 1}, {.count = 1, .environments = 4, .segment_length = 5}),
            4 * 5 * 3);
  EXPECT_EQ(StepsForWindows({12, 1}, {.count = 1, .environments = 4, .segment_length = 5}),
            4 * 5 * 4);
  EXPECT_EQ(StepsForWindows({10, 1}, {.count = 3, .environments = 4, .segment_length = 5}),
            12 * 5 * 4)
      << "and one more, as writers change their order";
  EXPECT_EQ(StepsForWindows({1, 1}, {.count = 3, .environments = 4, .segment_length = 5}), 20);
}

TEST(ReplayCapacityTest, ShardsShareTheWriters) {
  ExperimentConfig config;
  config.mutable_actors()->set_count(5);
  config.mutable_actors()->set_environments_per_actor(7);
  config.mutable_actors()->set_segment_length(2);
  EXPECT_EQ(TableWritersOf(config).all_environments(), 35);
  EXPECT_EQ(TableWritersOf(config, 2).all_environments(), 21);
}

TEST(ReplayCapacityTest, EachServerHoldsItsShareOfTheWindows) {
  const ExperimentConfig config = ResolveConfig(
      *ParseConfig("dqn {} actors { count: 4 environments_per_actor: 8 segment_length: 2 } "
                   "replay { n_step: 20 capacity_steps: 700 warmup_steps: 10 batch_size: 8 }",
                   "test"));
  EXPECT_THAT(CapacityStepsError(config), HasSubstr("wanted at least 768: "));
  EXPECT_THAT(CapacityStepsError(config, 2),
              HasSubstr("wanted at least 768: on each of 2 servers "));
}

TEST(ReplayCapacityTest, BytesAndRowsAgree) {
  const TableConfig config = ReplayTable(ResolveConfig(*ParseConfig("dqn {}", "test")));
  for (const int64_t rows : {2, 1000, 123457}) {
    TableConfig exact = config;
    exact.set_capacity_bytes(BytesForRows(config, 4, 36, rows));
    EXPECT_EQ(RowsInBytes(exact, 4, 36), rows);
    exact.set_capacity_bytes(exact.capacity_bytes() - 1);
    EXPECT_EQ(RowsInBytes(exact, 4, 36), rows - 1);
  }
}

TEST(ReplayCapacityTest, HugeNumbersDoNotOverflow) {
  ExperimentConfig config;
  config.mutable_actors()->set_count(100'000);
  config.mutable_actors()->set_environments_per_actor(1'000'000);
  config.mutable_actors()->set_segment_length(1'000'000);
  config.mutable_replay()->set_n_step(10'000);
  config.mutable_dqn();
  EXPECT_NE(CapacityStepsError(config), "");
  EXPECT_NE(CapacityBytesError(config, 4, 36), "");
  EXPECT_GT(LeastRows(ReplayTable(config), TableWritersOf(config)), 0);
}

}  // namespace
}  // namespace cadre
