#include "replay_server/storage/queue_config.h"

#include "gtest/gtest.h"

namespace cadre {
namespace {

TEST(QueueConfigTest, CapacityIsFourUpdatesUnlessGiven) {
  ExperimentConfig config;
  config.mutable_actors()->set_count(3);
  config.mutable_actors()->set_environments_per_actor(5);
  config.mutable_actors()->set_segment_length(7);
  EXPECT_EQ(MakeQueueOptions(config, "")->capacity_steps, 4 * 3 * 5 * 7);
  config.mutable_queue()->set_capacity_steps(500);
  EXPECT_EQ(MakeQueueOptions(config, "")->capacity_steps, 500);
}

TEST(QueueConfigTest, LockstepAllowsNoLag) {
  ExperimentConfig config;
  config.mutable_queue()->set_max_version_lag(3);
  EXPECT_EQ(MakeQueueOptions(config, "")->max_version_lag, 0);
  config.mutable_actors()->set_mode(ActorsConfig::ASYNCHRONOUS);
  EXPECT_EQ(MakeQueueOptions(config, "")->max_version_lag, 3);
}

TEST(QueueConfigTest, ImpossibleSizesAreRefused) {
  ExperimentConfig config;
  config.mutable_queue()->set_capacity_bytes(0);
  EXPECT_EQ(MakeQueueOptions(config, "").status().message(),
            "queue.capacity_bytes: got 0; wanted at least 1");
}

}  // namespace
}  // namespace cadre
