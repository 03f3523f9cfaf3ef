// Python environments of every kind, and every way in which they break. Needs a Python with numpy,
// $CADRE_PYTHON; skipped without one.
#include "envs/python/python_environments.h"

#include <signal.h>
#include <unistd.h>

#include <cmath>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/process/monotonic_time.h"
#include "common/tensor_view.h"
#include "envs/python/python_source.h"
#include "envs/sources.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace cadre {
namespace {

using ::testing::AllOf;
using ::testing::Each;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

constexpr int64_t kNone = -1;

class PythonEnvironmentsTest : public testing::Test {
 protected:
  void SetUp() override {
    ::setenv("PYTHONPATH", FAULTY_ENVIRONMENT_FOLDER, 1);
    const char* const python = std::getenv("CADRE_PYTHON");
    if (python != nullptr && ::access(python, X_OK) != 0) GTEST_SKIP() << "there is no " << python;
  }

  static EnvironmentConfig Config(
      const std::string& name,
      const std::vector<std::pair<std::string, std::string>>& kwargs = {}) {
    EnvironmentConfig config;
    config.mutable_gymnasium()->set_entry_point(absl::StrCat("faulty_environment:", name));
    for (const auto& [key, value] : kwargs)
      (*config.mutable_gymnasium()->mutable_kwargs())[key] = value;
    return config;
  }

  static std::unique_ptr<VectorEnvironment> Make(const EnvironmentConfig& config, int64_t count) {
    auto made = MakeVectorEnvironment(config, count);
    EXPECT_TRUE(made.ok()) << made.status();
    return made.ok() ? *std::move(made) : nullptr;
  }

  // One that is not there yet.
  std::string NewFile() const {
    const auto* const test = testing::UnitTest::GetInstance()->current_test_info();
    std::string name = absl::StrCat(testing::TempDir(), "/once-", ::getpid(), "-", test->name());
    for (char& c : name) c = c == '.' ? '_' : c;
    std::filesystem::create_directories(std::filesystem::path(name).parent_path());
    std::filesystem::remove(name);
    return name;
  }
};

absl::Span<const std::byte> Bytes(const std::vector<int32_t>& actions) {
  return {reinterpret_cast<const std::byte*>(actions.data()), actions.size() * sizeof(int32_t)};
}

absl::Span<const std::byte> FloatBytes(const std::vector<float>& actions) {
  return {reinterpret_cast<const std::byte*>(actions.data()), actions.size() * sizeof(float)};
}

// Row i of a float column.
std::vector<float> Row(absl::Span<const std::byte> block, size_t i, size_t elements) {
  std::vector<float> row(elements);
  std::memcpy(row.data(), block.data() + i * elements * sizeof(float), elements * sizeof(float));
  return row;
}

// Counter's observation without the seed: episode, step, action.
std::vector<float> Shown(const VectorEnvironment& environments, size_t i) {
  std::vector<float> row = Row(environments.observations()[0], i, 4);
  return {row[1], row[2], row[3]};
}

std::vector<uint8_t> Flags(absl::Span<const uint8_t> flags) { return {flags.begin(), flags.end()}; }

TEST_F(PythonEnvironmentsTest, StepsInOrderAndKeepsFinalObservations) {
  EnvironmentConfig config = Config("Counter", {{"length", "2"}});
  config.mutable_gymnasium()->set_workers(2);
  const auto environments = Make(config, 3);
  ASSERT_NE(environments, nullptr);
  EXPECT_EQ(environments->Step(Bytes({0, 0, 0})).code(), absl::StatusCode::kFailedPrecondition);
  ASSERT_TRUE(environments->Reset(1).ok());
  EXPECT_EQ(Describe(environments->spec().action), "3 choices");
  EXPECT_EQ(Describe(environments->spec().observation), "float32[4]");
  for (int i = 0; i < 3; ++i) EXPECT_THAT(Shown(*environments, i), ElementsAre(0, 0, 0));

  ASSERT_TRUE(environments->Step(Bytes({0, 1, 2})).ok());
  EXPECT_THAT(Shown(*environments, 0), ElementsAre(0, 1, 5));  // Choices begin at 5.
  EXPECT_THAT(Shown(*environments, 2), ElementsAre(0, 1, 7));
  EXPECT_THAT(environments->rewards(), Each(1));
  EXPECT_THAT(Flags(environments->terminated()), Each(0));

  ASSERT_TRUE(environments->Step(Bytes({2, 1, 0})).ok());
  EXPECT_THAT(environments->rewards(), Each(2));
  EXPECT_THAT(Flags(environments->terminated()), Each(1));
  EXPECT_THAT(Flags(environments->truncated()), Each(0));
  for (int i = 0; i < 3; ++i) EXPECT_THAT(Shown(*environments, i), ElementsAre(1, 0, 0));
  const std::vector<float> last = Row(environments->final_observations()[0], 0, 4);
  EXPECT_EQ(last[2], 2);
  EXPECT_EQ(last[3], 7);
  EXPECT_EQ(environments->Step(Bytes({0, 3, 0})).code(), absl::StatusCode::kInvalidArgument);
}

TEST_F(PythonEnvironmentsTest, SeedsDifferByRowAndFollowFromTheBatchs) {
  EnvironmentConfig config = Config("Counter");
  const auto seeds = [&](uint64_t seed, int workers) {
    config.mutable_gymnasium()->set_workers(workers);
    const auto environments = Make(config, 3);
    EXPECT_TRUE(environments->Reset(seed).ok());
    std::vector<float> seen;
    for (int i = 0; i < 3; ++i) seen.push_back(Row(environments->observations()[0], i, 4)[0]);
    return seen;
  };
  const std::vector<float> once = seeds(7, 1);
  EXPECT_NE(once[0], once[1]);
  EXPECT_EQ(seeds(7, 3), once);
  EXPECT_NE(seeds(8, 1), once);
}

TEST_F(PythonEnvironmentsTest, StepsSomeAndRestartsSome) {
  const auto environments = Make(Config("Counter"), 2);
  ASSERT_TRUE(environments->Reset(1).ok());
  ASSERT_TRUE(environments->StepSome(Bytes({1, 1}), std::vector<uint8_t>{0, 1}).ok());
  EXPECT_THAT(Shown(*environments, 0), ElementsAre(0, 0, 0));
  EXPECT_THAT(Shown(*environments, 1), ElementsAre(0, 1, 6));
  EXPECT_THAT(environments->rewards(), ElementsAre(0, 1));
  ASSERT_TRUE(environments->Restart(std::vector<uint8_t>{0, 1}).ok());
  EXPECT_THAT(Shown(*environments, 0), ElementsAre(0, 0, 0));
  EXPECT_THAT(Shown(*environments, 1), ElementsAre(1, 0, 0));
}

TEST_F(PythonEnvironmentsTest, AStepEndsAnEpisodeInOneWay) {
  const auto environments = Make(Config("Truncating", {{"length", "1"}}), 1);
  ASSERT_TRUE(environments->Reset(1).ok());
  ASSERT_TRUE(environments->Step(Bytes({1})).ok());
  EXPECT_EQ(environments->terminated()[0], 1);
  EXPECT_EQ(environments->truncated()[0], 0);
}

TEST_F(PythonEnvironmentsTest, ATimeLimitOfTheConfigTruncates) {
  EnvironmentConfig config = Config("Counter", {{"length", "100"}});
  config.set_max_episode_steps(2);
  const auto environments = Make(config, 1);
  ASSERT_TRUE(environments->Reset(1).ok());
  ASSERT_TRUE(environments->Step(Bytes({1})).ok());
  ASSERT_TRUE(environments->Step(Bytes({2})).ok());
  EXPECT_EQ(environments->truncated()[0], 1);
  EXPECT_EQ(Row(environments->final_observations()[0], 0, 4)[2], 2);
  EXPECT_THAT(Shown(*environments, 0), ElementsAre(1, 0, 0));
}

TEST_F(PythonEnvironmentsTest, EverySpaceBecomesNamedColumns) {
  const auto environments = Make(Config("Everything"), 1);
  ASSERT_NE(environments, nullptr);
  EXPECT_EQ(Describe(environments->spec().observation),
            "image uint8[2,3], floor float32[3], inner.0 float32[5], inner.1 float32[2], "
            "wide float32[2]");
  EXPECT_EQ(Describe(environments->spec().action), "choices of [2,4]");
  EXPECT_EQ(environments->spec().observation.columns[0].high[5], 255);
  EXPECT_TRUE(std::isinf(Make(Config("Counter"), 1)->spec().observation.columns[0].high[0]));
  ASSERT_TRUE(environments->Reset(1).ok());
  ASSERT_TRUE(environments->Step(Bytes({1, 3})).ok());
  EXPECT_EQ(environments->rewards()[0], 13);
  const ShownBlocks shown = environments->observations();
  EXPECT_EQ(static_cast<int>(shown[0][4]), 200);
  EXPECT_THAT(Row(shown[1], 0, 3), ElementsAre(0, 1, 0));
  EXPECT_THAT(Row(shown[2], 0, 5), ElementsAre(0, 1, 0, 0, 1));
  EXPECT_THAT(Row(shown[3], 0, 2), ElementsAre(0, 1));
  EXPECT_THAT(Row(shown[4], 0, 2), ElementsAre(0.25f, -0.5f));
}

TEST_F(PythonEnvironmentsTest, ContinuousActionsAreClipped) {
  const auto environments = Make(Config("Driven"), 1);
  ASSERT_TRUE(environments->Reset(1).ok());
  EXPECT_THAT(environments->spec().action.high, ElementsAre(2, 2));
  ASSERT_TRUE(environments->Step(FloatBytes({0.5f, 9})).ok());
  EXPECT_EQ(environments->rewards()[0], 2.5f);
}

TEST_F(PythonEnvironmentsTest, ShowsMasks) {
  for (const char* name : {"Masked", "MaskedByInfo"}) {
    const auto environments = Make(Config(name, {{"length", "2"}}), 1);
    ASSERT_NE(environments, nullptr);
    EXPECT_EQ(Describe(environments->spec().action), "3 choices, masked");
    ASSERT_TRUE(environments->Reset(1).ok());
    const auto mask = [](ShownBlocks blocks) { return ColumnAs<uint8_t>(blocks[1]); };
    EXPECT_THAT(mask(environments->observations()), ElementsAre(1, 0, 0));
    ASSERT_TRUE(environments->Step(Bytes({0})).ok());
    EXPECT_THAT(mask(environments->observations()), ElementsAre(0, 1, 0));
    ASSERT_TRUE(environments->Step(Bytes({1})).ok());
    EXPECT_THAT(mask(environments->observations()), ElementsAre(1, 0, 0));
    EXPECT_THAT(mask(environments->final_observations()), ElementsAre(1, 1, 1));
  }
}

// A fault happens in the third step of environment 0 of a worker of two; the other worker's
// environments do not notice.
struct Fault {
  const char* kind;
  const char* says;
};
class PythonFaultTest : public PythonEnvironmentsTest, public testing::WithParamInterface<Fault> {};

TEST_P(PythonFaultTest, TheWorkerIsReplacedAndItsStepIsSkipped) {
  EnvironmentConfig config = Config(
      "Counter", {{"length", "5"}, {"fault", GetParam().kind}, {"at", "3"}, {"once", NewFile()}});
  config.mutable_gymnasium()->set_workers(2);
  config.mutable_gymnasium()->set_timeout_seconds(std::string(GetParam().kind) == "hang" ? 0.5
                                                                                         : 60);
  const auto environments = Make(config, 4);
  ASSERT_NE(environments, nullptr);
  ASSERT_TRUE(environments->Reset(1).ok());
  for (int step = 0; step < 2; ++step) ASSERT_TRUE(environments->Step(Bytes({0, 1, 2, 0})).ok());
  EXPECT_THAT(environments->TakeFaults(), testing::IsEmpty());
  const absl::Status status = environments->Step(Bytes({0, 1, 2, 0}));
  ASSERT_TRUE(status.ok()) << status;

  const std::vector<uint8_t> skipped = Flags(environments->skipped());
  const bool first_broke = skipped[0] != 0;
  EXPECT_EQ(skipped,
            first_broke ? std::vector<uint8_t>({1, 1, 0, 0}) : std::vector<uint8_t>({0, 0, 1, 1}));
  for (int i = 0; i < 4; ++i) {
    EXPECT_EQ(environments->rewards()[i], skipped[i] ? 0 : 3) << i;
    EXPECT_EQ(environments->terminated()[i] | environments->truncated()[i], 0) << i;
    EXPECT_EQ(Shown(*environments, i)[1], skipped[i] ? 0 : 3) << i;
  }
  const std::vector<std::string> faults = environments->TakeFaults();
  ASSERT_EQ(faults.size(), 1u);
  EXPECT_THAT(faults[0], AllOf(HasSubstr("'faulty_environment:Counter'"),
                               HasSubstr(GetParam().says), Not(HasSubstr("\n"))));
  // It goes on as if nothing had been.
  ASSERT_TRUE(environments->Step(Bytes({0, 1, 2, 0})).ok());
  EXPECT_THAT(Flags(environments->skipped()), Each(0));
  EXPECT_EQ(Shown(*environments, first_broke ? 0 : 2)[1], 1);
  EXPECT_EQ(Shown(*environments, first_broke ? 2 : 0)[1], 4);
}

INSTANTIATE_TEST_SUITE_P(
    Kinds, PythonFaultTest,
    testing::Values(Fault{"raise", " of 'faulty_environment:Counter', step: "},
                    Fault{"raise", "faulty_environment.py:"},
                    Fault{"hang", "wanted a step or a reset within 500ms"},
                    Fault{"exit", "it ended with status 7"},
                    Fault{"kill", "it was killed by signal 9"},
                    Fault{"nan",
                          "element 2 of its observation 'obs' is nan; wanted a finite number"},
                    Fault{"infinite_reward", "its reward is inf; wanted a finite number"},
                    Fault{"shape", "observation 'obs' is float32[3]; wanted float32[4]"},
                    Fault{"dtype", "observation 'obs' is <U1[4]; wanted float32[4]"},
                    Fault{"reward", "reward is str 'much'; wanted a number"},
                    Fault{"none", "observation 'obs' is NoneType None; wanted float32[4]"}),
    [](const auto& info) { return absl::StrCat(info.param.kind, info.index); });

TEST_F(PythonEnvironmentsTest, OneThatBreaksOverAndOverEndsTheCall) {
  EnvironmentConfig config = Config("Counter", {{"fault", "raise"}, {"at", "1"}});
  config.mutable_gymnasium()->set_max_restarts(2);
  const auto environments = Make(config, 1);
  ASSERT_TRUE(environments->Reset(1).ok());
  EXPECT_TRUE(environments->Step(Bytes({0})).ok());
  EXPECT_TRUE(environments->Step(Bytes({0})).ok());
  const absl::Status status = environments->Step(Bytes({0}));
  EXPECT_EQ(status.code(), absl::StatusCode::kInternal);
  EXPECT_THAT(status.message(), HasSubstr("gymnasium.max_restarts permits no more"));
}

TEST_F(PythonEnvironmentsTest, AWholeEpisodeInBetweenStartsTheCountAnew) {
  EnvironmentConfig config = Config("Counter", {{"length", "2"}, {"fault", "raise"}, {"at", "3"}});
  config.mutable_gymnasium()->set_max_restarts(1);
  const auto environments = Make(config, 1);
  ASSERT_TRUE(environments->Reset(1).ok());
  for (int step = 0; step < 9; ++step) ASSERT_TRUE(environments->Step(Bytes({0})).ok()) << step;
  EXPECT_EQ(environments->TakeFaults().size(), 3u);
}

TEST_F(PythonEnvironmentsTest, StopEndsTheWaitForAHungWorker) {
  const auto environments = Make(Config("Counter", {{"fault", "hang"}, {"at", "1"}}), 1);
  ASSERT_TRUE(environments->Reset(1).ok());
  std::thread stopper([&] { environments->Stop(); });
  const MonotonicTime begin = MonotonicTime::Now();
  const absl::Status status = environments->Step(Bytes({0}));
  EXPECT_EQ(status.code(), absl::StatusCode::kCancelled);
  EXPECT_LT(MonotonicTime::Now() - begin, absl::Seconds(20));
  stopper.join();
}

TEST_F(PythonEnvironmentsTest, SaysWhatCannotBeMade) {
  const auto says = [](const EnvironmentConfig& config) {
    return std::string(FindEnvironment(config).status().message());
  };
  EXPECT_THAT(says(Config("Missing")), AllOf(HasSubstr("'faulty_environment:Missing'"),
                                             HasSubstr("has no attribute 'Missing'")));
  EXPECT_THAT(says(Config("Counter", {{"fault", "making"}})), HasSubstr("cannot be made"));
  EXPECT_THAT(says(Config("Counter", {{"speed", "2"}})), HasSubstr("'speed'"));
  EXPECT_THAT(says(Config("Unsupported")), HasSubstr("observation space Text(5); wanted Box"));
  EXPECT_THAT(says(Config("UnsupportedAction")), HasSubstr("action space "));
  EXPECT_THAT(says(Config("Discrete", {{"n", "2"}})), HasSubstr("has no observation_space"));
  EnvironmentConfig config;
  config.mutable_gymnasium()->set_entry_point("no_such_module:make");
  EXPECT_THAT(says(config), HasSubstr("No module named 'no_such_module'"));
  config.mutable_gymnasium()->set_entry_point("make");
  EXPECT_THAT(says(config), HasSubstr("wanted 'module:function'"));
  config.mutable_gymnasium()->clear_entry_point();
  EXPECT_THAT(says(config), HasSubstr("got neither id nor entry_point"));
}

// An interpreter that is none, for the rest of a test.
class OtherInterpreter {
 public:
  explicit OtherInterpreter(const std::string& path) {
    if (const char* const python = std::getenv("CADRE_PYTHON")) before_ = python;
    ::setenv("CADRE_PYTHON", path.c_str(), 1);
  }
  ~OtherInterpreter() {
    before_.empty() ? ::unsetenv("CADRE_PYTHON") : ::setenv("CADRE_PYTHON", before_.c_str(), 1);
  }

 private:
  std::string before_;
};

TEST_F(PythonEnvironmentsTest, SaysThatThereIsNoInterpreter) {
  const OtherInterpreter none("/nowhere/python");
  const absl::Status status = FindEnvironment(Config("Counter", {{"length", "77"}})).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(status.message(), HasSubstr("there is no '/nowhere/python'"));
}

TEST_F(PythonEnvironmentsTest, RefusesAnotherVersionOfTheProtocol) {
  const std::string path = NewFile();
  // Answers as a worker of version 0 would: the socket is argument 4.
  std::ofstream(path) << "#!/bin/bash\nread -u \"$4\" line\n"
                      << "echo '{\"protocol\": 0, \"spec\": {}}' >&\"$4\"\nread -u \"$4\" line\n";
  std::filesystem::permissions(path, std::filesystem::perms::owner_all);
  const OtherInterpreter old(path);
  EXPECT_THAT(
      std::string(FindEnvironment(Config("Counter", {{"length", "78"}})).status().message()),
      HasSubstr("speaks version 0 of the protocol of environment workers; wanted 1"));
}

class PythonVectorTest : public PythonEnvironmentsTest,
                         public testing::WithParamInterface<const char*> {};

// Whatever the mode, each episode's transitions are the same ones.
TEST_P(PythonVectorTest, NoEndIsLostAndNoResetIsATransition) {
  EnvironmentConfig config = Config("VectorCounter", {{"mode", GetParam()}});
  config.mutable_gymnasium()->set_vector(true);
  const auto environments = Make(config, 2);
  ASSERT_NE(environments, nullptr);
  ASSERT_TRUE(environments->Reset(1).ok());
  for (int i = 0; i < 2; ++i) EXPECT_THAT(Shown(*environments, i), ElementsAre(0, 0, 0));
  int episode[2] = {0, 0}, step[2] = {0, 0};
  int skips = 0;
  for (int t = 0; t < 20; ++t) {
    ASSERT_TRUE(environments->Step(Bytes({1, 2})).ok());
    for (int i = 0; i < 2; ++i) {
      if (environments->skipped()[i]) {
        ++skips;
        EXPECT_EQ(step[i], 0);  // Only ever directly after an end.
        EXPECT_EQ(environments->rewards()[i], 0);
        EXPECT_THAT(Shown(*environments, i), ElementsAre(episode[i], 0, 0));
        continue;
      }
      ++step[i];
      EXPECT_EQ(environments->rewards()[i], step[i]);
      const bool ends = step[i] == 3 + i;
      EXPECT_EQ(environments->terminated()[i], ends);
      const std::vector<float> row =
          Row(ends ? environments->final_observations()[0] : environments->observations()[0], i, 4);
      EXPECT_THAT(row, ElementsAre(testing::_, episode[i], step[i], 6 + i));
      if (!ends) continue;
      ++episode[i];
      step[i] = 0;
      if (std::string(GetParam()) != "NextStep") {
        EXPECT_THAT(Shown(*environments, i), ElementsAre(episode[i], 0, 0));
      }
    }
  }
  EXPECT_GT(episode[0], 3);
  if (std::string(GetParam()) == "NextStep") {
    EXPECT_GT(skips, 3);
  } else {
    EXPECT_EQ(skips, 0);
  }
  const absl::Status restarted = environments->StepSome(Bytes({1, 1}), std::vector<uint8_t>{0, 1});
  EXPECT_EQ(restarted.code(), absl::StatusCode::kUnimplemented);
}

INSTANTIATE_TEST_SUITE_P(Modes, PythonVectorTest,
                         testing::Values("NextStep", "SameStep", "Disabled"),
                         [](const auto& info) { return std::string(info.param); });

}  // namespace
}  // namespace cadre
