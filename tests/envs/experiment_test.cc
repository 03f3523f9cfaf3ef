#include "envs/experiment.h"

#include <unistd.h>

#include <fstream>
#include <optional>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "envs/registry.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace cadre {
namespace {

using testing::AllOf;
using testing::HasSubstr;

constexpr char kPendulum[] = R"(
  name: "test"
  environment { id: "Pendulum-v1" }
  ppo { minibatch_size: 64 }
  actors { count: 1 environments_per_actor: 2 segment_length: 64 }
  stop { env_steps: 1000 }
  seed: 5
)";

class ExperimentTest : public testing::Test {
 protected:
  ExperimentTest() : path_(absl::StrCat(testing::TempDir(), "/experiment.", getpid())) {}
  ~ExperimentTest() override { unlink(path_.c_str()); }

  absl::StatusOr<Experiment> Load(const std::string& text,
                                  const std::vector<std::string>& overrides = {},
                                  std::optional<uint64_t> seed = std::nullopt) {
    std::ofstream(path_) << text;
    return LoadExperiment(path_, overrides, seed);
  }

  const std::string path_;
};

TEST_F(ExperimentTest, BringsItsEnvironment) {
  const absl::StatusOr<Experiment> experiment = Load(kPendulum);
  ASSERT_TRUE(experiment.ok()) << experiment.status();
  EXPECT_EQ(experiment->environment.id, "Pendulum-v1");
  EXPECT_FALSE(experiment->environment.action.discrete());
  EXPECT_EQ(experiment->config.seed(), 5);
}

TEST_F(ExperimentTest, IsResolved) {
  const absl::StatusOr<Experiment> experiment = Load(kPendulum);
  ASSERT_TRUE(experiment.ok()) << experiment.status();
  EXPECT_EQ(experiment->config.queue().capacity_steps(), 4 * 2 * 64) << "four updates";
  EXPECT_EQ(experiment->config.queue().max_version_lag(), 0) << "in lockstep";
}

TEST_F(ExperimentTest, TheSeedGivenWinsOverTheOverrideAndTheFile) {
  EXPECT_EQ(Load(kPendulum, {"seed=6"})->config.seed(), 6);
  EXPECT_EQ(Load(kPendulum, {"seed=6"}, 0)->config.seed(), 0);
}

TEST_F(ExperimentTest, OverridesAreValidatedLikeTheFile) {
  const absl::StatusOr<Experiment> experiment = Load(kPendulum, {"ppo.minibatch_size=100"});
  EXPECT_TRUE(absl::IsInvalidArgument(experiment.status())) << experiment.status();
  EXPECT_THAT(experiment.status().message(), HasSubstr("ppo.minibatch_size"));
}

TEST_F(ExperimentTest, AnUnknownEnvironmentIsAnsweredWithTheNearest) {
  const absl::Status status = Load(kPendulum, {"environment.id=CartPole-v9"}).status();
  EXPECT_TRUE(absl::IsInvalidArgument(status)) << status;
  EXPECT_THAT(status.message(), AllOf(HasSubstr("environment.id: got 'CartPole-v9'"),
                                      HasSubstr("did you mean 'CartPole-v1'?")));
}

TEST_F(ExperimentTest, EachThingThatIsWrongIsALine) {
  const absl::Status status =
      Load(kPendulum, {"ppo.gamma=2", "environment.id=Chess", "stop.env_steps=0"}).status();
  EXPECT_TRUE(absl::IsInvalidArgument(status)) << status;
  const std::vector<std::string> lines = absl::StrSplit(status.message(), '\n');
  EXPECT_THAT(lines, testing::UnorderedElementsAre(HasSubstr("ppo.gamma"), HasSubstr("Chess"),
                                                   HasSubstr("stop.env_steps")));
}

TEST_F(ExperimentTest, AFileThatIsNotThere) {
  const absl::Status status = LoadExperiment("/no/such/file.textproto", {}).status();
  EXPECT_TRUE(absl::IsNotFound(status)) << status;
  EXPECT_THAT(status.message(), HasSubstr("/no/such/file.textproto"));
}

TEST_F(ExperimentTest, TheCatalogHasEveryRegisteredEnvironmentAndItsKindOfActions) {
  int discrete = 0, continuous = 0;
  for (const auto& entry : CatalogFor(EnvironmentConfig()).entries) {
    const absl::StatusOr<EnvironmentSpec> spec = FindEnvironment(entry.id);
    ASSERT_TRUE(spec.ok()) << spec.status();
    EXPECT_EQ(entry.discrete, spec->action.discrete()) << entry.id;
    ++(entry.discrete ? discrete : continuous);
  }
  EXPECT_GT(discrete, 0);
  EXPECT_GT(continuous, 0);
}

}  // namespace
}  // namespace cadre
