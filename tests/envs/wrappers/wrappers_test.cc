#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>

#include "envs/batch_of.h"
#include "envs/encoding.h"
#include "envs/sources.h"
#include "envs/wrappers/wrap.h"
#include "google/protobuf/text_format.h"

namespace cadre {
namespace {

using ::testing::Each;
using ::testing::ElementsAre;
using ::testing::FloatEq;
using ::testing::HasSubstr;

std::vector<float> AsFloats(absl::Span<const std::byte> bytes) {
  std::vector<float> values(bytes.size() / sizeof(float));
  std::memcpy(values.data(), bytes.data(), bytes.size());
  return values;
}

// Shows (step, last action); the reward is the action. Terminates in step 5.
class Echo final : public Environment {
 public:
  const EnvironmentSpec& spec() const override {
    static const EnvironmentSpec& spec =
        *new EnvironmentSpec{.id = "Echo-v0",
                             .observation = {{{.shape = {2}, .low = {0, -2}, .high = {10, 6}}}},
                             .action = {.kind = ActionSpace::Kind::kContinuous,
                                        .dimensions = 1,
                                        .low = {-2},
                                        .high = {6}},
                             .max_episode_steps = 1000,
                             .reward_threshold = 7};
    return spec;
  }
  void Reset(Random&, ObservationRow observation) override {
    step_ = 0;
    WriteObservation(std::array{0.0f, 0.0f}, observation[0]);
  }
  StepResult Step(absl::Span<const std::byte> action, Random&,
                  ObservationRow observation) override {
    const float value = ContinuousAction(action, 0, -2, 6);
    WriteObservation(std::array{static_cast<float>(++step_), value}, observation[0]);
    return {.reward = value, .terminated = step_ == 5};
  }

 private:
  int step_ = 0;
};

std::unique_ptr<VectorEnvironment> Echoes(int64_t count, int64_t max_episode_steps = 1000) {
  return std::make_unique<BatchOf<Echo>>(std::vector<Echo>(count), max_episode_steps);
}

std::unique_ptr<VectorEnvironment> Wrapped(std::unique_ptr<VectorEnvironment> inner,
                                           const std::string& text) {
  WrappersConfig config;
  EXPECT_TRUE(google::protobuf::TextFormat::ParseFromString(text, &config));
  const absl::StatusOr<EnvironmentSpec> spec = WrappedSpec(inner->spec(), config);
  auto environment = Wrap(std::move(inner), config);
  EXPECT_TRUE(environment.ok()) << environment.status();
  // What is said before is what is made.
  EXPECT_EQ(Describe(spec->observation), Describe((*environment)->spec().observation));
  EXPECT_EQ(spec->max_episode_steps, (*environment)->spec().max_episode_steps);
  EXPECT_TRUE((*environment)->Reset(1).ok());
  return *std::move(environment);
}

absl::Status StepWith(VectorEnvironment& environment, const std::vector<float>& actions) {
  return environment.Step(
      {reinterpret_cast<const std::byte*>(actions.data()), actions.size() * sizeof(float)});
}

TEST(BatchOfTest, StepsSomeAndRestartsSome) {
  auto echoes = Wrapped(Echoes(2), "");
  const std::vector<float> actions = {1, 2};
  const absl::Span<const std::byte> bytes(reinterpret_cast<const std::byte*>(actions.data()), 8);
  const std::vector<uint8_t> second = {0, 1};
  ASSERT_TRUE(echoes->Step(bytes).ok());
  ASSERT_TRUE(echoes->StepSome(bytes, second).ok());
  EXPECT_THAT(AsFloats(echoes->observations()[0]), ElementsAre(1, 1, 2, 2));
  EXPECT_THAT(echoes->rewards(), ElementsAre(0, 2));
  ASSERT_TRUE(echoes->Restart(second).ok());
  EXPECT_THAT(AsFloats(echoes->observations()[0]), ElementsAre(1, 1, 0, 0));
  ASSERT_TRUE(echoes->Step(bytes).ok());
  EXPECT_THAT(AsFloats(echoes->observations()[0]), ElementsAre(2, 1, 1, 2));
}

TEST(WrappersTest, WithoutAnyTheEnvironmentIsAsItIs) {
  auto echoes = Echoes(1);
  VectorEnvironment* const inner = echoes.get();
  EXPECT_EQ(Wrapped(std::move(echoes), "").get(), inner);
}

TEST(WrappersTest, ARepeatedActionAddsUpRewardsAndStopsAtTheEnd) {
  auto echoes = Wrapped(Echoes(2), "action_repeat: 3");
  EXPECT_EQ(echoes->spec().max_episode_steps, 334);
  ASSERT_TRUE(StepWith(*echoes, {1, 2}).ok());
  EXPECT_THAT(AsFloats(echoes->observations()[0]), ElementsAre(3, 1, 3, 2));
  EXPECT_THAT(echoes->rewards(), ElementsAre(3, 6));
  EXPECT_THAT(echoes->terminated(), ElementsAre(0, 0));
  ASSERT_TRUE(StepWith(*echoes, {1, 2}).ok());
  // Two more steps, not three; the new episode has not begun to be stepped.
  EXPECT_THAT(echoes->rewards(), ElementsAre(2, 4));
  EXPECT_THAT(echoes->terminated(), ElementsAre(1, 1));
  EXPECT_THAT(AsFloats(echoes->final_observations()[0]), ElementsAre(5, 1, 5, 2));
  EXPECT_THAT(AsFloats(echoes->observations()[0]), ElementsAre(0, 0, 0, 0));
  ASSERT_TRUE(StepWith(*echoes, {1, 2}).ok());
  EXPECT_THAT(echoes->terminated(), ElementsAre(0, 0));
}

TEST(WrappersTest, ARepeatedActionIsCutByTheTimeLimit) {
  auto echoes = Wrapped(Echoes(1, 4), "action_repeat: 3");
  ASSERT_TRUE(StepWith(*echoes, {1}).ok());
  ASSERT_TRUE(StepWith(*echoes, {1}).ok());
  EXPECT_THAT(echoes->rewards(), ElementsAre(1));
  EXPECT_THAT(echoes->truncated(), ElementsAre(1));
  EXPECT_THAT(AsFloats(echoes->final_observations()[0]), ElementsAre(4, 1));
}

TEST(WrappersTest, StickyActionsRepeatTheLastOneAsOftenAsTheySay) {
  constexpr int kEnvironments = 64;
  auto echoes = Wrapped(Echoes(kEnvironments), "sticky_action_probability: 0.25");
  int repeated = 0, steps = 0;
  std::vector<float> last(kEnvironments);
  for (int step = 0; step < 500; ++step) {
    const std::vector<float> actions(kEnvironments, step % 2 == 0 ? 1.0f : 2.0f);
    ASSERT_TRUE(StepWith(*echoes, actions).ok());
    for (int i = 0; i < kEnvironments; ++i) {
      const float done = echoes->rewards()[i];
      if (step % 5 == 0) {  // An episode's first.
        EXPECT_EQ(done, actions[i]);
      } else {
        ++steps;
        repeated += done != actions[i];
        EXPECT_TRUE(done == actions[i] || done == last[i]) << done;
      }
      last[i] = done;
    }
  }
  // A repeated action is the agent's own where the one before was repeated as well: of k steps
  // since the first, the action done differs from the agent's with a known share. Here the agent
  // alternates, so a repetition shows unless it repeats a repetition.
  const double share = static_cast<double>(repeated) / steps;
  EXPECT_NEAR(share, 0.20, 0.03);
}

TEST(WrappersTest, RescaledActionsReachTheBounds) {
  auto echoes = Wrapped(Echoes(4), "rescale_actions: true");
  EXPECT_THAT(echoes->spec().action.low, ElementsAre(-1));
  EXPECT_THAT(echoes->spec().action.high, ElementsAre(1));
  ASSERT_TRUE(StepWith(*echoes, {-1, 0, 1, 3}).ok());
  EXPECT_THAT(echoes->rewards(), ElementsAre(-2, 2, 6, 6));
  const absl::Status status = StepWith(*echoes, {0, std::nanf(""), 0, 0});
  EXPECT_THAT(status.message(), HasSubstr("environment 1: action component 0 is nan"));
}

TEST(WrappersTest, RewardsAreScaledThenClipped) {
  auto echoes = Wrapped(Echoes(3), "reward_scale: 0.5 reward_clip: 2");
  EXPECT_TRUE(std::isnan(echoes->spec().reward_threshold));
  ASSERT_TRUE(StepWith(*echoes, {-1, 2, 6}).ok());
  EXPECT_THAT(echoes->rewards(), ElementsAre(-0.5, 1, 2));
}

TEST(WrappersTest, ObservationsAreRescaledThenClipped) {
  auto echoes = Wrapped(Echoes(1), "rescale_observations: true observation_clip: 0.5");
  EXPECT_THAT(echoes->spec().observation.columns[0].low, Each(-0.5));
  ASSERT_TRUE(StepWith(*echoes, {3}).ok());
  EXPECT_THAT(AsFloats(echoes->observations()[0]), ElementsAre(-0.5, FloatEq(0.25)));
}

TEST(WrappersTest, AStackBeginsWithCopiesAndKeepsTheTrueLastFrames) {
  auto echoes = Wrapped(Echoes(1), "frame_stack: 3");
  EXPECT_THAT(echoes->spec().observation.columns[0].shape, ElementsAre(3, 2));
  EXPECT_THAT(AsFloats(echoes->observations()[0]), ElementsAre(0, 0, 0, 0, 0, 0));
  for (const float action : {1, 2, 3, 4}) ASSERT_TRUE(StepWith(*echoes, {action}).ok());
  EXPECT_THAT(AsFloats(echoes->observations()[0]), ElementsAre(2, 2, 3, 3, 4, 4));
  ASSERT_TRUE(StepWith(*echoes, {5}).ok());
  EXPECT_THAT(AsFloats(echoes->final_observations()[0]), ElementsAre(3, 3, 4, 4, 5, 5));
  EXPECT_THAT(AsFloats(echoes->observations()[0]), ElementsAre(0, 0, 0, 0, 0, 0));
}

TEST(WrappersTest, TheTimeIsAColumn) {
  auto echoes = Wrapped(Echoes(1, 4), "time_aware: true");
  ASSERT_EQ(echoes->spec().observation.columns[1].name, "time");
  ASSERT_TRUE(StepWith(*echoes, {1}).ok());
  EXPECT_THAT(AsFloats(echoes->observations()[1]), ElementsAre(0.25));
  for (int i = 0; i < 3; ++i) ASSERT_TRUE(StepWith(*echoes, {1}).ok());
  EXPECT_THAT(AsFloats(echoes->final_observations()[1]), ElementsAre(1));
  EXPECT_THAT(AsFloats(echoes->observations()[1]), ElementsAre(0));
}

TEST(WrappersTest, TheTimeLimitOfOneThatDoesNotCount) {
  auto echoes = LimitTime(Echoes(2), 3);
  EXPECT_EQ(echoes->spec().max_episode_steps, 3);
  ASSERT_TRUE(echoes->Reset(1).ok());
  for (int i = 0; i < 2; ++i) ASSERT_TRUE(StepWith(*echoes, {1, 2}).ok());
  ASSERT_TRUE(echoes->Restart(std::vector<uint8_t>{1, 0}).ok());
  ASSERT_TRUE(StepWith(*echoes, {1, 2}).ok());
  EXPECT_THAT(echoes->truncated(), ElementsAre(0, 1));
  EXPECT_THAT(AsFloats(echoes->final_observations()[0].subspan(8)), ElementsAre(3, 2));
  EXPECT_THAT(AsFloats(echoes->observations()[0]), ElementsAre(1, 1, 0, 0));
  ASSERT_TRUE(StepWith(*echoes, {1, 2}).ok());
  EXPECT_THAT(echoes->truncated(), ElementsAre(0, 0));
}

TEST(WrappersTest, TheEndOfTheEnvironmentItselfComesFirst) {
  auto echoes = LimitTime(Echoes(1), 5);
  ASSERT_TRUE(echoes->Reset(1).ok());
  for (int i = 0; i < 5; ++i) ASSERT_TRUE(StepWith(*echoes, {1}).ok());
  EXPECT_THAT(echoes->terminated(), ElementsAre(1));
  EXPECT_THAT(echoes->truncated(), ElementsAre(0));
  EXPECT_THAT(AsFloats(echoes->final_observations()[0]), ElementsAre(5, 1));
}

// Wrappers that cannot do anything say so.
TEST(WrappersTest, ConfigsThatMakeNoSense) {
  const auto error = [](const std::string& text) {
    EnvironmentConfig config;
    EXPECT_TRUE(google::protobuf::TextFormat::ParseFromString(text, &config));
    const absl::StatusOr<EnvironmentSpec> spec = FindEnvironment(config);
    EXPECT_FALSE(spec.ok());
    EXPECT_EQ(MakeVectorEnvironment(config, 1).status(), spec.status());
    return std::string(spec.status().message());
  };
  EXPECT_EQ(error("id: 'CartPole-v1' wrappers { rescale_actions: true }"),
            "environment.wrappers.rescale_actions: the actions of 'CartPole-v1' are 2 choices; "
            "wanted continuous ones with bounds");
  EXPECT_EQ(error(""),
            "environment: says nothing of which; wanted one of id, gymnasium { ... }, "
            "atari { ... }, mujoco { ... }, plugin { ... }");
}

}  // namespace
}  // namespace cadre
