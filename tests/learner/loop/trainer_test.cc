// The training loop between two fake ports.
#include "learner/loop/trainer.h"

#include <cstring>
#include <functional>
#include <limits>
#include <memory>
#include <new>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/process/event.h"
#include "envs/registry.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "learner/run_folder/non_finite_updates.h"
#include "tests/fake_clocks.h"
#include "tests/learner/example_experience.h"
#include "tests/learner/fake_parameter_sink.h"
#include "tests/learner/temp_folder.h"
#include "tests/log_capture.h"
#include "tests/policy/example_networks.h"

namespace cadre {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

constexpr int64_t kBatch = 64;  // Steps of an update: 2 actors x 4 environments x 8.

ExperimentConfig Config() {
  ExperimentConfig config;
  config.set_name("trained");
  config.mutable_environment()->set_id("CartPole-v1");
  *config.mutable_model() = MlpModelConfig({6});
  config.mutable_normalization()->set_observations(true);
  config.mutable_normalization()->set_rewards(true);
  config.mutable_ppo()->set_epochs(2);
  config.mutable_ppo()->set_minibatch_size(16);
  config.mutable_ppo()->mutable_learning_rate_schedule()->set_shape(ScheduleConfig::LINEAR);
  config.mutable_actors()->set_count(2);
  config.mutable_actors()->set_environments_per_actor(4);
  config.mutable_actors()->set_segment_length(8);
  config.mutable_stop()->set_env_steps(8 * kBatch);
  config.mutable_checkpoint()->set_keep(100);
  config.mutable_checkpoint()->set_every_seconds(1e9);
  config.set_seed(3);
  return config;
}

// Batches that depend on their number alone, at once.
class FakeSource final : public ExperienceSource {
 public:
  FakeSource(const v1::ExperienceSpec& spec, int first_batch) : spec_(spec), batch(first_batch) {}

  absl::StatusOr<Lease> Take(int64_t steps, int64_t version) override {
    EXPECT_EQ(steps, kBatch);
    versions.push_back(version);
    Lease lease;
    lease.id = static_cast<uint64_t>(1000 + batch);
    Random random = Random::ForStream(1, static_cast<uint64_t>(batch));
    for (const int actor : {1, 0}) {
      v1::Rollout rollout = ExampleRollout(
          spec_, actor, 1, {{20, v1::SEGMENT_END_TERMINATED}, {12, v1::SEGMENT_END_CUT}}, version,
          random);
      if (change) change(batch, rollout);
      lease.rollouts.push_back(std::move(rollout));
    }
    ++batch;
    return lease;
  }
  absl::Status Acknowledge(uint64_t lease_id) override {
    acknowledged.push_back(lease_id);
    return absl::OkStatus();
  }
  void Close() override {}

 private:
  const v1::ExperienceSpec spec_;

 public:
  int batch;
  std::function<void(int batch, v1::Rollout&)> change;
  std::vector<int64_t> versions;  // Of the takes.
  std::vector<uint64_t> acknowledged;
};

// Has nothing until it is closed.
class EmptySource final : public ExperienceSource {
 public:
  absl::StatusOr<Lease> Take(int64_t, int64_t) override {
    waiting.Notify();
    closed_.Wait();
    return absl::CancelledError("closed");
  }
  absl::Status Acknowledge(uint64_t) override { return absl::OkStatus(); }
  void Close() override { closed_.Notify(); }

  Event waiting;

 private:
  Event closed_;
};

class TrainerTest : public testing::Test {
 protected:
  std::unique_ptr<Trainer> Make(const ExperimentConfig& config) {
    auto trainer =
        Trainer::Create({.config = config,
                         .environment = *FindEnvironment(config.environment().id()),
                         .run_folder = folder_.path(),
                         .on_progress = [this](const Progress& progress) {
                           progress_.push_back(progress);
                           return on_progress_ ? on_progress_(progress) : absl::OkStatus();
                         }});
    EXPECT_TRUE(trainer.ok()) << trainer.status();
    return *std::move(trainer);
  }
  absl::Status Run(Trainer& trainer, int first_batch = 0) {
    source_ = std::make_unique<FakeSource>(trainer.experience_spec(), first_batch);
    source_->change = change_;
    return trainer.Run({.queue = source_.get()}, sink_);
  }
  Checkpoint Newest() {
    auto newest = LoadNewestIntact(folder_.path());
    EXPECT_TRUE(newest.ok()) << newest.status();
    return std::move(newest)->checkpoint;
  }

  const TempFolder folder_;
  std::vector<Progress> progress_;
  std::function<absl::Status(const Progress&)> on_progress_;
  std::function<void(int batch, v1::Rollout&)> change_;
  std::unique_ptr<FakeSource> source_;
  FakeParameterSink sink_;
};

TEST_F(TrainerTest, TrainsToTheLastStepPublishingAndAcknowledgingEachUpdate) {
  auto trainer = Make(Config());
  ASSERT_TRUE(Run(*trainer).ok());
  std::vector<int64_t> versions;
  for (const ParametersPtr& parameters : sink_.published) versions.push_back(parameters->version());
  EXPECT_THAT(versions, ElementsAre(1, 2, 3, 4, 5, 6, 7, 8, 9));
  EXPECT_THAT(source_->versions, ElementsAre(1, 2, 3, 4, 5, 6, 7, 8));
  EXPECT_THAT(source_->acknowledged, ElementsAre(1000, 1001, 1002, 1003, 1004, 1005, 1006, 1007));
  EXPECT_EQ(sink_.state, v1::RUN_STATE_FINISHED);
  EXPECT_EQ(sink_.published[3]->env_steps(), 3 * kBatch);
  EXPECT_NE(sink_.published[3]->values(), sink_.published[4]->values());

  ASSERT_EQ(progress_.size(), 8);
  for (int i = 0; i < 8; ++i) {
    EXPECT_EQ(progress_[i].env_steps, (i + 1) * kBatch);
    EXPECT_EQ(progress_[i].updates, i + 1);
    EXPECT_EQ(progress_[i].version, i + 2);
    EXPECT_EQ(progress_[i].version_lag, 0);
  }
  const Summary summary = trainer->summary();
  EXPECT_EQ(summary.algorithm, "ppo");
  EXPECT_EQ(summary.environment, "CartPole-v1");
  EXPECT_EQ(summary.seed, 3);
  EXPECT_EQ(summary.env_steps, 8 * kBatch);
  EXPECT_EQ(summary.updates, 8);
  EXPECT_FALSE(summary.solved);
  EXPECT_THAT(ListCheckpoints(folder_.path()), ElementsAre(8 * kBatch));
}

TEST_F(TrainerTest, TheSameSeedGivesTheSameBits) {
  ASSERT_TRUE(Run(*Make(Config())).ok());
  const std::vector<ParametersPtr> first = std::move(sink_.published);
  sink_.published.clear();
  ASSERT_TRUE(Run(*Make(Config())).ok());
  for (size_t i = 0; i < first.size(); ++i)
    EXPECT_EQ(first[i]->SerializeAsString(), sink_.published[i]->SerializeAsString()) << i;
}

TEST_F(TrainerTest, ARunThatWasStoppedGoesOnAsIfItHadNotBeen) {
  ASSERT_TRUE(Run(*Make(Config())).ok());
  const std::vector<ParametersPtr> whole = std::move(sink_.published);

  sink_.published.clear();
  auto first = Make(Config());
  on_progress_ = [&](const Progress& progress) {
    if (progress.updates == 3) first->RequestStop();
    return absl::OkStatus();
  };
  ASSERT_TRUE(Run(*first).ok());
  ASSERT_EQ(sink_.published.size(), 4);
  on_progress_ = nullptr;
  progress_.clear();

  // A resumed run publishes what it has under a new version first.
  auto second = Make(Config());
  auto found = FindCheckpoint(folder_.path(), std::to_string(3 * kBatch));
  ASSERT_TRUE(found.ok()) << found.status();
  auto checkpoint = LoadCheckpoint(*found);
  ASSERT_TRUE(checkpoint.ok()) << checkpoint.status();
  ASSERT_TRUE(second->Restore(*checkpoint).ok());
  sink_.published.clear();
  ASSERT_TRUE(Run(*second, /*first_batch=*/3).ok());
  ASSERT_EQ(sink_.published.size(), 6);
  for (size_t i = 0; i < 6; ++i) {
    v1::Parameters expected = *whole[3 + i];
    expected.set_version(expected.version() + 1);
    EXPECT_EQ(sink_.published[i]->SerializeAsString(), expected.SerializeAsString()) << i;
  }
  ASSERT_EQ(progress_.size(), 5);
  EXPECT_EQ(progress_[0].env_steps, 4 * kBatch);
  EXPECT_EQ(progress_[0].updates, 4);
  EXPECT_GT(progress_[0].wall_seconds, checkpoint->manifest.wall_seconds());
}

TEST_F(TrainerTest, EpisodesAndLagSurviveAResume) {
  change_ = [](int batch, v1::Rollout& rollout) {
    v1::Episode& episode = *rollout.add_episodes();
    episode.set_total_reward(10 * batch + rollout.actor());
    episode.set_length(7);
    if (batch == 1 && rollout.actor() == 1)
      MutableColumnAs<int64_t>(rollout.mutable_columns(OnPolicyColumns().version))[5] -= 2;
  };
  ExperimentConfig config = Config();
  config.mutable_stop()->set_env_steps(2 * kBatch);
  auto trainer = Make(config);
  ASSERT_TRUE(Run(*trainer).ok());
  EXPECT_EQ(progress_[0].version_lag, 0);
  EXPECT_EQ(progress_[1].version_lag, 2);
  EXPECT_EQ(progress_[1].episodes, 4);
  EXPECT_DOUBLE_EQ(progress_[1].mean_return, (0 + 1 + 10 + 11) / 4.0);
  EXPECT_DOUBLE_EQ(progress_[1].mean_length, 7);

  config.mutable_stop()->set_env_steps(3 * kBatch);
  auto resumed = Make(config);
  ASSERT_TRUE(resumed->Restore(Newest()).ok());
  ASSERT_TRUE(Run(*resumed, /*first_batch=*/2).ok());
  EXPECT_EQ(progress_[2].episodes, 6);
  EXPECT_DOUBLE_EQ(progress_[2].mean_return, (0 + 1 + 10 + 11 + 20 + 21) / 6.0);
  EXPECT_EQ(progress_[2].version_lag, 0);
  EXPECT_EQ(progress_[2].max_version_lag, 2);
  EXPECT_EQ(resumed->summary().max_version_lag, 2);
}

TEST_F(TrainerTest, ARunThatIsOverIsNotTrainedAnyFurther) {
  ASSERT_TRUE(Run(*Make(Config())).ok());
  auto resumed = Make(Config());
  ASSERT_TRUE(resumed->Restore(Newest()).ok());
  sink_.state = v1::RUN_STATE_RUNNING;
  progress_.clear();
  ASSERT_TRUE(Run(*resumed).ok());
  EXPECT_TRUE(progress_.empty());
  EXPECT_EQ(sink_.state, v1::RUN_STATE_FINISHED);
}

TEST_F(TrainerTest, VersionsContinueAboveThoseOfAParameterServerThatLivedOn) {
  auto trainer = Make(Config());
  trainer->ContinueVersionsFrom(41);
  ASSERT_TRUE(Run(*trainer).ok());
  EXPECT_EQ(sink_.published[0]->version(), 42);
}

TEST_F(TrainerTest, ACheckpointOfAnotherNetworkIsRefused) {
  ASSERT_TRUE(Run(*Make(Config())).ok());
  ExperimentConfig config = Config();
  *config.mutable_model() = MlpModelConfig({7});
  const absl::Status status = Make(config)->Restore(Newest());
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(
      std::string(status.message()),
      HasSubstr("the checkpoint at 512 steps of 'trained' was learned with other settings"));
  EXPECT_THAT(std::string(status.message()), HasSubstr("model.mlp.hidden: got [7]; wanted [6]"));
}

TEST_F(TrainerTest, ACheckpointWithAnythingMissingIsDataLoss) {
  ASSERT_TRUE(Run(*Make(Config())).ok());
  const Checkpoint intact = Newest();
  ASSERT_TRUE(Make(Config())->Restore(intact).ok());
  for (const bool of_state : {false, true}) {
    const TensorMap& tensors = of_state ? intact.state : intact.parameters;
    for (const NamedTensor& missing : tensors.tensors()) {
      Checkpoint damaged = intact;
      TensorMap& rest = of_state ? damaged.state : damaged.parameters;
      rest = TensorMap();
      for (const NamedTensor& tensor : tensors.tensors())
        if (tensor.name != missing.name) rest.Add(tensor);
      EXPECT_EQ(Make(Config())->Restore(damaged).code(), absl::StatusCode::kDataLoss)
          << missing.name;
    }
  }
}

TEST_F(TrainerTest, ParametersThatAreNotFiniteEndTheRunAndOverwriteNothing) {
  ExperimentConfig config = Config();
  config.mutable_normalization()->set_rewards(false);
  config.mutable_checkpoint()->set_every_env_steps(kBatch);
  change_ = [](int batch, v1::Rollout& rollout) {
    // Finite each, but not their sum.
    if (batch == 2)
      for (float& reward :
           MutableColumnAs<float>(rollout.mutable_columns(OnPolicyColumns().reward)))
        reward = std::numeric_limits<float>::max();
  };
  auto trainer = Make(config);
  const absl::Status status = Run(*trainer);
  EXPECT_EQ(status.code(), absl::StatusCode::kDataLoss);
  EXPECT_THAT(std::string(status.message()),
              HasSubstr(absl::StrCat("update 3 made parameters that are not finite; the last "
                                     "checkpoint is at 128 steps, and is resumed by: cadre train "
                                     "--resume ",
                                     folder_.path(), " --checkpoint 128. Lower")));
  EXPECT_EQ(sink_.state, v1::RUN_STATE_RUNNING);
  EXPECT_EQ(sink_.published.size(), 3);  // The bad ones went nowhere.
  EXPECT_THAT(source_->acknowledged, ElementsAre(1000, 1001));
  EXPECT_THAT(ListCheckpoints(folder_.path()), ElementsAre(kBatch, 2 * kBatch));
  EXPECT_TRUE(Make(config)->Restore(Newest()).ok());
  // The next learner can tell of it.
  EXPECT_EQ(ReadNonFiniteUpdates(folder_.path())->count, 1);
}

TEST_F(TrainerTest, BadExperienceIsLeftOutAndCounted) {
  // Everything in the second batch, and one rollout of the third.
  change_ = [](int batch, v1::Rollout& rollout) {
    if (batch == 1 || (batch == 2 && rollout.actor() == 0))
      MutableColumnAs<float>(rollout.mutable_columns(OnPolicyColumns().reward))[0] =
          std::numeric_limits<float>::quiet_NaN();
  };
  ASSERT_TRUE(Run(*Make(Config())).ok());
  EXPECT_EQ(source_->acknowledged.size(), 8);
  ASSERT_EQ(progress_.size(), 8);
  for (int i = 0; i < 8; ++i) {
    EXPECT_EQ(progress_[i].env_steps, (i + 1) * kBatch);
    EXPECT_EQ(progress_[i].updates, i == 0 ? 1 : i);
    EXPECT_EQ(progress_[i].version, i + 2) << "actors in lockstep wait for it";
    EXPECT_EQ(progress_[i].version_lag, 0);
    EXPECT_EQ(progress_[i].dropped_experience, i == 0 ? 0 : i == 1 ? 2 : 3);
  }
  EXPECT_EQ(sink_.published[1]->values(), sink_.published[2]->values()) << "nothing was learned";
  EXPECT_NE(sink_.published[2]->values(), sink_.published[3]->values());
}

TEST_F(TrainerTest, WhatLibTorchThrowsEndsTheRunInOneLine) {
  change_ = [](int batch, v1::Rollout&) {
    if (batch == 1) TORCH_CHECK(false, "the device is gone");
  };
  EXPECT_EQ(Run(*Make(Config())),
            absl::InternalError("an update could not be computed: the device is gone"));
  EXPECT_THAT(source_->acknowledged, ElementsAre(1000));
  EXPECT_THAT(ListCheckpoints(folder_.path()), ElementsAre(kBatch));  // What was good is kept.
  change_ = [](int, v1::Rollout&) { throw std::bad_alloc(); };
  EXPECT_EQ(Run(*Make(Config())).code(), absl::StatusCode::kResourceExhausted);
}

TEST_F(TrainerTest, CheckpointsComeAsOftenAsAskedFor) {
  ExperimentConfig config = Config();
  config.mutable_stop()->set_env_steps(7 * kBatch);
  config.mutable_checkpoint()->set_every_env_steps(2 * kBatch);
  ASSERT_TRUE(Run(*Make(config)).ok());
  EXPECT_THAT(ListCheckpoints(folder_.path()),
              ElementsAre(2 * kBatch, 4 * kBatch, 6 * kBatch, 7 * kBatch));
}

TEST_F(TrainerTest, CheckpointsComeByTheClock) {
  ExperimentConfig config = Config();
  config.mutable_stop()->set_env_steps(3 * kBatch);
  config.mutable_checkpoint()->set_every_seconds(1e-9);
  ASSERT_TRUE(Run(*Make(config)).ok());
  EXPECT_THAT(ListCheckpoints(folder_.path()), ElementsAre(kBatch, 2 * kBatch, 3 * kBatch));
}

TEST_F(TrainerTest, AClockThatIsSetChangesNeitherTheEndNorTheCheckpoints) {
  FakeClocks clocks;
  ExperimentConfig config = Config();
  config.mutable_stop()->set_wall_seconds(1800);
  config.mutable_checkpoint()->set_every_seconds(1e-9);
  on_progress_ = [&](const Progress& progress) {
    if (progress.updates == 2) clocks.ShiftWallClock(absl::Hours(1));
    if (progress.updates == 4) clocks.ShiftWallClock(-absl::Hours(3));
    return absl::OkStatus();
  };
  ASSERT_TRUE(Run(*Make(config)).ok());
  ASSERT_EQ(progress_.size(), 8);
  for (size_t i = 1; i < 8; ++i) {
    EXPECT_GT(progress_[i].wall_seconds, progress_[i - 1].wall_seconds) << i;
    EXPECT_GT(progress_[i].steps_per_second, 0) << i;
  }
  EXPECT_LT(progress_[7].wall_seconds, 1800);
  EXPECT_EQ(ListCheckpoints(folder_.path()).size(), 8);
}

TEST_F(TrainerTest, StopsAtTheMeanReturnOfAHundredEpisodes) {
  change_ = [](int, v1::Rollout& rollout) {
    for (int i = 0; i < 17; ++i) rollout.add_episodes()->set_total_reward(480);
  };
  ExperimentConfig config = Config();
  config.mutable_stop()->set_mean_return(475);
  auto trainer = Make(config);
  ASSERT_TRUE(Run(*trainer).ok());
  EXPECT_EQ(progress_.size(), 3);  // 34 episodes each: 102 after the third.
  EXPECT_TRUE(trainer->summary().solved);
  EXPECT_EQ(sink_.state, v1::RUN_STATE_FINISHED);
  EXPECT_THAT(ListCheckpoints(folder_.path()), ElementsAre(3 * kBatch));

  config.mutable_stop()->set_mean_return(481);
  auto too_low = Make(config);
  ASSERT_TRUE(Run(*too_low).ok());
  EXPECT_EQ(too_low->summary().updates, 8);
  EXPECT_FALSE(too_low->summary().solved);
}

TEST_F(TrainerTest, StopsWhenItsTimeIsOver) {
  ExperimentConfig config = Config();
  config.mutable_stop()->set_wall_seconds(1e-9);
  ASSERT_TRUE(Run(*Make(config)).ok());
  EXPECT_TRUE(progress_.empty());
  EXPECT_EQ(sink_.state, v1::RUN_STATE_FINISHED);
}

// For a learner that has no actors.
TEST_F(TrainerTest, TheEndOfItsTimeEndsTheWaitForExperienceAndSaves) {
  ExperimentConfig config = Config();
  config.mutable_stop()->set_wall_seconds(0.01);
  auto trainer = Make(config);
  EmptySource source;
  const absl::Status status = trainer->Run({.queue = &source}, sink_);
  EXPECT_TRUE(status.ok()) << status;
  EXPECT_EQ(sink_.state, v1::RUN_STATE_FINISHED);
  EXPECT_THAT(ListCheckpoints(folder_.path()), ElementsAre(0));
  EXPECT_GE(trainer->summary().wall_seconds, 0.01);
}

// For a learner whose parameter server hangs.
TEST_F(TrainerTest, TheEndOfItsTimeEndsTheWaitForTheParameterServerAndSaves) {
  // Waits in each call until it is cut short, and then in none.
  class HangingSink final : public ParameterSink {
   public:
    absl::Status Publish(ParametersPtr parameters) override {
      // The first publication arrives.
      if (parameters->version() == 1) return absl::OkStatus();
      return SetRunState(v1::RUN_STATE_RUNNING);
    }
    absl::Status SetRunState(v1::RunState) override {
      cut_.Wait();
      return absl::CancelledError("cut short");
    }
    void CutShort() override { cut_.Notify(); }
    void Close() override {}

   private:
    Event cut_;
  };
  ExperimentConfig config = Config();
  config.mutable_stop()->set_wall_seconds(0.01);
  auto trainer = Make(config);
  HangingSink sink;
  FakeSource source(trainer->experience_spec(), 0);
  const absl::Status status = trainer->Run({.queue = &source}, sink);
  EXPECT_TRUE(status.ok()) << status;
  EXPECT_GE(trainer->summary().wall_seconds, 0.01 + absl::ToDoubleSeconds(Trainer::kSinkGrace));
  EXPECT_TRUE(FindCheckpoint(folder_.path(), "last").ok());
}

TEST_F(TrainerTest, AStopEndsAnEvaluationAndSaves) {
  ExperimentConfig config = Config();
  config.mutable_evaluation()->set_every_env_steps(kBatch);
  config.mutable_evaluation()->set_episodes(100);
  auto trainer = Make(config);
  on_progress_ = [&](const Progress& progress) {
    if (progress.updates == 1) trainer->RequestStop();
    return absl::OkStatus();
  };
  ASSERT_TRUE(Run(*trainer).ok());
  EXPECT_FALSE(trainer->summary().evaluation.has_value());
  EXPECT_FALSE(FindCheckpoint(folder_.path(), "best").ok());
  EXPECT_THAT(ListCheckpoints(folder_.path()), ElementsAre(kBatch));
}

TEST_F(TrainerTest, RequestStopEndsTheWaitForExperienceAndSaves) {
  auto trainer = Make(Config());
  EmptySource source;
  absl::Status status;
  std::thread training([&] { status = trainer->Run({.queue = &source}, sink_); });
  source.waiting.Wait();
  trainer->RequestStop();
  source.Close();
  training.join();
  EXPECT_TRUE(status.ok()) << status;
  EXPECT_EQ(sink_.state, v1::RUN_STATE_FINISHED);
  EXPECT_THAT(ListCheckpoints(folder_.path()), ElementsAre(0));
  EXPECT_TRUE(Make(Config())->Restore(Newest()).ok());
}

TEST_F(TrainerTest, ARunThatStaysOpenIsSavedAndNotFinishedByAStop) {
  auto trainer = Make(Config());
  trainer->set_stays_open(true);
  on_progress_ = [&](const Progress& progress) {
    if (progress.updates == 3) trainer->RequestStop();
    return absl::OkStatus();
  };
  const absl::Status status = Run(*trainer);
  EXPECT_TRUE(absl::IsAborted(status)) << status;
  EXPECT_THAT(std::string(status.message()),
              testing::HasSubstr(absl::StrCat("stopped at ", 3 * kBatch, " of ")));
  EXPECT_NE(sink_.state, v1::RUN_STATE_FINISHED);
  EXPECT_EQ(Newest().manifest.env_steps(), 3 * kBatch);

  on_progress_ = nullptr;
  auto next = Make(Config());
  next->set_stays_open(true);
  ASSERT_TRUE(next->Restore(Newest()).ok());
  EXPECT_TRUE(Run(*next, /*first_batch=*/3).ok());
  EXPECT_EQ(sink_.state, v1::RUN_STATE_FINISHED);
}

TEST_F(TrainerTest, AClosedSourceWithoutAStopIsAnError) {
  auto trainer = Make(Config());
  EmptySource source;
  source.Close();
  EXPECT_EQ(trainer->Run({.queue = &source}, sink_).code(), absl::StatusCode::kCancelled);
  EXPECT_EQ(sink_.state, v1::RUN_STATE_RUNNING);
}

TEST_F(TrainerTest, AFailingReportEndsTheRun) {
  on_progress_ = [](const Progress& progress) {
    return progress.updates == 2 ? absl::ResourceExhaustedError("disk full") : absl::OkStatus();
  };
  EXPECT_EQ(Run(*Make(Config())).code(), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(progress_.size(), 2);
  EXPECT_EQ(sink_.state, v1::RUN_STATE_RUNNING);
}

TEST_F(TrainerTest, TheBestEvaluationIsKeptAndSurvivesAResume) {
  ExperimentConfig config = Config();
  config.mutable_stop()->set_env_steps(4 * kBatch);
  config.mutable_evaluation()->set_every_env_steps(2 * kBatch);
  config.mutable_evaluation()->set_episodes(3);
  auto trainer = Make(config);
  ASSERT_TRUE(Run(*trainer).ok());
  ASSERT_TRUE(trainer->summary().evaluation.has_value());
  EXPECT_EQ(trainer->summary().evaluation->episodes, 3);
  EXPECT_TRUE(FindCheckpoint(folder_.path(), "best").ok());

  auto resumed = Make(config);
  EXPECT_FALSE(resumed->summary().evaluation.has_value());
  ASSERT_TRUE(resumed->Restore(Newest()).ok());
  ASSERT_TRUE(resumed->summary().evaluation.has_value());
  EXPECT_EQ(resumed->summary().evaluation->mean_return, trainer->summary().evaluation->mean_return);
}

TEST_F(TrainerTest, TheLastPolicyIsEvaluatedBesidesThoseOfEachMultiple) {
  ExperimentConfig config = Config();
  config.mutable_stop()->set_env_steps(5 * kBatch);
  config.mutable_evaluation()->set_every_env_steps(3 * kBatch);
  config.mutable_evaluation()->set_episodes(3);
  auto trainer = Make(config);
  std::vector<int64_t> evaluated;
  on_progress_ = [&](const Progress&) {
    const auto& last = trainer->summary().last_evaluation;
    if (last.has_value() && (evaluated.empty() || evaluated.back() != last->env_steps))
      evaluated.push_back(last->env_steps);
    return absl::OkStatus();
  };
  ASSERT_TRUE(Run(*trainer).ok());
  EXPECT_THAT(evaluated, ElementsAre(3 * kBatch));
  ASSERT_TRUE(trainer->summary().last_evaluation.has_value());
  EXPECT_EQ(trainer->summary().last_evaluation->env_steps, 5 * kBatch);

  // Its checkpoint knows, and a run that is over is not evaluated again.
  auto resumed = Make(config);
  ASSERT_TRUE(resumed->Restore(Newest()).ok());
  EXPECT_EQ(resumed->summary().last_evaluation->env_steps, 5 * kBatch);
}

TEST_F(TrainerTest, ItIsSaidThatTheLastPolicyIsNotEvaluatedAsTheTimeIsOver) {
  FakeClocks clocks;
  ExperimentConfig config = Config();
  config.mutable_stop()->set_env_steps(2 * kBatch);
  config.mutable_stop()->set_wall_seconds(1800);
  config.mutable_evaluation()->set_every_env_steps(100 * kBatch);
  config.mutable_evaluation()->set_episodes(3);
  on_progress_ = [&](const Progress& progress) {
    if (progress.updates == 2) clocks.Advance(absl::Hours(1));
    return absl::OkStatus();
  };
  const LogCapture log;
  auto trainer = Make(config);
  ASSERT_TRUE(Run(*trainer).ok());
  EXPECT_FALSE(trainer->summary().last_evaluation.has_value());
  EXPECT_THAT(log.text(), HasSubstr(absl::StrCat("warning the last policy is not evaluated: the "
                                                 "run's time is over; see 'cadre eval ",
                                                 folder_.path(), "'\n")));
}

TEST_F(TrainerTest, ItIsSaidThatNothingWasLearned) {
  ExperimentConfig config = Config();
  config.mutable_stop()->set_wall_seconds(1e-9);
  {
    const LogCapture log;
    ASSERT_TRUE(Run(*Make(config)).ok());
    EXPECT_THAT(log.text(),
                HasSubstr("warning nothing was learned: 0 steps, and not one update\n"));
  }
  config.mutable_stop()->clear_wall_seconds();
  const LogCapture log;
  ASSERT_TRUE(Run(*Make(config)).ok());
  EXPECT_THAT(log.text(), Not(HasSubstr("warning")));
}

TEST_F(TrainerTest, ARunInLegsIsEvaluatedWhereOneWithoutThemIs) {
  ExperimentConfig config = Config();
  config.mutable_evaluation()->set_every_env_steps(3 * kBatch);
  config.mutable_evaluation()->set_episodes(3);
  std::vector<int64_t> evaluated;
  const LogCapture log;
  for (int leg = 0; leg < 4; ++leg) {  // Two updates each; the last ends the run.
    auto trainer = Make(config);
    if (leg > 0) ASSERT_TRUE(trainer->Restore(Newest()).ok());
    on_progress_ = [&](const Progress& progress) {
      if (leg < 3 && progress.updates == 2 * (leg + 1)) trainer->RequestStop();
      return absl::OkStatus();
    };
    ASSERT_TRUE(Run(*trainer, 2 * leg).ok());
    const auto last = trainer->summary().last_evaluation;
    evaluated.push_back(last.has_value() ? last->env_steps : 0);
  }
  EXPECT_THAT(evaluated, ElementsAre(0, 3 * kBatch, 3 * kBatch, 8 * kBatch));
  EXPECT_THAT(log.text(), Not(HasSubstr("is not evaluated"))) << "a leg's last policy need not be";
}

TEST_F(TrainerTest, AFinishedRunIsEvaluatedWhereItIsResumedWithEvaluations) {
  ExperimentConfig config = Config();
  ASSERT_TRUE(Run(*Make(config)).ok());
  EXPECT_FALSE(FindCheckpoint(folder_.path(), "best").ok());
  config.mutable_evaluation()->set_every_env_steps(100 * kBatch);
  config.mutable_evaluation()->set_episodes(3);
  // Though its time was over long ago.
  config.mutable_stop()->set_wall_seconds(1e-3);
  Checkpoint finished = Newest();
  finished.manifest.set_wall_seconds(100);
  auto resumed = Make(config);
  ASSERT_TRUE(resumed->Restore(finished).ok());
  ASSERT_TRUE(Run(*resumed).ok());
  ASSERT_TRUE(resumed->summary().last_evaluation.has_value());
  EXPECT_EQ(resumed->summary().last_evaluation->env_steps, 8 * kBatch);
  EXPECT_TRUE(FindCheckpoint(folder_.path(), "best").ok());

  // Its checkpoint has it.
  auto again = Make(config);
  ASSERT_TRUE(again->Restore(Newest()).ok());
  EXPECT_EQ(again->summary().last_evaluation->mean_return,
            resumed->summary().last_evaluation->mean_return);
}

TEST_F(TrainerTest, AnEvaluationAfterTheEndIsSavedThoughItsPolicyIsNotTheBest) {
  ExperimentConfig config = Config();
  ASSERT_TRUE(Run(*Make(config)).ok());
  config.mutable_evaluation()->set_every_env_steps(100 * kBatch);
  config.mutable_evaluation()->set_episodes(3);
  Checkpoint finished = Newest();
  finished.state.Add<double>("best_evaluation", {4}, {1e9, 0, 500, 3});
  auto resumed = Make(config);
  ASSERT_TRUE(resumed->Restore(finished).ok());
  ASSERT_TRUE(Run(*resumed).ok());
  EXPECT_FALSE(FindCheckpoint(folder_.path(), "best").ok());
  auto again = Make(config);
  ASSERT_TRUE(again->Restore(Newest()).ok());
  ASSERT_TRUE(again->summary().last_evaluation.has_value());
  EXPECT_EQ(again->summary().last_evaluation->env_steps, 8 * kBatch);
}

TEST_F(TrainerTest, AConfigWithoutAnAlgorithmIsRefused) {
  ExperimentConfig config = Config();
  config.clear_ppo();
  const auto trainer = Trainer::Create({.config = config,
                                        .environment = *FindEnvironment("CartPole-v1"),
                                        .run_folder = "",
                                        .on_progress = nullptr});
  EXPECT_EQ(trainer.status().code(), absl::StatusCode::kInvalidArgument);
}

}  // namespace
}  // namespace cadre
