// A run's folder around its trainer: what is written when, and what is refused.
#include "learner/loop/training_run.h"

#include <unistd.h>

#include <filesystem>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/config/config.h"
#include "common/files/file_io.h"
#include "envs/registry.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "learner/run_config.h"
#include "learner/run_folder/checkpoint.h"
#include "tests/learner/temp_folder.h"

namespace cadre {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

Experiment Complete(const std::string& text) {
  const auto given = ParseConfig(text, "test");
  EXPECT_TRUE(given.ok()) << given.status();
  const auto experiment = CompleteExperiment(*given);
  EXPECT_TRUE(experiment.ok()) << experiment.status();
  return *experiment;
}

constexpr char kCartPole[] =
    "name: 'run' environment { id: 'CartPole-v1' } model { mlp { hidden: [6] } }"
    "ppo { minibatch_size: 16 } actors { count: 1 environments_per_actor: 2 segment_length: 8 }"
    "stop { env_steps: 640 }";

class TrainingRunTest : public testing::Test {
 protected:
  void Begin(const std::string& text = kCartPole) {
    auto run = TrainingRun::Create(Complete(text), folder_);
    ASSERT_TRUE(run.ok()) << run.status();
    ASSERT_EQ((*run)->Begin(), absl::OkStatus());
  }
  absl::Status Resume(const std::vector<std::string>& overrides, const std::string& which = "") {
    const auto experiment = LoadRunExperiment(folder_, overrides);
    if (!experiment.ok()) return experiment.status();
    auto run = TrainingRun::Resume(*experiment, folder_, {}, which);
    if (!run.ok()) return run.status();
    const absl::Status status = (*run)->Begin();
    steps_ = (*run)->trainer().env_steps();
    has_best_ = (*run)->trainer().summary().evaluation.has_value();
    return status;
  }
  ExperimentConfig Given() { return *LoadConfig(ConfigPath(folder_), {}); }
  ExperimentConfig Resolved() { return *LoadConfig(ResolvedConfigPath(folder_), {}); }

  // As a later checkpoint of the same run.
  void SaveAt(int64_t env_steps, bool best = false) {
    auto newest = LoadNewestIntact(folder_);
    ASSERT_TRUE(newest.ok()) << newest.status();
    newest->checkpoint.manifest.set_env_steps(env_steps);
    ASSERT_EQ(SaveCheckpoint(folder_, newest->checkpoint, /*keep=*/100), absl::OkStatus());
    if (best) ASSERT_EQ(MarkBest(folder_, env_steps), absl::OkStatus());
  }

  const TempFolder temp_;
  const std::string folder_ = temp_ / "run";
  int64_t steps_ = -1;     // That the last Resume continued from.
  bool has_best_ = false;  // Whether it knew of a best policy.
};

TEST_F(TrainingRunTest, ARefusedResumeLeavesTheFolderAsItWas) {
  Begin();
  const auto before = Contents(folder_);
  for (const char* override :
       {"model.mlp.hidden=[7]", "model.mlp.activation=RELU", "normalization.observations=true",
        "environment.id=Acrobot-v1", "ppo.epochs=0", "nonsense=1", "ppo.minibatch_size=7"}) {
    EXPECT_FALSE(Resume({override}).ok()) << override;
    EXPECT_EQ(Contents(folder_), before) << override;
  }
  EXPECT_EQ(Resume({}, "77").code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(Contents(folder_), before);
  EXPECT_EQ(Resume({}), absl::OkStatus());

  Spill(folder_ + "/progress.csv", "not,ours\n");
  const auto damaged = Contents(folder_);
  EXPECT_EQ(Resume({"stop.env_steps=1280"}).code(), absl::StatusCode::kDataLoss);
  EXPECT_EQ(Contents(folder_), damaged);
}

TEST_F(TrainingRunTest, TheRefusalNamesTheFieldsWhatWasGotAndWanted) {
  Begin();
  const absl::Status status =
      Resume({"model.mlp.activation=RELU", "normalization.observations=true"});
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(status.message()),
              HasSubstr("model.mlp.activation: got RELU; wanted TANH, "
                        "normalization.observations: got true; wanted false"));
}

TEST_F(TrainingRunTest, ACheckpointOfAnOlderVersionMeansWhatItsFolderSays) {
  Begin();
  auto newest = LoadNewestIntact(folder_);
  ASSERT_TRUE(newest.ok());
  newest->checkpoint.manifest.clear_meanings();
  ASSERT_EQ(SaveCheckpoint(folder_, newest->checkpoint, 1), absl::OkStatus());
  EXPECT_THAT(std::string(Resume({"model.mlp.activation=RELU"}).message()),
              HasSubstr("model.mlp.activation: got RELU; wanted TANH"));
  EXPECT_EQ(Resume({}), absl::OkStatus());
}

TEST_F(TrainingRunTest, AnOlderVersionsSettingsOfTrainingDoNotHideWhatItLearned) {
  Begin();
  auto newest = LoadNewestIntact(folder_);
  ASSERT_TRUE(newest.ok());
  newest->checkpoint.manifest.clear_meanings();
  ASSERT_EQ(SaveCheckpoint(folder_, newest->checkpoint, 1), absl::OkStatus());
  ExperimentConfig old = Given();
  old.mutable_ppo()->set_minibatch_size(7);
  ASSERT_TRUE(WriteFileAtomically(ConfigPath(folder_), ConfigText(old)).ok());
  EXPECT_THAT(std::string(Resume({}).message()), HasSubstr("ppo.minibatch_size: got 7"));
  const auto acting = LoadRunForActing(folder_);
  ASSERT_TRUE(acting.ok()) << acting.status();
  EXPECT_EQ(acting->config.model().mlp().hidden(0), 6);
  // What its weights mean is still known.
  EXPECT_THAT(std::string(Resume({"ppo.minibatch_size=16", "model.mlp.activation=RELU"}).message()),
              HasSubstr("model.mlp.activation: got RELU; wanted TANH"));
  EXPECT_EQ(Resume({"ppo.minibatch_size=16"}), absl::OkStatus());
}

TEST_F(TrainingRunTest, WhatWasGivenIsKeptApartFromWhatFollows) {
  Begin();
  EXPECT_EQ(Given().SerializeAsString(), Complete(kCartPole).given.SerializeAsString());
  EXPECT_EQ(Resolved().queue().capacity_steps(), 4 * 16);
  // Lockstep's lag and the queue's capacity follow from what is overridden.
  ASSERT_EQ(Resume({"actors.environments_per_actor=20", "actors.mode=ASYNCHRONOUS"}),
            absl::OkStatus());
  EXPECT_FALSE(Given().has_queue());
  EXPECT_EQ(Given().actors().environments_per_actor(), 20);
  EXPECT_EQ(Resolved().queue().capacity_steps(), 4 * 160);
  EXPECT_EQ(Resolved().queue().max_version_lag(), 4);
  // Later legs keep the overrides of earlier ones.
  ASSERT_EQ(Resume({"stop.env_steps=1280"}), absl::OkStatus());
  EXPECT_EQ(Given().actors().environments_per_actor(), 20);
  EXPECT_EQ(Resolved().queue().capacity_steps(), 4 * 160);
}

TEST_F(TrainingRunTest, AFolderThatHasOnlyAResolvedConfigIsResumedAsWell) {
  Begin();
  // As versions before resolved.textproto left it, with a setting that they accepted.
  ExperimentConfig old = *LoadConfig(ResolvedConfigPath(folder_), {});
  old.mutable_evaluation()->set_every_env_steps(0);
  old.mutable_evaluation()->set_episodes(20);
  ASSERT_TRUE(WriteFileAtomically(ConfigPath(folder_), ConfigText(old)).ok());
  std::filesystem::remove(ResolvedConfigPath(folder_));
  ASSERT_EQ(Resume({"actors.environments_per_actor=20", "actors.mode=ASYNCHRONOUS"}),
            absl::OkStatus());
  EXPECT_FALSE(Given().has_queue());
  EXPECT_FALSE(Given().ppo().has_learning_rate());
  EXPECT_EQ(Resolved().queue().capacity_steps(), 4 * 160);
  EXPECT_EQ(Resolved().queue().max_version_lag(), 4);
}

TEST_F(TrainingRunTest, ThereIsAlwaysAFirstCheckpoint) {
  Begin();
  EXPECT_THAT(ListCheckpoints(folder_), ElementsAre(0));
}

TEST_F(TrainingRunTest, AChosenCheckpointBecomesTheNewest) {
  Begin();
  SaveAt(1000);
  SaveAt(2000, /*best=*/true);
  SaveAt(3000);
  ASSERT_EQ(Resume({}, "2000"), absl::OkStatus());
  EXPECT_EQ(steps_, 2000);
  EXPECT_THAT(ListCheckpoints(folder_), ElementsAre(0, 1000, 2000));
  EXPECT_TRUE(FindCheckpoint(folder_, "best").ok());
  EXPECT_TRUE(std::filesystem::exists(folder_ + "/superseded/1/3000/manifest.textproto"));
  // The best one is of a later time than this: nothing that comes can be compared with it.
  ASSERT_EQ(Resume({}, "1000"), absl::OkStatus());
  EXPECT_THAT(ListCheckpoints(folder_), ElementsAre(0, 1000));
  EXPECT_FALSE(FindCheckpoint(folder_, "best").ok());
  EXPECT_TRUE(std::filesystem::exists(folder_ + "/superseded/2/best"));
  EXPECT_TRUE(std::filesystem::exists(folder_ + "/superseded/2/2000"));
  ASSERT_EQ(Resume({}), absl::OkStatus());
  EXPECT_EQ(steps_, 1000);
}

TEST_F(TrainingRunTest, ABestPolicyWhoseCheckpointIsGoneIsForgotten) {
  Begin();
  auto newest = LoadNewestIntact(folder_);
  ASSERT_TRUE(newest.ok()) << newest.status();
  newest->checkpoint.state.Add<double>("best_evaluation", {4}, {480, 12, 480, 10});
  newest->checkpoint.manifest.set_env_steps(500);
  ASSERT_EQ(SaveCheckpoint(folder_, newest->checkpoint, /*keep=*/100), absl::OkStatus());
  SaveAt(1000);
  ASSERT_EQ(MarkBest(folder_, 500), absl::OkStatus());
  ASSERT_EQ(Resume({}), absl::OkStatus());
  EXPECT_TRUE(has_best_);
  SaveAt(2000, /*best=*/true);  // In the place of the one before.
  ASSERT_EQ(Resume({}, "1000"), absl::OkStatus());
  EXPECT_FALSE(has_best_) << "or nothing that comes could become the best";
}

TEST_F(TrainingRunTest, TheBestCheckpointIsResumedThoughItsStepsWerePruned) {
  Begin();
  SaveAt(2000, /*best=*/true);
  SaveAt(3000);
  std::filesystem::remove_all(folder_ + "/checkpoints/2000");
  ASSERT_EQ(Resume({}, "best"), absl::OkStatus());
  EXPECT_EQ(steps_, 2000);
  EXPECT_THAT(ListCheckpoints(folder_), ElementsAre(0, 2000));
  EXPECT_TRUE(FindCheckpoint(folder_, "best").ok());
}

TEST_F(TrainingRunTest, OneWriterAtATime) {
  auto run = TrainingRun::Create(Complete(kCartPole), folder_);
  ASSERT_TRUE(run.ok()) << run.status();
  ASSERT_EQ((*run)->Begin(), absl::OkStatus());
  const auto before = Contents(folder_);
  const std::string holder = absl::StrCat("is in use by process ", getpid());
  EXPECT_THAT(std::string(Resume({}).message()), HasSubstr(holder));
  EXPECT_THAT(std::string(TrainingRun::Create(Complete(kCartPole), folder_).status().message()),
              HasSubstr(holder));
  EXPECT_TRUE(LoadNewestIntact(folder_).ok()) << "readers may come at any time";
  EXPECT_EQ(Contents(folder_), before);
  // A supervisor keeps others out between its learners' lives.
  const auto lock = (*run)->KeepForChildren();
  run->reset();
  EXPECT_THAT(std::string(Resume({}).message()), HasSubstr(holder));
}

TEST_F(TrainingRunTest, ARunThatIsRefusedMakesNoFolder) {
  Experiment wrong = Complete(kCartPole);
  wrong.environment = *FindEnvironment("Pendulum-v1");
  wrong.config.mutable_dqn();  // Not for continuous actions.
  ASSERT_FALSE(TrainingRun::Create(wrong, folder_).ok());
  EXPECT_FALSE(std::filesystem::exists(folder_));
}

}  // namespace
}  // namespace cadre
