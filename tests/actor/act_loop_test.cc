// ActLoop on one thread between two fake ports: each rollout is answered on the spot.
#include "actor/act_loop.h"

#include <cmath>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "common/experience/experience_spec.h"
#include "common/tensor_view.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "policy/on_policy_columns.h"
#include "tests/actor/fake_run.h"
#include "tests/policy/example_networks.h"

namespace cadre {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using Columns = OnPolicyColumns;

constexpr int64_t kEnvironments = 3;
constexpr int64_t kSteps = 7;

ExperimentConfig CartPoleConfig(ActorsConfig::Mode mode) {
  ExperimentConfig config;
  config.set_name("acting");
  config.mutable_environment()->set_id("CartPole-v1");
  config.mutable_environment()->set_max_episode_steps(15);  // Some are truncated.
  *config.mutable_model() = MlpModelConfig({5});
  config.mutable_ppo()->set_gamma(0.9);
  config.mutable_normalization()->set_rewards(true);
  config.mutable_actors()->set_environments_per_actor(kEnvironments);
  config.mutable_actors()->set_segment_length(kSteps);
  config.mutable_actors()->set_mode(mode);
  config.set_seed(11);
  return config;
}

// Lockstep for `count` rollouts, each answered with the next version.
std::vector<v1::Rollout> ActInLockstep(const ExperimentConfig& config, FakeRun& run, int count,
                                       int64_t first_version = 1) {
  run.Publish(first_version);
  run.after_append = [&run, count] {
    if (static_cast<int>(run.rollouts.size()) == count)
      run.state = v1::RUN_STATE_FINISHED;
    else
      run.Publish(run.newest->version() + 1);
    return absl::OkStatus();
  };
  auto loop = ActLoop::Create(config, 2, &run, &run);
  EXPECT_TRUE(loop.ok()) << loop.status();
  const absl::Status status = (*loop)->Run();
  EXPECT_TRUE(status.ok()) << status;
  EXPECT_EQ((*loop)->steps(), count * kEnvironments * kSteps);
  return run.rollouts;
}

v1::ExperienceSpec Spec(const ExperimentConfig& config) {
  return OnPolicySpec(config, VectorSpace(4), DiscreteActions(2));
}

TEST(ActLoopTest, LockstepActsOnceWithEachVersion) {
  const ExperimentConfig config = CartPoleConfig(ActorsConfig::LOCKSTEP);
  FakeRun run(config);
  const auto rollouts = ActInLockstep(config, run, 4, /*first_version=*/5);
  EXPECT_THAT(run.waited_for, ElementsAre(0, 5, 6, 7, 8));
  EXPECT_EQ(run.asked_newest, 0);
  ASSERT_EQ(rollouts.size(), 4);
  for (int i = 0; i < 4; ++i) {
    EXPECT_TRUE(ValidateRollout(Spec(config), rollouts[i]).ok());
    EXPECT_EQ(RolloutSteps(rollouts[i]), kEnvironments * kSteps);
    EXPECT_EQ(rollouts[i].version(), 5 + i);
    EXPECT_EQ(rollouts[i].actor(), 2);
    EXPECT_THAT(ColumnAs<int64_t>(rollouts[i].columns(Columns().version)), testing::Each(5 + i));
  }
}

TEST(ActLoopTest, LockstepDoesNotActTwiceWithOneVersion) {
  const ExperimentConfig config = CartPoleConfig(ActorsConfig::LOCKSTEP);
  FakeRun run(config);
  run.Publish(1);
  auto loop = ActLoop::Create(config, 0, &run, &run);
  ASSERT_TRUE(loop.ok());
  EXPECT_EQ((*loop)->Run().code(), absl::StatusCode::kCancelled);
  EXPECT_EQ(run.rollouts.size(), 1);
}

TEST(ActLoopTest, ARefusedRolloutIsMadeAgainWithTheSameVersionInLockstep) {
  const ExperimentConfig config = CartPoleConfig(ActorsConfig::LOCKSTEP);
  FakeRun run(config);
  run.Publish(1);
  run.after_append = [&run] {
    if (run.rollouts.size() < 3) return absl::InvalidArgumentError("column 'reward' is nan");
    run.state = v1::RUN_STATE_FINISHED;
    return absl::OkStatus();
  };
  auto loop = ActLoop::Create(config, 0, &run, &run);
  ASSERT_TRUE(loop.ok());
  EXPECT_EQ((*loop)->Run(), absl::OkStatus());
  EXPECT_EQ(run.rollouts.size(), 3);
  for (const v1::Rollout& rollout : run.rollouts) EXPECT_EQ(rollout.version(), 1);
}

TEST(ActLoopTest, AnActorOfWhichAllRolloutsAreRefusedEndsWithTheReason) {
  for (const auto mode : {ActorsConfig::LOCKSTEP, ActorsConfig::ASYNCHRONOUS}) {
    const ExperimentConfig config = CartPoleConfig(mode);
    FakeRun run(config);
    run.Publish(1);
    run.after_append = [] { return absl::InvalidArgumentError("column 'reward' is nan"); };
    auto loop = ActLoop::Create(config, 0, &run, &run);
    ASSERT_TRUE(loop.ok());
    const absl::Status status = (*loop)->Run();
    EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
    EXPECT_EQ(status.message(), "20 rollouts in a row were refused: column 'reward' is nan");
    EXPECT_EQ(run.rollouts.size(), 20);
  }
}

TEST(ActLoopTest, APolicyThatHasDivergedIsNotAUsageError) {
  ExperimentConfig config = CartPoleConfig(ActorsConfig::LOCKSTEP);
  config.mutable_environment()->set_id("Pendulum-v1");
  FakeRun run(config);
  run.Publish(1);
  const std::vector<float> huge(run.layout.size(), 3e38f);  // Finite; sums of them are not.
  auto diverged = std::make_shared<v1::Parameters>(*run.newest);
  diverged->set_values(huge.data(), huge.size() * sizeof(float));
  diverged->set_env_steps(640);
  run.newest = std::move(diverged);
  auto loop = ActLoop::Create(config, 0, &run, &run);
  ASSERT_TRUE(loop.ok());
  const absl::Status status = (*loop)->Run();
  EXPECT_EQ(status.code(), absl::StatusCode::kDataLoss);
  EXPECT_THAT(std::string(status.message()),
              HasSubstr("the policy of version 1, learned from 640 steps, has diverged"));
}

TEST(ActLoopTest, DelayedActorsActWithTheVersionsOfSoManyRolloutsBefore) {
  ExperimentConfig config = CartPoleConfig(ActorsConfig::LOCKSTEP);
  config.mutable_actors()->set_delay_versions(2);
  FakeRun run(config);
  const auto rollouts = ActInLockstep(config, run, 6);
  EXPECT_THAT(run.waited_for, ElementsAre(0, 1, 2, 3, 4, 5, 6)) << "still one for each update";
  std::vector<int64_t> versions;
  for (const v1::Rollout& rollout : rollouts) {
    versions.push_back(rollout.version());
    EXPECT_THAT(ColumnAs<int64_t>(rollout.columns(Columns().version)),
                testing::Each(rollout.version()));
  }
  EXPECT_THAT(versions, ElementsAre(1, 1, 1, 2, 3, 4));
}

TEST(ActLoopTest, AsynchronousStepsCarryTheVersionThatChoseThem) {
  const ExperimentConfig config = CartPoleConfig(ActorsConfig::ASYNCHRONOUS);
  FakeRun run(config);
  run.Publish(3);
  // A new version every fourth step, skipping some.
  run.before_newest = [&run](int step) {
    if (step % 4 == 0) run.Publish(3 + step);
  };
  run.after_append = [&run] {
    if (run.rollouts.size() == 3) run.state = v1::RUN_STATE_FINISHED;
    return absl::OkStatus();
  };
  auto loop = ActLoop::Create(config, 0, &run, &run);
  ASSERT_TRUE(loop.ok());
  ASSERT_TRUE((*loop)->Run().ok());
  // The newest whatever it is, but one at least; and it does not wait in between.
  EXPECT_THAT(run.waited_for, ElementsAre(0, 6, 14, 22));
  ASSERT_EQ(run.rollouts.size(), 3);
  for (int r = 0; r < 3; ++r) {
    int64_t oldest = 0;
    const auto versions = ColumnAs<int64_t>(run.rollouts[r].columns(Columns().version));
    for (int64_t e = 0; e < kEnvironments; ++e)
      for (int64_t t = 0; t < kSteps; ++t) {
        const int64_t step = r * kSteps + t + 1;  // Newest was asked so many times by then.
        const int64_t version = step < 4 ? 3 : 3 + step / 4 * 4;
        EXPECT_EQ(versions[e * kSteps + t], version) << "rollout " << r << ", step " << t;
        if (t == 0) oldest = version;
      }
    EXPECT_EQ(run.rollouts[r].version(), oldest);
  }
}

TEST(ActLoopTest, LogProbsAreThoseOfTheVersionThatActed) {
  const ExperimentConfig config = CartPoleConfig(ActorsConfig::LOCKSTEP);
  const ActorCriticNetwork network = ExampleNetwork(config.model(), 4, DiscreteActions(2));
  FakeRun run(config);
  for (const v1::Rollout& rollout : ActInLockstep(config, run, 3)) {
    const auto observations = ColumnAs<float>(rollout.columns(0));
    const auto actions = ColumnAs<int32_t>(rollout.columns(Columns().action));
    const auto log_probs = ColumnAs<float>(rollout.columns(Columns().log_prob));
    int64_t step = 0, row = 0;
    for (const v1::Segment& segment : rollout.segments()) {
      for (int t = 0; t < segment.length(); ++t, ++step, ++row) {
        const auto begin = observations.begin() + 4 * row;
        const std::vector<double> logits =
            NaivePolicy(network, run.values[rollout.version()], {begin, begin + 4});
        const double log_sum = std::log(std::exp(logits[0]) + std::exp(logits[1]));
        ASSERT_NEAR(log_probs[step], logits[actions[step]] - log_sum, 1e-5);
      }
      ++row;  // The segment's last observation.
    }
  }
}

TEST(ActLoopTest, EpisodesAndReturnsAreThoseOfTheSteps) {
  const ExperimentConfig config = CartPoleConfig(ActorsConfig::LOCKSTEP);
  FakeRun run(config);
  const auto rollouts = ActInLockstep(config, run, 20);
  struct Running {
    double total = 0;
    int64_t length = 0;
    float discounted = 0;
    std::vector<float> observation;  // Where a cut segment ended.
  };
  std::vector<Running> running(kEnvironments);
  int terminated = 0, truncated = 0;
  for (const v1::Rollout& rollout : rollouts) {
    const auto observations = ColumnAs<float>(rollout.columns(0));
    const auto rewards = ColumnAs<float>(rollout.columns(Columns().reward));
    const auto discounted = ColumnAs<float>(rollout.columns(Columns().discounted_return));
    std::vector<std::pair<double, int64_t>> ended, reported;
    int64_t step = 0, row = 0;
    for (const v1::Segment& segment : rollout.segments()) {
      Running& episode = running[segment.environment()];
      if (episode.length > 0) {
        EXPECT_THAT(episode.observation,
                    testing::ElementsAreArray(observations.subspan(4 * row, 4)))
            << "an episode does not go on where it was cut";
      }
      for (int t = 0; t < segment.length(); ++t, ++step) {
        episode.total += rewards[step];
        ++episode.length;
        episode.discounted = rewards[step] + 0.9f * episode.discounted;
        ASSERT_FLOAT_EQ(discounted[step], episode.discounted);
      }
      row += segment.length();
      const auto last = observations.subspan(4 * row, 4);
      episode.observation.assign(last.begin(), last.end());
      ++row;
      if (segment.end() == v1::SEGMENT_END_CUT) continue;
      // CartPole falls outside of these; a time limit leaves it inside.
      const bool fallen = std::abs(last[0]) > 2.4f || std::abs(last[2]) > 0.2094f;
      EXPECT_EQ(segment.end() == v1::SEGMENT_END_TERMINATED, fallen);
      EXPECT_EQ(segment.end() == v1::SEGMENT_END_TRUNCATED, episode.length == 15 && !fallen);
      ++(fallen ? terminated : truncated);
      ended.emplace_back(episode.total, episode.length);
      episode = Running();
    }
    for (const v1::Episode& episode : rollout.episodes())
      reported.emplace_back(episode.total_reward(), episode.length());
    EXPECT_THAT(reported, testing::UnorderedElementsAreArray(ended));
  }
  EXPECT_GT(terminated, 3);
  EXPECT_GT(truncated, 3);
}

TEST(ActLoopTest, TheSameSeedAndVersionsGiveTheSameRollouts) {
  const ExperimentConfig config = CartPoleConfig(ActorsConfig::LOCKSTEP);
  FakeRun a(config), b(config), later(config);
  const auto first = ActInLockstep(config, a, 3);
  const auto second = ActInLockstep(config, b, 3);
  for (int i = 0; i < 3; ++i)
    EXPECT_EQ(first[i].SerializeAsString(), second[i].SerializeAsString());
  // A restarted actor begins with a later version, and with other random numbers.
  const auto restarted = ActInLockstep(config, later, 1, /*first_version=*/2);
  EXPECT_NE(restarted[0].columns(0), first[0].columns(0));
}

TEST(ActLoopTest, AFailingPortEndsItUnlessTheRunIsFinished) {
  const ExperimentConfig config = CartPoleConfig(ActorsConfig::LOCKSTEP);
  for (const bool finished : {false, true}) {
    FakeRun run(config);
    run.Publish(1);
    run.after_append = [&run, finished] {
      if (finished) run.state = v1::RUN_STATE_FINISHED;
      return absl::UnavailableError("the replay server is gone");
    };
    auto loop = ActLoop::Create(config, 0, &run, &run);
    ASSERT_TRUE(loop.ok());
    EXPECT_EQ((*loop)->Run().code(),
              finished ? absl::StatusCode::kOk : absl::StatusCode::kUnavailable);
  }
}

TEST(ActLoopTest, AStopEndsItInTheMiddleOfARollout) {
  const ExperimentConfig config = CartPoleConfig(ActorsConfig::ASYNCHRONOUS);
  FakeRun run(config);
  run.Publish(1);
  auto loop = ActLoop::Create(config, 0, &run, &run);
  ASSERT_TRUE(loop.ok()) << loop.status();
  run.before_newest = [&](int asked) {
    if (asked == kSteps + 3) (*loop)->RequestStop();
  };
  EXPECT_EQ((*loop)->Run().code(), absl::StatusCode::kCancelled);
  EXPECT_EQ(run.rollouts.size(), 1);
  EXPECT_EQ((*loop)->steps(), (kSteps + 3) * kEnvironments);
}

TEST(ActLoopTest, ParametersOfAnotherNetworkEndIt) {
  const ExperimentConfig config = CartPoleConfig(ActorsConfig::LOCKSTEP);
  ExperimentConfig other = config;
  *other.mutable_model() = MlpModelConfig({6});
  FakeRun run(other);
  run.Publish(1);
  auto loop = ActLoop::Create(config, 0, &run, &run);
  ASSERT_TRUE(loop.ok());
  const absl::Status status = (*loop)->Run();
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(status.message()), HasSubstr("this config's network"));
}

TEST(ActLoopTest, AnUnknownEnvironmentIsNotFound) {
  ExperimentConfig config = CartPoleConfig(ActorsConfig::LOCKSTEP);
  FakeRun run(config);
  config.mutable_environment()->set_id("CartPole-v9");
  EXPECT_EQ(ActLoop::Create(config, 0, &run, &run).status().code(), absl::StatusCode::kNotFound);
}

}  // namespace
}  // namespace cadre
