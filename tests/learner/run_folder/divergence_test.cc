#include "learner/run_folder/divergence.h"

#include <limits>
#include <string>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "learner/run_folder/checkpoint.h"
#include "policy/acting/acted.h"
#include "tests/learner/temp_folder.h"

namespace cadre {
namespace {

using testing::EndsWith;
using testing::StartsWith;

absl::Status DivergedOf(int64_t env_steps) {
  const ActionSpace discrete = ActionSpace::Discrete(2);
  const int32_t action = 0;
  const float log_prob = std::numeric_limits<float>::quiet_NaN();
  return CheckActed(discrete, absl::MakeConstSpan(reinterpret_cast<const std::byte*>(&action), 4),
                    {&log_prob, 1}, {.version = 9, .env_steps = env_steps});
}

void SaveAt(const TempFolder& run, int64_t env_steps) {
  Checkpoint checkpoint;
  checkpoint.manifest.set_env_steps(env_steps);
  checkpoint.parameters.AddScalar<float>("weight", 1);
  checkpoint.state.AddScalar<float>("state", 1);
  ASSERT_EQ(SaveCheckpoint(run.path(), checkpoint, 9), absl::OkStatus());
}

TEST(WithWayBackTest, IsTheCommandThatResumesFromTheNewestCheckpointBefore) {
  TempFolder run;
  for (const int64_t env_steps : {100, 200, 300}) SaveAt(run, env_steps);
  // As the supervisor of an actor has it.
  const absl::Status status = absl::DataLossError(
      absl::StrCat("actor 1 exited with status 5: ", DivergedOf(300).message()));
  const absl::Status way = WithWayBack(status, run.path());
  EXPECT_EQ(way.code(), absl::StatusCode::kDataLoss);
  const std::string message(way.message());
  EXPECT_THAT(message, StartsWith(std::string(status.message())));
  EXPECT_THAT(message, EndsWith(absl::StrCat("from a checkpoint of fewer steps: the newest of "
                                             "these is resumed by: cadre train --resume ",
                                             run.path(), " --checkpoint 200")));
  EXPECT_EQ(WithWayBack(way, run.path()), way) << "it is there already";
}

TEST(WithWayBackTest, WhereThereIsNoneThatIsSaid) {
  TempFolder run;
  SaveAt(run, 300);
  const absl::Status way = WithWayBack(DivergedOf(300), run.path());
  EXPECT_THAT(
      std::string(way.message()),
      EndsWith("from a checkpoint of fewer steps, of which there is none here: begin anew"));
  EXPECT_EQ(WithWayBack(way, run.path()), way);
}

TEST(WithWayBackTest, OtherErrorsAreLeftAlone) {
  TempFolder run;
  SaveAt(run, 300);
  for (const absl::Status& status :
       {absl::OkStatus(), absl::DataLossError("damaged"), absl::UnavailableError("gone")})
    EXPECT_EQ(WithWayBack(status, run.path()), status);
}

}  // namespace
}  // namespace cadre
