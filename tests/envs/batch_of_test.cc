#include "envs/batch_of.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>

#include "envs/encoding.h"
#include "envs/registry.h"

namespace cadre {
namespace {

using ::testing::ElementsAre;

template <typename T>
absl::Span<const std::byte> AsBytes(const std::vector<T>& values) {
  return {reinterpret_cast<const std::byte*>(values.data()), values.size() * sizeof(T)};
}

std::vector<float> AsFloats(absl::Span<const std::byte> bytes) {
  std::vector<float> values(bytes.size() / sizeof(float));
  std::memcpy(values.data(), bytes.data(), bytes.size());
  return values;
}

// Observes (episode, step), both from 0; action 1 terminates.
class Counter final : public Environment {
 public:
  const EnvironmentSpec& spec() const override {
    static const EnvironmentSpec& spec =
        *new EnvironmentSpec{.id = "Counter-v0",
                             .observation = {{{.shape = {2}, .low = {0, 0}, .high = {1e9, 1e9}}}},
                             .action = ActionSpace::Discrete(2),
                             .max_episode_steps = 1000};
    return spec;
  }
  void Reset(Random&, ObservationRow observation) override {
    ++episode_;
    step_ = 0;
    WriteObservation(std::array{episode_, step_}, observation[0]);
  }
  StepResult Step(absl::Span<const std::byte> action, Random&,
                  ObservationRow observation) override {
    ++step_;
    WriteObservation(std::array{episode_, step_}, observation[0]);
    return {.reward = 10.0 * step_, .terminated = DiscreteAction(action) == 1};
  }

 private:
  int episode_ = -1;
  int step_ = 0;
};

BatchOf<Counter> Counters(int64_t count, int64_t max_episode_steps) {
  return {std::vector<Counter>(count), max_episode_steps};
}

absl::Status StepWith(VectorEnvironment& environment, const std::vector<int32_t>& actions) {
  return environment.Step(AsBytes(actions));
}

TEST(BatchOfTest, TerminationRestartsAndKeepsTheFinalObservation) {
  BatchOf<Counter> counters = Counters(2, 1000);
  ASSERT_TRUE(counters.Reset(1).ok());
  EXPECT_THAT(AsFloats(counters.observations()[0]), ElementsAre(0, 0, 0, 0));

  ASSERT_TRUE(StepWith(counters, {0, 0}).ok());
  EXPECT_THAT(AsFloats(counters.observations()[0]), ElementsAre(0, 1, 0, 1));
  EXPECT_THAT(counters.rewards(), ElementsAre(10, 10));
  EXPECT_THAT(counters.terminated(), ElementsAre(0, 0));

  ASSERT_TRUE(StepWith(counters, {0, 1}).ok());
  EXPECT_THAT(AsFloats(counters.observations()[0]), ElementsAre(0, 2, 1, 0));
  EXPECT_THAT(AsFloats(counters.final_observations()[0].subspan(8)), ElementsAre(0, 2));
  EXPECT_THAT(counters.rewards(), ElementsAre(20, 20));
  EXPECT_THAT(counters.terminated(), ElementsAre(0, 1));
  EXPECT_THAT(counters.truncated(), ElementsAre(0, 0));

  ASSERT_TRUE(StepWith(counters, {0, 0}).ok());
  EXPECT_THAT(AsFloats(counters.observations()[0]), ElementsAre(0, 3, 1, 1));
  EXPECT_THAT(counters.terminated(), ElementsAre(0, 0));
}

TEST(BatchOfTest, TheTimeLimitTruncatesEveryEpisodeAtItsOwnStep) {
  BatchOf<Counter> counters = Counters(2, 3);
  ASSERT_TRUE(counters.Reset(1).ok());
  ASSERT_TRUE(StepWith(counters, {0, 1}).ok());  // The second starts anew: one step behind.
  ASSERT_TRUE(StepWith(counters, {0, 0}).ok());
  EXPECT_THAT(counters.truncated(), ElementsAre(0, 0));
  ASSERT_TRUE(StepWith(counters, {0, 0}).ok());
  EXPECT_THAT(counters.truncated(), ElementsAre(1, 0));
  EXPECT_THAT(counters.terminated(), ElementsAre(0, 0));
  EXPECT_THAT(AsFloats(counters.final_observations()[0].subspan(0, 8)), ElementsAre(0, 3));
  EXPECT_THAT(AsFloats(counters.observations()[0]), ElementsAre(1, 0, 1, 2));
  ASSERT_TRUE(StepWith(counters, {0, 0}).ok());
  EXPECT_THAT(counters.truncated(), ElementsAre(0, 1));
}

TEST(BatchOfTest, TerminationAtTheTimeLimitIsNoTruncation) {
  BatchOf<Counter> counters = Counters(2, 2);
  ASSERT_TRUE(counters.Reset(1).ok());
  ASSERT_TRUE(StepWith(counters, {0, 0}).ok());
  ASSERT_TRUE(StepWith(counters, {1, 0}).ok());
  EXPECT_THAT(counters.terminated(), ElementsAre(1, 0));
  EXPECT_THAT(counters.truncated(), ElementsAre(0, 1));
}

TEST(BatchOfTest, WithoutATimeLimitNothingIsTruncated) {
  BatchOf<Counter> counters = Counters(1, 0);
  EXPECT_EQ(counters.spec().max_episode_steps, 0);
  ASSERT_TRUE(counters.Reset(1).ok());
  for (int step = 1; step <= 5000; ++step) {
    ASSERT_TRUE(StepWith(counters, {0}).ok());
    ASSERT_EQ(counters.truncated()[0], 0);
  }
  EXPECT_THAT(AsFloats(counters.observations()[0]), ElementsAre(0, 5000));
}

TEST(BatchOfTest, ResetStartsAllEpisodesAndTheirStepsAnew) {
  BatchOf<Counter> counters = Counters(1, 3);
  ASSERT_TRUE(counters.Reset(1).ok());
  ASSERT_TRUE(StepWith(counters, {0}).ok());
  ASSERT_TRUE(StepWith(counters, {1}).ok());
  ASSERT_TRUE(StepWith(counters, {0}).ok());
  ASSERT_TRUE(StepWith(counters, {0}).ok());
  ASSERT_TRUE(counters.Reset(1).ok());
  EXPECT_THAT(counters.rewards(), ElementsAre(0));
  EXPECT_THAT(AsFloats(counters.observations()[0]), ElementsAre(2, 0));
  ASSERT_TRUE(StepWith(counters, {0}).ok());
  EXPECT_THAT(counters.truncated(), ElementsAre(0));
}

TEST(BatchOfTest, RefusesWrongActionsAndKeepsItsState) {
  BatchOf<Counter> counters = Counters(2, 3);
  EXPECT_EQ(StepWith(counters, {0, 0}).message(), "Step before the first Reset");
  ASSERT_TRUE(counters.Reset(1).ok());
  EXPECT_EQ(StepWith(counters, {0}).message(),
            "actions have 4 bytes; wanted 8, 4 for each of 2 environments");
  EXPECT_EQ(StepWith(counters, {0, 2}).message(), "environment 1: action is 2; wanted 0 to 1");
  EXPECT_EQ(StepWith(counters, {-1, 0}).message(), "environment 0: action is -1; wanted 0 to 1");
  EXPECT_EQ(StepWith(counters, {0, 2}).code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(AsFloats(counters.observations()[0]), ElementsAre(0, 0, 0, 0));

  const auto pendulums = *MakeVectorEnvironment("Pendulum-v1", 2);
  ASSERT_TRUE(pendulums->Reset(1).ok());
  EXPECT_EQ(pendulums->Step(AsBytes<float>({0, NAN})).message(),
            "environment 1: action component 0 is nan; wanted a finite number");
  EXPECT_TRUE(pendulums->Step(AsBytes<float>({100, -100})).ok());  // Clipped.
}

// Random actions for N environments; those of environment i do not depend on N.
class Actions {
 public:
  Actions(const ActionSpace& space, int64_t count) : space_(space) {
    for (int64_t i = 0; i < count; ++i) random_.push_back(Random::ForStream(99, i));
  }
  std::vector<std::byte> Next() {
    std::vector<std::byte> actions(random_.size() * space_.bytes());
    for (size_t i = 0; i < random_.size(); ++i) {
      const uint64_t discrete = random_[i].Below(std::max<int64_t>(space_.alternatives(), 1));
      const auto number = static_cast<int32_t>(discrete);
      const auto value = static_cast<float>(random_[i].Uniform(-1, 1));
      if (space_.discrete()) {
        std::memcpy(&actions[i * 4], &number, 4);
      } else {
        std::memcpy(&actions[i * 4], &value, 4);  // The classic ones have one dimension.
      }
    }
    return actions;
  }

 private:
  const ActionSpace space_;
  std::vector<Random> random_;
};

class VectorEnvironmentTest : public testing::TestWithParam<std::string> {};

TEST_P(VectorEnvironmentTest, EqualsALoopOverSingleEnvironments) {
  constexpr int64_t kCount = 71, kLimit = 40;  // More than kLanes, and an odd rest.
  const auto vector = *MakeVectorEnvironment(GetParam(), kCount, kLimit);
  const size_t row = 4 * vector->spec().observation.elements();
  ASSERT_TRUE(vector->Reset(5).ok());

  std::vector<std::unique_ptr<Environment>> singles;
  std::vector<Random> random;
  std::vector<int64_t> lengths(kCount, 0);
  std::vector<std::byte> expected(row);
  for (int64_t i = 0; i < kCount; ++i) {
    singles.push_back(*MakeEnvironment(GetParam()));
    random.push_back(Random::ForStream(5, i));
    singles[i]->Reset(random[i], {absl::MakeSpan(expected)});
    ASSERT_EQ(vector->observations()[0].subspan(i * row, row), absl::MakeConstSpan(expected));
  }
  Actions actions(vector->spec().action, kCount);
  for (int step = 0; step < 300; ++step) {
    const std::vector<std::byte> batch = actions.Next();
    ASSERT_TRUE(vector->Step(batch).ok());
    for (int64_t i = 0; i < kCount; ++i) {
      const auto action = absl::MakeConstSpan(batch).subspan(i * 4, 4);
      const StepResult result = singles[i]->Step(action, random[i], {absl::MakeSpan(expected)});
      const bool truncated = !result.terminated && ++lengths[i] == kLimit;
      ASSERT_EQ(vector->rewards()[i], static_cast<float>(result.reward));
      ASSERT_EQ(vector->terminated()[i], result.terminated);
      ASSERT_EQ(vector->truncated()[i], truncated);
      if (result.terminated || truncated) {
        ASSERT_EQ(vector->final_observations()[0].subspan(i * row, row),
                  absl::MakeConstSpan(expected));
        singles[i]->Reset(random[i], {absl::MakeSpan(expected)});
        lengths[i] = 0;
      }
      ASSERT_EQ(vector->observations()[0].subspan(i * row, row), absl::MakeConstSpan(expected));
    }
  }
}

// Bytes and floats, and a mask that changes at each step.
TEST(BatchOfTest, EveryColumnEqualsALoopOverSingleEnvironments) {
  for (const char* id : {"DictionaryMatch-v0", "MaskedCorridor-v0"}) {
    constexpr int64_t kCount = 3;
    const auto vector = *MakeVectorEnvironment(id, kCount, 4);
    ASSERT_TRUE(vector->Reset(5).ok());
    const std::vector<ObservationColumn> shown =
        ShownColumns(vector->spec().observation, vector->spec().action);
    ASSERT_EQ(shown.size(), 2);
    ASSERT_EQ(vector->observations().size(), 2);

    std::vector<std::vector<std::byte>> rows;
    std::vector<absl::Span<std::byte>> row;
    for (const ObservationColumn& column : shown) rows.emplace_back(column.bytes());
    for (std::vector<std::byte>& bytes : rows) row.push_back(absl::MakeSpan(bytes));
    const auto expect_row = [&](ShownBlocks blocks, int64_t i) {
      for (size_t c = 0; c < rows.size(); ++c)
        ASSERT_EQ(blocks[c].subspan(i * rows[c].size(), rows[c].size()),
                  absl::MakeConstSpan(rows[c]))
            << id << " column " << c;
    };
    std::vector<std::unique_ptr<Environment>> singles;
    std::vector<Random> random;
    std::vector<int64_t> lengths(kCount, 0);
    for (int64_t i = 0; i < kCount; ++i) {
      singles.push_back(*MakeEnvironment(id));
      random.push_back(Random::ForStream(5, i));
      singles[i]->Reset(random[i], row);
      expect_row(vector->observations(), i);
    }
    int64_t ends = 0;
    for (int32_t step = 0; step < 40; ++step) {
      const std::vector<int32_t> actions = {step % 4, (step + 1) % 4, 3};
      ASSERT_TRUE(StepWith(*vector, actions).ok());
      for (int64_t i = 0; i < kCount; ++i) {
        const StepResult result = singles[i]->Step(AsBytes<int32_t>({actions[i]}), random[i], row);
        if (result.terminated || ++lengths[i] == 4) {
          expect_row(vector->final_observations(), i);
          singles[i]->Reset(random[i], row);
          lengths[i] = 0;
          ++ends;
        }
        expect_row(vector->observations(), i);
      }
    }
    EXPECT_GT(ends, 20);
  }
}

TEST_P(VectorEnvironmentTest, AnEnvironmentDoesNotDependOnHowManyThereAre) {
  const auto few = *MakeVectorEnvironment(GetParam(), 2, 30);
  const auto many = *MakeVectorEnvironment(GetParam(), 77, 30);
  ASSERT_TRUE(few->Reset(3).ok());
  ASSERT_TRUE(many->Reset(3).ok());
  Actions few_actions(few->spec().action, 2), many_actions(few->spec().action, 77);
  for (int step = 0; step < 200; ++step) {
    const absl::Span<const std::byte> rows = few->observations()[0];
    ASSERT_EQ(rows, many->observations()[0].subspan(0, rows.size())) << "at step " << step;
    ASSERT_TRUE(few->Step(few_actions.Next()).ok());
    ASSERT_TRUE(many->Step(many_actions.Next()).ok());
  }
}

TEST_P(VectorEnvironmentTest, EnvironmentsAndSeedsDiffer) {
  const auto vector = *MakeVectorEnvironment(GetParam(), 2);
  const size_t row = 4 * vector->spec().observation.elements();
  ASSERT_TRUE(vector->Reset(1).ok());
  const auto first = vector->observations()[0].subspan(0, row);
  EXPECT_NE(first, vector->observations()[0].subspan(row, row));
  const std::vector<std::byte> before(first.begin(), first.end());
  ASSERT_TRUE(vector->Reset(2).ok());
  EXPECT_NE(absl::MakeConstSpan(before), vector->observations()[0].subspan(0, row));
  ASSERT_TRUE(vector->Reset(1).ok());
  EXPECT_EQ(absl::MakeConstSpan(before), vector->observations()[0].subspan(0, row));
}

INSTANTIATE_TEST_SUITE_P(Classic, VectorEnvironmentTest,
                         testing::Values("Acrobot-v1", "CartPole-v1", "MountainCar-v0",
                                         "MountainCarContinuous-v0", "Pendulum-v1"),
                         [](const testing::TestParamInfo<std::string>& info) {
                           return info.param.substr(0, info.param.find('-'));
                         });

}  // namespace
}  // namespace cadre
