#include "learner/run_folder/checkpoint.h"

#include <sys/stat.h>
#include <unistd.h>

#include <cmath>
#include <filesystem>
#include <limits>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/learner/file_size_limit.h"
#include "tests/learner/temp_folder.h"

namespace cadre {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

constexpr const char* kFiles[] = {"manifest.textproto", "parameters.safetensors",
                                  "state.safetensors"};

Checkpoint CheckpointAt(int64_t env_steps, size_t weights = 4) {
  Checkpoint checkpoint;
  checkpoint.manifest.set_experiment("test");
  checkpoint.manifest.set_env_steps(env_steps);
  checkpoint.manifest.set_mean_return(std::numeric_limits<double>::quiet_NaN());
  checkpoint.manifest.set_wall_seconds(0.1);
  checkpoint.manifest.set_layout_fingerprint(0xFEDCBA9876543210);
  checkpoint.parameters.Add<float>("policy.0.weight", {static_cast<int64_t>(weights)},
                                   std::vector<float>(weights, env_steps));
  checkpoint.state.AddScalar<int64_t>("adam.step", env_steps / 2);
  return checkpoint;
}

std::string PathOf(const TempFolder& run, const std::string& name) {
  return run / ("checkpoints/" + name);
}

// Which checkpoint that is, by its contents.
float WeightIn(const Checkpoint& checkpoint) {
  std::vector<float> weights(checkpoint.parameters.Find("policy.0.weight")->bytes.size() /
                             sizeof(float));
  CADRE_CHECK(checkpoint.parameters.Read<float>("policy.0.weight", absl::MakeSpan(weights)).ok());
  return weights[0];
}

// Root may write anywhere; nobody may not.
class WithoutRoot {
 public:
  WithoutRoot() { CADRE_CHECK(was_root_ ? seteuid(65534) == 0 : true); }
  ~WithoutRoot() { CADRE_CHECK(was_root_ ? seteuid(0) == 0 : true); }

 private:
  const bool was_root_ = geteuid() == 0;
};

TEST(CheckpointTest, ReadsBackWhatItSaved) {
  TempFolder run;
  ASSERT_TRUE(SaveCheckpoint(run.path(), CheckpointAt(1000), 3).ok());
  const auto loaded = LoadCheckpoint(PathOf(run, "1000"));
  ASSERT_TRUE(loaded.ok()) << loaded.status();
  EXPECT_EQ(loaded->manifest.env_steps(), 1000);
  EXPECT_EQ(loaded->manifest.experiment(), "test");
  EXPECT_EQ(loaded->manifest.wall_seconds(), 0.1);
  EXPECT_EQ(loaded->manifest.layout_fingerprint(), 0xFEDCBA9876543210);
  EXPECT_TRUE(std::isnan(loaded->manifest.mean_return()));
  EXPECT_THAT(loaded->manifest.files(), SizeIs(2));
  EXPECT_EQ(WeightIn(*loaded), 1000);
  EXPECT_EQ(*loaded->state.ReadScalar<int64_t>("adam.step"), 500);
}

TEST(CheckpointTest, SavingTheSameStepsAgainReplaces) {
  TempFolder run;
  ASSERT_TRUE(SaveCheckpoint(run.path(), CheckpointAt(1000), 3).ok());
  Checkpoint again = CheckpointAt(2);
  again.manifest.set_env_steps(1000);
  ASSERT_TRUE(SaveCheckpoint(run.path(), again, 3).ok());
  EXPECT_EQ(WeightIn(*LoadCheckpoint(PathOf(run, "1000"))), 2);
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(run / "checkpoints"), {}), 1);
}

TEST(CheckpointTest, AnyChangedByteAndAnyLostEndIsFoundAndTheOlderOneIsLoaded) {
  TempFolder run;
  ASSERT_TRUE(SaveCheckpoint(run.path(), CheckpointAt(1000), 3).ok());
  ASSERT_TRUE(SaveCheckpoint(run.path(), CheckpointAt(2000), 3).ok());
  for (const char* name : kFiles) {
    const std::string path = PathOf(run, absl::StrCat("2000/", name));
    const std::string intact = Slurp(path);
    for (size_t i = 0; i < intact.size(); ++i) {
      std::string changed = intact;
      changed[i] ^= 1 << (i % 8);
      for (const std::string& damaged : {changed, intact.substr(0, i)}) {
        Spill(path, damaged);
        const auto newest = LoadNewestIntact(run.path());
        ASSERT_TRUE(newest.ok()) << newest.status();
        ASSERT_EQ(newest->path, PathOf(run, "1000")) << name << " byte " << i;
        ASSERT_EQ(WeightIn(newest->checkpoint), 1000);
        ASSERT_THAT(newest->warnings, ElementsAre(HasSubstr(name)));
        ASSERT_TRUE(absl::IsDataLoss(LoadCheckpoint(PathOf(run, "2000")).status()));
      }
    }
    Spill(path, intact + "x");
    EXPECT_TRUE(absl::IsDataLoss(LoadCheckpoint(PathOf(run, "2000")).status())) << name;
    std::filesystem::remove(path);
    EXPECT_EQ(LoadCheckpoint(PathOf(run, "2000")).status(),
              absl::DataLossError(absl::StrCat("checkpoint '", PathOf(run, "2000"),
                                               "' is damaged: ", name, " is missing")));
    Spill(path, intact);
    ASSERT_TRUE(LoadCheckpoint(PathOf(run, "2000")).ok());
  }
}

TEST(CheckpointTest, WhereAllAreDamagedTheErrorNamesEach) {
  TempFolder run;
  for (int64_t steps : {1000, 2000}) {
    ASSERT_TRUE(SaveCheckpoint(run.path(), CheckpointAt(steps), 3).ok());
    std::filesystem::remove(PathOf(run, absl::StrCat(steps, "/state.safetensors")));
  }
  const absl::Status status = LoadNewestIntact(run.path()).status();
  EXPECT_TRUE(absl::IsDataLoss(status));
  EXPECT_THAT(std::string(status.message()),
              testing::AllOf(HasSubstr("checkpoints/1000' is damaged"),
                             HasSubstr("checkpoints/2000' is damaged")));
}

TEST(CheckpointTest, WhereAllButTheBestAreDamagedTheBestIsLoaded) {
  TempFolder run;
  ASSERT_TRUE(SaveCheckpoint(run.path(), CheckpointAt(1000), 3).ok());
  ASSERT_TRUE(MarkBest(run.path(), 1000).ok());
  Spill(PathOf(run, "1000/state.safetensors"), "");
  const auto newest = LoadNewestIntact(run.path());
  ASSERT_TRUE(newest.ok()) << newest.status();
  EXPECT_EQ(newest->path, PathOf(run, "best"));
  EXPECT_THAT(newest->warnings, SizeIs(1));
}

// What a kill leaves when it comes between writing and renaming.
TEST(CheckpointTest, AnUnfinishedOneIsNotSeenAndGoesWithTheNextSave) {
  TempFolder run;
  ASSERT_TRUE(SaveCheckpoint(run.path(), CheckpointAt(1000), 3).ok());
  for (const char* left : {"2000.writing", "500.removing", "best.writing"}) {
    std::filesystem::copy(PathOf(run, "1000"), PathOf(run, left));
  }
  EXPECT_THAT(ListCheckpoints(run.path()), ElementsAre(1000));
  EXPECT_EQ(LoadNewestIntact(run.path())->path, PathOf(run, "1000"));
  EXPECT_TRUE(absl::IsNotFound(FindCheckpoint(run.path(), "2000.writing").status()));

  ASSERT_TRUE(SaveCheckpoint(run.path(), CheckpointAt(2000), 3).ok());
  EXPECT_THAT(ListCheckpoints(run.path()), ElementsAre(1000, 2000));
  EXPECT_EQ(WeightIn(*LoadCheckpoint(PathOf(run, "2000"))), 2000);
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(run / "checkpoints"), {}), 2);
}

TEST(CheckpointTest, PruningKeepsTheNewestTheBestAndWhatIsNotOurs) {
  TempFolder run;
  ASSERT_TRUE(SaveCheckpoint(run.path(), CheckpointAt(999), 2).ok());
  ASSERT_TRUE(MarkBest(run.path(), 999).ok());
  const std::vector<std::string> strays = {"notes.txt", "0100", "12", "my.writing"};
  std::filesystem::create_directories(PathOf(run, "0100"));
  std::filesystem::create_directories(PathOf(run, "my.writing"));
  Spill(PathOf(run, "notes.txt"), "mine");
  Spill(PathOf(run, "12"), "a file that is called like a checkpoint");
  for (int64_t steps = 1000; steps <= 5000; steps += 1000) {
    ASSERT_TRUE(SaveCheckpoint(run.path(), CheckpointAt(steps), 2).ok());
  }
  EXPECT_THAT(ListCheckpoints(run.path()), ElementsAre(4000, 5000));
  EXPECT_EQ(WeightIn(*LoadCheckpoint(PathOf(run, "best"))), 999);
  for (const std::string& stray : strays) {
    EXPECT_TRUE(std::filesystem::exists(PathOf(run, stray))) << stray;
  }
}

// Resumed at 2000, saved at 2500: what the run had reached before neither crowds
// out the new one nor goes.
TEST(CheckpointTest, PruningLeavesLaterOnesAlone) {
  TempFolder run;
  for (int64_t steps : {1000, 2000, 3000, 4000}) {
    ASSERT_TRUE(SaveCheckpoint(run.path(), CheckpointAt(steps), 9).ok());
  }
  ASSERT_TRUE(SaveCheckpoint(run.path(), CheckpointAt(2500), 1).ok());
  EXPECT_THAT(ListCheckpoints(run.path()), ElementsAre(2500, 3000, 4000));
}

TEST(CheckpointTest, TheBestIsReplacedAndSurvivesItsOriginal) {
  TempFolder run;
  ASSERT_TRUE(SaveCheckpoint(run.path(), CheckpointAt(1000), 1).ok());
  ASSERT_TRUE(MarkBest(run.path(), 1000).ok());
  ASSERT_TRUE(SaveCheckpoint(run.path(), CheckpointAt(2000), 1).ok());
  EXPECT_EQ(WeightIn(*LoadCheckpoint(PathOf(run, "best"))), 1000);
  ASSERT_TRUE(MarkBest(run.path(), 2000).ok());
  EXPECT_EQ(WeightIn(*LoadCheckpoint(PathOf(run, "best"))), 2000);
  // Damage to one does not reach the other.
  Spill(PathOf(run, "2000/parameters.safetensors"), "");
  EXPECT_EQ(WeightIn(*LoadCheckpoint(PathOf(run, "best"))), 2000);
  // Nor does a damaged one become the best.
  EXPECT_TRUE(absl::IsDataLoss(MarkBest(run.path(), 2000)));
  EXPECT_TRUE(absl::IsNotFound(MarkBest(run.path(), 1000)));
  EXPECT_EQ(WeightIn(*LoadCheckpoint(PathOf(run, "best"))), 2000);
}

TEST(CheckpointTest, FindsByNameAndListsThoseThatThereAre) {
  TempFolder run;
  auto message = [&](const std::string& which) {
    return std::string(FindCheckpoint(run.path(), which).status().message());
  };
  for (const char* which : {"last", "best", "900"})
    EXPECT_THAT(message(which),
                HasSubstr(absl::StrCat("no checkpoint '", which, "'; there are none")));
  ASSERT_TRUE(SaveCheckpoint(run.path(), CheckpointAt(900), 9).ok());
  ASSERT_TRUE(SaveCheckpoint(run.path(), CheckpointAt(1000), 9).ok());
  EXPECT_EQ(*FindCheckpoint(run.path(), "last"), PathOf(run, "1000"));
  EXPECT_EQ(*FindCheckpoint(run.path(), "900"), PathOf(run, "900"));
  EXPECT_THAT(message("best"), HasSubstr("no checkpoint 'best'; wanted last, or one of 900, 1000"));
  ASSERT_TRUE(MarkBest(run.path(), 900).ok());
  EXPECT_EQ(*FindCheckpoint(run.path(), "best"), PathOf(run, "best"));
  for (const char* which : {"901", "..", "", "900/.", "../checkpoints/900", "-1"}) {
    EXPECT_EQ(message(which), absl::StrCat("run folder '", run.path(), "' has no checkpoint '",
                                           which, "'; wanted last, best, or one of 900, 1000"));
  }
  std::filesystem::remove_all(PathOf(run, "900"));
  std::filesystem::remove_all(PathOf(run, "1000"));
  EXPECT_THAT(message("last"), HasSubstr("no checkpoint 'last'; wanted best, the only one"));
  EXPECT_EQ(FindCheckpoint(run / "nowhere", "last").status(),
            absl::NotFoundError(absl::StrCat("there is no run folder '", run / "nowhere", "'")));
  EXPECT_TRUE(absl::IsNotFound(LoadNewestIntact(run / "nowhere").status()));
}

TEST(CheckpointTest, TheNewestBeforeIsOneOfFewerSteps) {
  TempFolder run;
  EXPECT_EQ(NewestBefore(run.path(), 5000), "");
  for (const int64_t steps : {0, 1000, 2000})
    ASSERT_TRUE(SaveCheckpoint(run.path(), CheckpointAt(steps), 9).ok());
  EXPECT_EQ(NewestBefore(run.path(), 5000), "2000");
  EXPECT_EQ(NewestBefore(run.path(), 2001), "2000");
  EXPECT_EQ(NewestBefore(run.path(), 2000), "1000");
  EXPECT_EQ(NewestBefore(run.path(), 0), "");
  ASSERT_TRUE(MarkBest(run.path(), 1000).ok());
  for (const char* pruned : {"0", "1000"}) std::filesystem::remove_all(PathOf(run, pruned));
  EXPECT_EQ(NewestBefore(run.path(), 2000), "best");
  EXPECT_EQ(NewestBefore(run.path(), 1000), "");
}

TEST(CheckpointTest, AFullDiskLosesNothing) {
  TempFolder run;
  ASSERT_TRUE(SaveCheckpoint(run.path(), CheckpointAt(1000), 1).ok());
  ASSERT_TRUE(MarkBest(run.path(), 1000).ok());
  const Checkpoint large = CheckpointAt(2000, /*weights=*/100'000);
  Checkpoint replacing = large;
  replacing.manifest.set_env_steps(1000);
  {
    FileSizeLimit limit(100'000);
    for (const Checkpoint& checkpoint : {large, replacing}) {
      const absl::Status status = SaveCheckpoint(run.path(), checkpoint, 1);
      EXPECT_FALSE(status.ok());
      EXPECT_THAT(std::string(status.message()), HasSubstr("parameters.safetensors"));
    }
  }
  EXPECT_THAT(ListCheckpoints(run.path()), ElementsAre(1000));
  EXPECT_EQ(WeightIn(LoadNewestIntact(run.path())->checkpoint), 1000);
  EXPECT_EQ(WeightIn(*LoadCheckpoint(PathOf(run, "best"))), 1000);
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(run / "checkpoints"), {}), 2);
  EXPECT_TRUE(SaveCheckpoint(run.path(), large, 1).ok());
}

TEST(CheckpointTest, AFolderThatMayNotBeWrittenIsAnErrorAndKeepsWhatItHas) {
  TempFolder run;
  ASSERT_TRUE(SaveCheckpoint(run.path(), CheckpointAt(1000), 1).ok());
  chmod(run.path().c_str(), 0555);
  chmod((run / "checkpoints").c_str(), 0555);
  {
    WithoutRoot nobody;
    const absl::Status status = SaveCheckpoint(run.path(), CheckpointAt(2000), 1);
    EXPECT_TRUE(absl::IsPermissionDenied(status)) << status;
    EXPECT_THAT(std::string(status.message()), HasSubstr(run.path()));
    EXPECT_EQ(WeightIn(LoadNewestIntact(run.path())->checkpoint), 1000);
  }
  chmod(run.path().c_str(), 0755);
  chmod((run / "checkpoints").c_str(), 0755);
}

}  // namespace
}  // namespace cadre
