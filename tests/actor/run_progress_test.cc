#include "actor/run_progress.h"

#include "gtest/gtest.h"

namespace cadre {
namespace {

ExperimentConfig Config() {
  ExperimentConfig config;
  config.mutable_dqn();
  config.mutable_replay()->set_warmup_steps(100);
  config.mutable_actors()->set_count(4);
  config.mutable_stop()->set_env_steps(1000);
  return config;
}

TEST(RunProgressTest, EveryActorIsTakenToBeAsFast) {
  RunProgress progress(Config());
  EXPECT_EQ(progress.steps(), 0);
  progress.OnParameters(40);
  progress.OnSteps(8);
  progress.OnSteps(2);
  EXPECT_EQ(progress.steps(), 40 + 4 * 10);
  EXPECT_DOUBLE_EQ(progress.share(), 0.08);
  // What a later version knows takes the place of what was reckoned.
  progress.OnParameters(90);
  EXPECT_EQ(progress.steps(), 90);
}

TEST(RunProgressTest, TheShareEndsAtOne) {
  RunProgress progress(Config());
  progress.OnParameters(1010);
  EXPECT_EQ(progress.share(), 1);
}

TEST(RunProgressTest, WarmUpEndsWithItsLastStep) {
  RunProgress progress(Config());
  progress.OnParameters(95);
  EXPECT_TRUE(progress.warming_up());
  progress.OnSteps(1);
  EXPECT_TRUE(progress.warming_up());  // At 99.
  progress.OnParameters(100);
  EXPECT_FALSE(progress.warming_up());
}

TEST(RunProgressTest, OnPolicyRunsHaveNoWarmUp) {
  ExperimentConfig config = Config();
  config.mutable_ppo();
  EXPECT_FALSE(RunProgress(config).warming_up());
}

}  // namespace
}  // namespace cadre
