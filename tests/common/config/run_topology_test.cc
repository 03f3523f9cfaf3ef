#include "common/config/run_topology.h"

#include "gtest/gtest.h"

namespace cadre {
namespace {

ExperimentConfig Config(int actors, int learners) {
  ExperimentConfig config;
  config.set_name("example");
  config.mutable_a2c();
  config.mutable_actors()->set_count(actors);
  config.mutable_actors()->set_environments_per_actor(8);
  config.mutable_actors()->set_segment_length(5);
  if (learners > 0) config.mutable_learners()->set_count(learners);
  return config;
}

TEST(RunTopologyTest, OneLearnerHasTheOneQueueAndEveryActor) {
  for (const int learners : {0, 1}) {
    const ExperimentConfig config = Config(3, learners);
    EXPECT_EQ(QueueName(config, 0), "on_policy");
    EXPECT_EQ(ActingModelName(config, 0), "example");
    EXPECT_EQ(ActorsPerLearner(config), 3);
    EXPECT_EQ(StepsPerLearnerUpdate(config), 3 * 8 * 5);
    EXPECT_FALSE(DataParallel(config));
    for (int actor = 0; actor < 3; ++actor) EXPECT_EQ(LearnerOf(config, actor), 0);
  }
}

TEST(RunTopologyTest, ActorsAreDealtOutToLearnersEachWithAQueueOfItsOwn) {
  const ExperimentConfig config = Config(4, 2);
  EXPECT_TRUE(DataParallel(config));
  EXPECT_EQ(LearnerOf(config, 0), 0);
  EXPECT_EQ(LearnerOf(config, 1), 1);
  EXPECT_EQ(LearnerOf(config, 2), 0);
  EXPECT_EQ(QueueName(config, 1), "on_policy/1");
  EXPECT_EQ(LearnerCount(config), 2);
  EXPECT_EQ(ActorsPerLearner(config), 2);
  EXPECT_EQ(StepsPerLearnerUpdate(config), 2 * 8 * 5);
  EXPECT_EQ(ActingModelName(config, 1), "example");
}

TEST(RunTopologyTest, AQueueHoldsItsLearnersShareOfTheSteps) {
  ExperimentConfig config = Config(6, 3);
  config.mutable_queue()->set_capacity_steps(1000);
  EXPECT_EQ(StepsPerQueue(config), 334);
  EXPECT_EQ(StepsPerQueue(Config(3, 1)), 0);
}

TEST(RunTopologyTest, LearnersThatPushGradientsHaveACopyOfTheModelEach) {
  ExperimentConfig config = Config(4, 4);
  config.mutable_a3c();
  EXPECT_TRUE(PushesGradients(config));
  EXPECT_FALSE(DataParallel(config));
  EXPECT_EQ(ModelName(config), "example");
  EXPECT_EQ(ActingModelName(config, 3), "example/3");
}

TEST(RunTopologyTest, TheLagIsBoundedByTheQueueAndByWhatPushedGradientsMayHave) {
  ExperimentConfig config = Config(2, 1);
  config.mutable_queue()->set_max_version_lag(4);
  EXPECT_EQ(VersionLagBound(config), 4);
  config.mutable_a3c();
  EXPECT_EQ(VersionLagBound(config), std::nullopt);
  config.mutable_learners()->set_max_gradient_lag(16);
  EXPECT_EQ(VersionLagBound(config), 20);
  config.mutable_dqn();
  EXPECT_EQ(VersionLagBound(config), std::nullopt);
  config.mutable_reinforce();
  EXPECT_EQ(VersionLagBound(config), std::nullopt) << "an episode may span any number of updates";
}

}  // namespace
}  // namespace cadre
