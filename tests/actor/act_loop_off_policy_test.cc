// ActLoop with the off-policy algorithms: columns, warm-up, schedules and places.
#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include "actor/act_loop.h"
#include "common/experience/experience_spec.h"
#include "common/tensor_view.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "policy/networks/off_policy_network.h"
#include "policy/off_policy_columns.h"
#include "tests/actor/fake_run.h"
#include "tests/policy/example_networks.h"

namespace cadre {
namespace {

using testing::Each;
using testing::ElementsAre;
using Columns = OffPolicyColumns;

constexpr int64_t kEnvironments = 3;
constexpr int64_t kSteps = 7;
constexpr int64_t kRound = 2 * kEnvironments * kSteps;  // Steps of both actors' rollouts.

ExperimentConfig Config(const std::string& environment, ActorsConfig::Mode mode) {
  ExperimentConfig config;
  config.set_name("acting");
  config.mutable_environment()->set_id(environment);
  config.mutable_environment()->set_max_episode_steps(15);
  *config.mutable_model() = MlpModelConfig({5});
  config.mutable_replay()->set_warmup_steps(1);
  config.mutable_actors()->set_count(2);
  config.mutable_actors()->set_environments_per_actor(kEnvironments);
  config.mutable_actors()->set_segment_length(kSteps);
  config.mutable_actors()->set_mode(mode);
  config.mutable_stop()->set_env_steps(100 * kRound);
  config.set_seed(11);
  return config;
}
ExperimentConfig Dqn(ActorsConfig::Mode mode = ActorsConfig::LOCKSTEP) {
  ExperimentConfig config = Config("CartPole-v1", mode);
  config.mutable_dqn();
  return config;
}

// `count` rollouts of one of two actors, each answered with the next version, as after a
// round of both. The run has made `env_steps` steps when the first version is published.
std::vector<v1::Rollout> Act(const ExperimentConfig& config, FakeRun& run, int count,
                             int64_t env_steps = 0, int32_t index = 0) {
  run.Publish(1, env_steps);
  run.after_append = [&run, count, env_steps] {
    const auto done = static_cast<int64_t>(run.rollouts.size());
    if (done == count)
      run.state = v1::RUN_STATE_FINISHED;
    else
      run.Publish(done + 1, env_steps + done * kRound);
    return absl::OkStatus();
  };
  auto loop = ActLoop::Create(config, index, &run, &run);
  EXPECT_TRUE(loop.ok()) << loop.status();
  const absl::Status status = (*loop)->Run();
  EXPECT_TRUE(status.ok()) << status;
  return run.rollouts;
}

// Calls `see(step, observation, segment)` for each step, in the order of columns.
template <typename See>
void ForEachStep(const v1::Rollout& rollout, int64_t elements, See see) {
  const auto observations = ColumnAs<float>(rollout.columns(0));
  int64_t step = 0, row = 0;
  for (const v1::Segment& segment : rollout.segments()) {
    for (int t = 0; t < segment.length(); ++t, ++step, ++row) {
      const auto begin = observations.begin() + elements * row;
      see(step, std::vector<double>(begin, begin + elements), segment);
    }
    ++row;  // The segment's last observation.
  }
}

// Whether the action of each step is the one of the largest value, under the version of
// its rollout. By environment.
struct Greediness {
  int64_t greedy[kEnvironments] = {}, other[kEnvironments] = {};
};
Greediness CountGreedy(const ExperimentConfig& config, const FakeRun& run) {
  const auto network =
      MakeActionValueNetwork(config.model(), config.dqn(), VectorSpace(4), DiscreteActions(2));
  Greediness result;
  for (const v1::Rollout& rollout : run.rollouts) {
    const std::vector<float>& values = run.values.at(rollout.version());
    const std::vector<double> wide(values.begin(), values.end());
    const auto actions = ColumnAs<int32_t>(rollout.columns(Columns().action));
    ForEachStep(
        rollout, 4,
        [&](int64_t step, const std::vector<double>& observation, const v1::Segment& segment) {
          const std::vector<double> q = NaiveHead(network->network, 0, wide, {observation});
          const bool greedy = actions[step] == (q[1] > q[0]);
          ++(greedy ? result.greedy : result.other)[segment.environment()];
        });
  }
  return result;
}

TEST(ActLoopOffPolicyTest, RolloutsHaveTheColumnsOfReplay) {
  const ExperimentConfig config = Dqn();
  FakeRun run(config);
  const auto rollouts = Act(config, run, 4, /*env_steps=*/kRound, /*index=*/1);
  EXPECT_THAT(run.waited_for, ElementsAre(0, 1, 2, 3, 4));
  EXPECT_EQ(run.asked_newest, 0);
  ASSERT_EQ(rollouts.size(), 4);
  const v1::ExperienceSpec spec = OffPolicySpec(VectorSpace(4), DiscreteActions(2));
  for (int i = 0; i < 4; ++i) {
    EXPECT_TRUE(ValidateRollout(spec, rollouts[i]).ok()) << ValidateRollout(spec, rollouts[i]);
    EXPECT_EQ(RolloutSteps(rollouts[i]), kEnvironments * kSteps);
    EXPECT_EQ(rollouts[i].version(), 1 + i);
    EXPECT_EQ(rollouts[i].actor(), 1);
    EXPECT_THAT(ColumnAs<int64_t>(rollouts[i].columns(Columns().version)), Each(1 + i));
    EXPECT_THAT(ColumnAs<float>(rollouts[i].columns(Columns().reward)), Each(1.0f));
  }
  int64_t ended = 0, episodes = 0;
  for (const v1::Rollout& rollout : rollouts) {
    for (const v1::Segment& segment : rollout.segments())
      ended += segment.end() != v1::SEGMENT_END_CUT;
    episodes += rollout.episodes_size();
  }
  EXPECT_EQ(episodes, ended);
  EXPECT_GE(episodes, kEnvironments);  // 28 steps of at most 15 each.
}

TEST(ActLoopOffPolicyTest, NormalisedRewardsBringTheDiscountedReturnOfEachStep) {
  ExperimentConfig config = Dqn();
  config.mutable_dqn()->set_gamma(0.5);
  config.mutable_normalization()->set_rewards(true);
  FakeRun run(config);
  const auto rollouts = Act(config, run, 4);
  const v1::ExperienceSpec spec =
      OffPolicySpec(VectorSpace(4), DiscreteActions(2), 0, /*normalizes_rewards=*/true);
  const Columns columns(1, /*normalizes_rewards=*/true);
  std::vector<double> returns(kEnvironments, 0.0);
  int64_t ended = 0;
  for (const v1::Rollout& rollout : rollouts) {
    ASSERT_TRUE(ValidateRollout(spec, rollout).ok()) << ValidateRollout(spec, rollout);
    const auto got = ColumnAs<float>(rollout.columns(columns.discounted_return));
    const auto rewards = ColumnAs<float>(rollout.columns(columns.reward));
    int64_t step = 0;
    for (const v1::Segment& segment : rollout.segments()) {
      double& sum = returns[segment.environment()];
      for (int t = 0; t < segment.length(); ++t, ++step)
        EXPECT_NEAR(got[step], sum = rewards[step] + 0.5 * sum, 1e-6);
      if (segment.end() == v1::SEGMENT_END_CUT) continue;
      sum = 0;
      ++ended;
    }
  }
  EXPECT_GT(ended, 0);
}

TEST(ActLoopOffPolicyTest, ActionsAreRandomUntilTheRunIsWarm) {
  ExperimentConfig config = Dqn();
  // The first round, and of the second the steps at 0, 6, 12 and 18 of the run's.
  config.mutable_replay()->set_warmup_steps(kRound + 19);
  FakeRun run(config);
  const auto rollouts = Act(config, run, 3);
  EXPECT_THAT(ColumnAs<int64_t>(rollouts[0].columns(Columns().version)), Each(0));
  EXPECT_EQ(rollouts[0].version(), 0);
  const auto versions = ColumnAs<int64_t>(rollouts[1].columns(Columns().version));
  for (int64_t e = 0; e < kEnvironments; ++e)
    for (int64_t t = 0; t < kSteps; ++t) EXPECT_EQ(versions[e * kSteps + t], t < 4 ? 0 : 2);
  EXPECT_EQ(rollouts[1].version(), 0);
  EXPECT_THAT(ColumnAs<int64_t>(rollouts[2].columns(Columns().version)), Each(3));
  EXPECT_EQ(rollouts[2].version(), 3);
}

TEST(ActLoopOffPolicyTest, RandomActionsAreUniformWithinTheBounds) {
  ExperimentConfig config = Config("Pendulum-v1", ActorsConfig::LOCKSTEP);
  config.mutable_sac();
  config.mutable_replay()->set_warmup_steps(1'000'000);
  config.mutable_actors()->set_environments_per_actor(40);
  config.mutable_actors()->set_segment_length(50);
  FakeRun run(config);
  std::vector<int> counts(10);
  for (const v1::Rollout& rollout : Act(config, run, 5)) {
    EXPECT_EQ(rollout.version(), 0);
    for (const float action : ColumnAs<float>(rollout.columns(Columns().action))) {
      ASSERT_GE(action, -2);
      ASSERT_LE(action, 2);
      ++counts[std::min(9, static_cast<int>((action + 2) / 4 * 10))];
    }
  }
  double chi_square = 0;
  for (const int count : counts) chi_square += (count - 1000.0) * (count - 1000.0) / 1000;
  EXPECT_LT(chi_square, 27.9);  // 9 degrees of freedom, p = 0.001.
}

TEST(ActLoopOffPolicyTest, ExplorationFollowsTheProgressOfTheRun) {
  ExperimentConfig config = Dqn();
  config.mutable_dqn()->mutable_epsilon_greedy()->set_final(0);  // By half of the run.
  FakeRun early(config), late(config);
  Act(config, early, 10, /*env_steps=*/kRound);
  const Greediness at_first = CountGreedy(config, early);
  for (int64_t e = 0; e < kEnvironments; ++e) EXPECT_GT(at_first.other[e], 10);
  Act(config, late, 10, /*env_steps=*/50 * kRound);
  const Greediness at_last = CountGreedy(config, late);
  for (int64_t e = 0; e < kEnvironments; ++e) {
    EXPECT_EQ(at_last.other[e], 0);
    EXPECT_EQ(at_last.greedy[e], 10 * kSteps);
  }
}

TEST(ActLoopOffPolicyTest, EachEnvironmentHasItsPlaceInTheRun) {
  ExperimentConfig config = Dqn();
  config.mutable_dqn()->mutable_epsilon_greedy()->set_final(1 - 1e-3);
  config.mutable_dqn()->mutable_epsilon_greedy()->set_decay_share(1e-6);
  // 0.999^(1 + 99999 i / 5) of i = 0 ... 5: only the run's first explores.
  config.mutable_dqn()->mutable_epsilon_greedy()->set_spread(99'999);
  for (const int32_t index : {0, 1}) {
    FakeRun run(config);
    Act(config, run, 10, /*env_steps=*/kRound, index);
    const Greediness count = CountGreedy(config, run);
    for (int64_t e = 0; e < kEnvironments; ++e) {
      if (index == 0 && e == 0)
        EXPECT_GT(count.other[e], 10);
      else
        EXPECT_EQ(count.other[e], 0) << "actor " << index << ", environment " << e;
    }
  }
}

TEST(ActLoopOffPolicyTest, AsynchronousStepsCarryTheNewestVersion) {
  ExperimentConfig config = Dqn(ActorsConfig::ASYNCHRONOUS);
  FakeRun run(config);
  run.Publish(3, kRound);
  run.before_newest = [&run](int step) {
    if (step % 4 == 0) run.Publish(3 + step, kRound);
  };
  run.after_append = [&run] {
    if (run.rollouts.size() == 3) run.state = v1::RUN_STATE_FINISHED;
    return absl::OkStatus();
  };
  auto loop = ActLoop::Create(config, 0, &run, &run);
  ASSERT_TRUE(loop.ok());
  ASSERT_TRUE((*loop)->Run().ok());
  ASSERT_EQ(run.rollouts.size(), 3);
  for (int r = 0; r < 3; ++r) {
    const auto versions = ColumnAs<int64_t>(run.rollouts[r].columns(Columns().version));
    for (int64_t t = 0; t < kSteps; ++t) {
      const int64_t step = r * kSteps + t + 1;  // Newest was asked so many times by then.
      EXPECT_EQ(versions[t], step < 4 ? 3 : 3 + step / 4 * 4) << "rollout " << r << ", step " << t;
    }
    EXPECT_EQ(run.rollouts[r].version(), versions[0]);
  }
}

TEST(ActLoopOffPolicyTest, WarmUpEndsAlthoughNothingIsPublished) {
  ExperimentConfig config = Dqn(ActorsConfig::ASYNCHRONOUS);
  config.mutable_replay()->set_warmup_steps(2 * kRound);
  FakeRun run(config);
  run.Publish(1);
  run.after_append = [&run] {
    if (run.rollouts.size() == 3) run.state = v1::RUN_STATE_FINISHED;
    return absl::OkStatus();
  };
  auto loop = ActLoop::Create(config, 0, &run, &run);
  ASSERT_TRUE(loop.ok());
  ASSERT_TRUE((*loop)->Run().ok());
  ASSERT_EQ(run.rollouts.size(), 3);
  // The other actor is taken to be as fast.
  for (int r = 0; r < 3; ++r)
    EXPECT_THAT(ColumnAs<int64_t>(run.rollouts[r].columns(Columns().version)), Each(r < 2 ? 0 : 1));
}

TEST(ActLoopOffPolicyTest, CorrelatedNoiseEndsWithItsEpisode) {
  ExperimentConfig config = Config("Pendulum-v1", ActorsConfig::LOCKSTEP);
  auto* noise = config.mutable_ddpg()->mutable_noise()->mutable_ornstein_uhlenbeck();
  noise->set_rate(0);  // A random walk.
  noise->set_deviation(0.02);
  const auto network = MakeContinuousPolicy(config.model(), /*gaussian=*/false, VectorSpace(3),
                                            ContinuousActions(1));
  FakeRun run(config);
  Act(config, run, 60, /*env_steps=*/kRound);
  // Noise of the first and the last step of episodes of 15 steps, in deviations.
  double first = 0, last = 0;
  int64_t episodes = 0;
  std::vector<int64_t> length(kEnvironments);  // Steps so far.
  for (const v1::Rollout& rollout : run.rollouts) {
    const std::vector<float>& values = run.values.at(rollout.version());
    const std::vector<double> wide(values.begin(), values.end());
    const auto actions = ColumnAs<float>(rollout.columns(Columns().action));
    ForEachStep(
        rollout, 3,
        [&](int64_t step, const std::vector<double>& observation, const v1::Segment& segment) {
          const int64_t t = length[segment.environment()]++ % 15;
          const double unit = std::tanh(NaiveHead(network->network, 0, wide, {observation})[0]);
          if (std::abs(unit) > 0.5) return;  // Near a bound it may have been clipped.
          const double x = std::abs(actions[step] / 2 - unit) / 0.02;
          if (t == 0) first = std::max(first, x);
          if (t == 14) last = std::max(last, x);
          episodes += t == 14;
        });
  }
  EXPECT_GT(episodes, 10);
  EXPECT_LT(first, 5);
  EXPECT_GT(last, 5);
}

TEST(ActLoopOffPolicyTest, TheSameSeedAndVersionsGiveTheSameRollouts) {
  for (const bool continuous : {false, true}) {
    ExperimentConfig config = continuous ? Config("Pendulum-v1", ActorsConfig::LOCKSTEP) : Dqn();
    if (continuous) config.mutable_td3();
    FakeRun a(config), b(config);
    const auto first = Act(config, a, 3), second = Act(config, b, 3);
    for (int i = 0; i < 3; ++i)
      EXPECT_EQ(first[i].SerializeAsString(), second[i].SerializeAsString());
  }
}

TEST(ActLoopOffPolicyTest, AnAlgorithmForOtherActionsIsRefused) {
  ExperimentConfig config = Dqn();
  FakeRun run(config);
  config.mutable_environment()->set_id("Pendulum-v1");
  EXPECT_EQ(ActLoop::Create(config, 0, &run, &run).status().code(),
            absl::StatusCode::kInvalidArgument);
}

}  // namespace
}  // namespace cadre
