// Trainers that move one model together, as threads, against one that has all experience.
#include <algorithm>
#include <cstring>
#include <memory>
#include <thread>
#include <utility>
#include <vector>

#include "absl/synchronization/notification.h"
#include "envs/registry.h"
#include "gtest/gtest.h"
#include "learner/loop/trainer.h"
#include "learner/parallel/update_agreement.h"
#include "tests/learner/example_experience.h"
#include "tests/learner/fake_parameter_sink.h"
#include "tests/learner/parallel/learner_group.h"
#include "tests/learner/temp_folder.h"
#include "tests/policy/example_networks.h"

namespace cadre {
namespace {

constexpr int64_t kBatch = 64;  // Steps of an update: 2 actors x 4 environments x 8.

ExperimentConfig Config(int learners) {
  ExperimentConfig config;
  config.set_name("together");
  config.mutable_environment()->set_id("CartPole-v1");
  *config.mutable_model() = MlpModelConfig({6});
  config.mutable_normalization()->set_observations(true);
  config.mutable_normalization()->set_rewards(true);
  config.mutable_ppo()->set_epochs(2);
  config.mutable_ppo()->set_minibatch_size(kBatch);
  config.mutable_ppo()->set_learning_rate(3e-3);
  config.mutable_actors()->set_count(2);
  config.mutable_actors()->set_environments_per_actor(4);
  config.mutable_actors()->set_segment_length(8);
  config.mutable_stop()->set_env_steps(8 * kBatch);
  config.mutable_checkpoint()->set_every_seconds(1e9);
  config.mutable_learners()->set_count(learners);
  config.set_seed(3);
  return config;
}

// Rollouts of all actors, or of one, that depend on the number of the batch alone.
class BatchSource final : public ExperienceSource {
 public:
  BatchSource(const v1::ExperienceSpec& spec, int actor) : spec_(spec), actor_(actor) {}

  absl::StatusOr<Lease> Take(int64_t steps, int64_t version) override {
    EXPECT_EQ(steps, actor_ < 0 ? kBatch : kBatch / 2);
    Lease lease;
    lease.id = static_cast<uint64_t>(++batch_);
    if (batch_ == closed_from) {
      waiting.Notify();
      closed_.WaitForNotification();
      return absl::CancelledError("closed");
    }
    Random random = Random::ForStream(1, static_cast<uint64_t>(batch_));
    for (const int actor : {0, 1}) {
      v1::Rollout rollout = ExampleRollout(
          spec_, actor, 1, {{20, v1::SEGMENT_END_TERMINATED}, {12, v1::SEGMENT_END_CUT}}, version,
          random);
      v1::Episode& episode = *rollout.add_episodes();
      episode.set_total_reward(10 * batch_ + actor);
      episode.set_length(20);
      if (actor_ < 0 || actor == actor_) lease.rollouts.push_back(std::move(rollout));
    }
    return lease;
  }
  absl::Status Acknowledge(uint64_t lease_id) override {
    acknowledged = lease_id;
    return absl::OkStatus();
  }
  void Close() override { closed_.Notify(); }

  int closed_from = -1;  // Batch that never comes: counted from 1.
  absl::Notification waiting;
  uint64_t acknowledged = 0;

 private:
  const v1::ExperienceSpec spec_;
  const int actor_;
  int batch_ = 0;
  absl::Notification closed_;
};

struct OneLearner {
  OneLearner(const ExperimentConfig& config, int actor, const DeviceOptions& device = {})
      : trainer(Trainer::Create({.config = config,
                                 .environment = *FindEnvironment(config.environment().id()),
                                 .run_folder = folder.path(),
                                 .rank = std::max(actor, 0),
                                 .device = device,
                                 .on_progress =
                                     [this](const Progress& news) {
                                       progress.push_back(news);
                                       return absl::OkStatus();
                                     }})
                    .value()),
        source(trainer->experience_spec(), actor) {}

  absl::Status Run() { return trainer->Run({.queue = &source}, sink); }

  const TempFolder folder;
  std::vector<Progress> progress;
  std::unique_ptr<Trainer> trainer;
  BatchSource source;
  FakeParameterSink sink;
};

std::vector<float> Values(const v1::Parameters& parameters) {
  std::vector<float> values(parameters.values().size() / sizeof(float));
  std::memcpy(values.data(), parameters.values().data(), parameters.values().size());
  return values;
}

void ExpectToPublishWhatOneWithAllExperienceWould(const DeviceOptions& device) {
  OneLearner alone(Config(1), -1, device);
  ASSERT_TRUE(alone.Run().ok());
  std::vector<std::unique_ptr<OneLearner>> learners;
  for (const int rank : {0, 1}) {
    ExperimentConfig config = Config(2);
    // The second begins elsewhere: it takes over what the first has.
    config.set_seed(3 + static_cast<uint64_t>(rank));
    learners.push_back(std::make_unique<OneLearner>(config, rank, device));
  }
  RunLearners(2, [&](Collective& collective) {
    OneLearner& learner = *learners[collective.rank()];
    learner.trainer->set_collective(&collective);
    const absl::Status status = learner.Run();
    EXPECT_TRUE(status.ok()) << status;
    EXPECT_EQ(learner.trainer->env_steps(), 8 * kBatch);
    EXPECT_EQ(learner.source.acknowledged, 8);
  });
  // The first alone publishes, reports and saves.
  OneLearner& first = *learners[0];
  EXPECT_TRUE(learners[1]->sink.published.empty());
  EXPECT_TRUE(learners[1]->progress.empty());
  EXPECT_TRUE(ListCheckpoints(learners[1]->folder.path()).empty());
  EXPECT_EQ(ListCheckpoints(first.folder.path()).back(), 8 * kBatch);
  EXPECT_EQ(first.sink.state, v1::RUN_STATE_FINISHED);

  ASSERT_EQ(first.sink.published.size(), alone.sink.published.size());
  for (size_t i = 0; i < alone.sink.published.size(); ++i) {
    const v1::Parameters& one = *alone.sink.published[i];
    const v1::Parameters& all = *first.sink.published[i];
    EXPECT_EQ(all.version(), one.version());
    EXPECT_EQ(all.env_steps(), one.env_steps());
    const std::vector<float> wanted = Values(one), got = Values(all);
    for (size_t j = 0; j < wanted.size(); ++j) ASSERT_NEAR(got[j], wanted[j], 1e-5) << i;
    ASSERT_EQ(all.statistics_size(), one.statistics_size());
    for (int s = 0; s < one.statistics_size(); ++s)
      for (int j = 0; j < one.statistics(s).values_size(); ++j)
        EXPECT_NEAR(all.statistics(s).values(j), one.statistics(s).values(j), 1e-9);
  }
  EXPECT_NE(alone.sink.published.front()->values(), alone.sink.published.back()->values());
  ASSERT_EQ(first.progress.size(), alone.progress.size());
  for (size_t i = 0; i < alone.progress.size(); ++i) {
    EXPECT_EQ(first.progress[i].episodes, alone.progress[i].episodes);
    EXPECT_EQ(first.progress[i].mean_return, alone.progress[i].mean_return);
  }
}

TEST(TrainerGroupTest, TwoLearnersPublishWhatOneWithAllExperienceWould) {
  ExpectToPublishWhatOneWithAllExperienceWould({});
}

TEST(TrainerGroupTest, SoDoTwoThatComputeAsOnADevice) {
  ExpectToPublishWhatOneWithAllExperienceWould({.tensor_operations = true});
}

TEST(TrainerGroupTest, OnTheCpuAndOnADeviceNeitherBegins) {
  std::vector<std::unique_ptr<OneLearner>> learners;
  for (const int rank : {0, 1})
    learners.push_back(std::make_unique<OneLearner>(Config(2), rank,
                                                    DeviceOptions{.tensor_operations = rank == 1}));
  RunLearners(2, [&](Collective& collective) {
    OneLearner& learner = *learners[collective.rank()];
    learner.trainer->set_collective(&collective);
    const absl::Status status = learner.Run();
    EXPECT_TRUE(absl::IsInvalidArgument(status)) << status;
    EXPECT_EQ(learner.trainer->env_steps(), 0);
    EXPECT_EQ(learner.source.acknowledged, 0);
    EXPECT_TRUE(learner.sink.published.empty());
  });
}

TEST(TrainerGroupTest, AStopOfOneEndsAllAfterTheSameUpdate) {
  for (const int stopped : {0, 1}) {
    std::vector<std::unique_ptr<OneLearner>> learners;
    for (const int rank : {0, 1}) learners.push_back(std::make_unique<OneLearner>(Config(2), rank));
    BatchSource& source = learners[stopped]->source;
    source.closed_from = 4;
    std::thread stop([&] {
      source.waiting.WaitForNotification();
      learners[stopped]->trainer->RequestStop();
      source.Close();
    });
    RunLearners(2, [&](Collective& collective) {
      OneLearner& learner = *learners[collective.rank()];
      learner.trainer->set_collective(&collective);
      const absl::Status status = learner.Run();
      EXPECT_TRUE(status.ok()) << status;
      EXPECT_EQ(learner.trainer->env_steps(), 3 * kBatch);
      EXPECT_EQ(learner.source.acknowledged, 3);
    });
    stop.join();
    EXPECT_EQ(ListCheckpoints(learners[0]->folder.path()).back(), 3 * kBatch);
    EXPECT_EQ(learners[0]->sink.state, v1::RUN_STATE_FINISHED);
  }
}

TEST(TrainerGroupTest, TheFirstSavesWhatWasLearnedBeforeTheOtherWasLost) {
  std::vector<std::unique_ptr<OneLearner>> learners;
  for (const int rank : {0, 1}) learners.push_back(std::make_unique<OneLearner>(Config(2), rank));
  RunLearners(2, [&](Collective& collective) {
    OneLearner& learner = *learners[collective.rank()];
    learner.trainer->set_collective(&collective);
    if (collective.rank() == 0) {
      const absl::Status status = learner.Run();
      EXPECT_TRUE(absl::IsUnavailable(status)) << status;
      EXPECT_EQ(learner.trainer->env_steps(), 0);
      return;
    }
    // Takes over the first's state, and is gone.
    EXPECT_TRUE(AgreeOnKernels(collective, true).ok());
    EXPECT_TRUE(CheckpointOfFirst(collective, Checkpoint()).ok());
  });
  EXPECT_EQ(ListCheckpoints(learners[0]->folder.path()), std::vector<int64_t>{0});
  EXPECT_EQ(learners[0]->sink.state, v1::RUN_STATE_RUNNING);
}

}  // namespace
}  // namespace cadre
