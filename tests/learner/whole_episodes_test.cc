// An algorithm that learns from whole episodes in the training loop: episodes that span
// several updates were acted by several policies, with several statistics.
#include <cmath>
#include <cstring>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "common/config/config.h"
#include "common/experience/experience_spec.h"
#include "envs/registry.h"
#include "gtest/gtest.h"
#include "learner/algorithms/device/tensor_spans.h"
#include "learner/algorithms/policy_gradient/on_policy.h"
#include "learner/loop/trainer.h"
#include "policy/normalization.h"
#include "policy/on_policy_columns.h"
#include "tests/learner/example_experience.h"
#include "tests/learner/fake_parameter_sink.h"
#include "tests/learner/parallel/learner_group.h"
#include "tests/learner/temp_folder.h"
#include "tests/policy/example_networks.h"

namespace cadre {
namespace {

constexpr int32_t kLength = 8;  // Steps of an update, all of one environment.

ExperimentConfig Config() {
  ExperimentConfig config;
  config.set_name("episodes");
  config.mutable_environment()->set_id("CartPole-v1");
  *config.mutable_model() = MlpModelConfig({6});
  config.mutable_normalization()->set_observations(true);
  config.mutable_normalization()->set_rewards(true);
  ReinforceConfig& reinforce = *config.mutable_reinforce();
  reinforce.set_normalize_advantages(false);
  reinforce.mutable_optimizer()->mutable_sgd();
  reinforce.mutable_optimizer()->set_learning_rate(0.1);
  config.mutable_actors()->set_count(1);
  config.mutable_actors()->set_environments_per_actor(1);
  config.mutable_actors()->set_segment_length(kLength);
  config.mutable_checkpoint()->set_every_seconds(1e9);
  return ResolveConfig(config);
}

// Rollouts of one segment each, which ends as `ends` says, in turn. They are those of `actor`
// after its first `before`.
class SegmentSource final : public ExperienceSource {
 public:
  SegmentSource(v1::ExperienceSpec spec, std::vector<v1::SegmentEnd> ends, int32_t actor = 0,
                uint64_t before = 0)
      : spec_(std::move(spec)), ends_(std::move(ends)), actor_(actor), before_(before) {}

  absl::StatusOr<Lease> Take(int64_t /*steps*/, int64_t version) override {
    Lease lease;
    const v1::SegmentEnd end = ends_[taken.size() % ends_.size()];
    // Observations of another scale each time, so that the statistics move.
    v1::Rollout rollout = ExampleRollout(spec_, actor_, before_ + taken.size() + 1,
                                         {{kLength, end}}, version, random_);
    for (float& value : MutableColumnAs<float>(rollout.mutable_columns(0)))
      value = value * static_cast<float>(1 + taken.size()) + 1;
    taken.push_back(rollout);
    lease.rollouts.push_back(std::move(rollout));
    return lease;
  }
  absl::Status Acknowledge(uint64_t) override { return absl::OkStatus(); }
  void Close() override {}

  std::vector<v1::Rollout> taken;

 private:
  const v1::ExperienceSpec spec_;
  const std::vector<v1::SegmentEnd> ends_;
  const int32_t actor_;
  const uint64_t before_;
  Random random_{4};
};

class WholeEpisodesTest : public testing::Test {
 protected:
  void Train(ExperimentConfig config, int batches, std::vector<v1::SegmentEnd> ends) {
    config.mutable_stop()->set_env_steps(batches * kLength);
    auto made = Trainer::Create({.config = config,
                                 .environment = *FindEnvironment("CartPole-v1"),
                                 .run_folder = folder_.path(),
                                 .on_progress = [this](const Progress& progress) {
                                   progress_.push_back(progress);
                                   return absl::OkStatus();
                                 }});
    ASSERT_TRUE(made.ok()) << made.status();
    trainer_ = *std::move(made);
    source_ = std::make_unique<SegmentSource>(trainer_->experience_spec(), std::move(ends));
    ASSERT_TRUE(trainer_->Run({.queue = source_.get()}, sink_).ok());
  }
  double Diagnostic(const Progress& progress, const std::string& name) {
    const std::map<std::string, double> numbers(progress.diagnostics.begin(),
                                                progress.diagnostics.end());
    return numbers.at(name);
  }

  const TempFolder folder_;
  std::unique_ptr<Trainer> trainer_;
  std::unique_ptr<SegmentSource> source_;
  FakeParameterSink sink_;
  std::vector<Progress> progress_;
};

TEST_F(WholeEpisodesTest, TheLagIsThatOfTheOldestStepThatWasLearnedFrom) {
  Train(Config(), 5,
        {v1::SEGMENT_END_CUT, v1::SEGMENT_END_CUT, v1::SEGMENT_END_TERMINATED,
         v1::SEGMENT_END_TRUNCATED, v1::SEGMENT_END_CUT});
  const int64_t lags[] = {0, 0, 2, 0, 0}, most[] = {0, 0, 2, 2, 2}, updates[] = {0, 0, 1, 2, 2};
  const double waiting[] = {8, 16, 0, 0, 8};
  ASSERT_EQ(progress_.size(), 5);
  for (int i = 0; i < 5; ++i) {
    EXPECT_EQ(progress_[i].env_steps, (i + 1) * kLength) << "steps count when they are consumed";
    EXPECT_EQ(progress_[i].version_lag, lags[i]) << i;
    EXPECT_EQ(progress_[i].max_version_lag, most[i]) << i;
    EXPECT_EQ(progress_[i].updates, updates[i]) << i;
    EXPECT_EQ(Diagnostic(progress_[i], "waiting_steps"), waiting[i]) << i;
  }
  EXPECT_EQ(trainer_->summary().max_version_lag, 2);
}

TEST_F(WholeEpisodesTest, ABatchWithoutAnEpisodeMovesNothing) {
  Train(Config(), 2, {v1::SEGMENT_END_CUT});
  EXPECT_EQ(sink_.published[0]->values(), sink_.published[2]->values());
  EXPECT_TRUE(std::isnan(Diagnostic(progress_[1], "policy_loss")));
}

// The whole episode as one batch of the policy that learns: its transform for all
// observations, its rewards' scale for all rewards, and the probabilities that were recorded.
OnPolicyBatch Episode(const std::vector<v1::Rollout>& rollouts, const v1::Parameters& policy,
                      const v1::Parameters& after, const ExperimentConfig& config) {
  std::vector<float> observations, rewards, log_probs;
  std::vector<int64_t> actions;
  const auto add = [](const v1::Rollout& rollout, int column, std::vector<float>& to, int64_t n) {
    const absl::Span<const float> values = ColumnAs<float>(rollout.columns(column));
    to.insert(to.end(), values.begin(), values.begin() + n);
  };
  for (const v1::Rollout& rollout : rollouts) {
    const bool last = &rollout == &rollouts.back();
    add(rollout, 0, observations, 4 * (kLength + (last ? 1 : 0)));
    add(rollout, OnPolicyColumns().reward, rewards, kLength);
    add(rollout, OnPolicyColumns().log_prob, log_probs, kLength);
    for (const int32_t action : ColumnAs<int32_t>(rollout.columns(OnPolicyColumns().action)))
      actions.push_back(action);
  }
  Normalizer acting(config.normalization(), 4), newest(config.normalization(), 4);
  CADRE_CHECK(acting.Restore(policy).ok() && newest.Restore(after).ok());
  acting.observation_transform().Apply(observations, absl::MakeSpan(observations));
  newest.NormalizeRewards(absl::MakeSpan(rewards));
  OnPolicyBatch batch;
  const int64_t steps = static_cast<int64_t>(rewards.size());
  batch.observations = torch::tensor(observations).view({-1, 4});
  batch.observation_rows = torch::arange(steps);
  batch.actions = torch::tensor(actions, torch::kInt64);
  batch.rewards = torch::tensor(rewards);
  batch.log_probs = torch::tensor(log_probs);
  batch.segments = {{0, steps, /*terminated=*/true}};
  return batch;
}

TEST_F(WholeEpisodesTest, AnEpisodeOfSeveralPoliciesIsLearnedAsTheNewestSeesIt) {
  const ExperimentConfig config = Config();
  // The first episode moves the policy while the statistics move all the time.
  Train(config, 5,
        {v1::SEGMENT_END_TERMINATED, v1::SEGMENT_END_CUT, v1::SEGMENT_END_CUT, v1::SEGMENT_END_CUT,
         v1::SEGMENT_END_TERMINATED});
  const v1::Parameters& before = *sink_.published[4];
  const v1::Parameters& after = *sink_.published[5];
  const EnvironmentSpec environment = *FindEnvironment("CartPole-v1");
  auto model = std::make_unique<ActorCritic>(
      *MakeActorCritic(config.model(), environment.observation, environment.action),
      Runner::kKernels);
  std::memcpy(Flat(model->parameters()).data(), before.values().data(), before.values().size());
  model->ParametersChanged();
  const auto algorithm = MakeOnPolicyAlgorithm(config, std::move(model), Random(1));
  ASSERT_TRUE(algorithm.ok());
  const std::vector<v1::Rollout> rollouts(source_->taken.begin() + 1, source_->taken.end());
  const auto diagnostics = (*algorithm)->Update(Episode(rollouts, before, after, config), 0);
  ASSERT_TRUE(diagnostics.ok());
  const std::map<std::string, double> numbers(diagnostics->begin(), diagnostics->end());
  EXPECT_NEAR(Diagnostic(progress_[4], "importance_weight"), numbers.at("importance_weight"), 1e-5);
  EXPECT_GT(std::abs(numbers.at("importance_weight") - 1), 1e-3) << "nothing is tested";
  EXPECT_NEAR(Diagnostic(progress_[4], "value_loss"), numbers.at("value_loss"), 1e-4);
  const absl::Span<const float> wanted = Flat((*algorithm)->model().parameters());
  std::vector<float> got(wanted.size());
  std::memcpy(got.data(), after.values().data(), after.values().size());
  for (size_t i = 0; i < got.size(); ++i) EXPECT_NEAR(got[i], wanted[i], 1e-5) << i;
  EXPECT_NE(before.values(), after.values());
}

// Learners that move one model together, each with one actor of its own.
class SeveralLearnersTest : public testing::Test {
 protected:
  struct Learner {
    const TempFolder folder;
    std::unique_ptr<Trainer> trainer;
    FakeParameterSink sink;
  };

  // Each takes one rollout, which is cut, and saves: the first by itself, the others as the first
  // would. All begin with `from`, if there is one.
  void TrainOneRound(int64_t rounds_before, const Checkpoint* from) {
    ExperimentConfig config = Config();
    config.mutable_learners()->set_count(kLearners);
    config.mutable_actors()->set_count(kLearners);
    config.mutable_stop()->set_env_steps((rounds_before + 1) * kLearners * kLength);
    for (int rank = 0; rank < kLearners; ++rank) {
      learners_[rank] = std::make_unique<Learner>();
      learners_[rank]->trainer = Trainer::Create({.config = config,
                                                  .environment = *FindEnvironment("CartPole-v1"),
                                                  .run_folder = learners_[rank]->folder.path(),
                                                  .rank = rank})
                                     .value();
      // As when a run is resumed: before the learners know each other.
      if (from != nullptr) ASSERT_TRUE(learners_[rank]->trainer->Restore(*from).ok());
    }
    RunLearners(kLearners, [&](Collective& collective) {
      Learner& learner = *learners_[collective.rank()];
      SegmentSource source(learner.trainer->experience_spec(), {v1::SEGMENT_END_CUT},
                           collective.rank(), static_cast<uint64_t>(rounds_before));
      learner.trainer->set_collective(&collective);
      const absl::Status status = learner.trainer->Run({.queue = &source}, learner.sink);
      EXPECT_TRUE(status.ok()) << status;
      EXPECT_TRUE(learner.trainer->SaveIfUnsaved().ok());
    });
  }
  Checkpoint Saved(int rank) const {
    return LoadNewestIntact(learners_[rank]->folder.path()).value().checkpoint;
  }
  // Steps by actor.
  std::map<int64_t, int64_t> Waiting(int rank) const {
    const Checkpoint checkpoint = Saved(rank);
    const NamedTensor* const waiting = checkpoint.state.Find("episodes.waiting");
    CADRE_CHECK(waiting != nullptr && waiting->shape.size() == 2);
    std::vector<int64_t> numbers(waiting->shape[0] * waiting->shape[1]);
    CADRE_CHECK(checkpoint.state.Read(waiting->name, absl::MakeSpan(numbers)).ok());
    std::map<int64_t, int64_t> steps;
    for (size_t row = 0; row < numbers.size(); row += waiting->shape[1])
      steps[numbers[row]] += numbers[row + 4];
    return steps;
  }

  static constexpr int kLearners = 3;
  std::unique_ptr<Learner> learners_[kLearners];
};

TEST_F(SeveralLearnersTest, WhatWaitsInACheckpointIsOfTheOneThatSavedIt) {
  using Steps = std::map<int64_t, int64_t>;
  TrainOneRound(0, nullptr);
  for (int rank = 0; rank < kLearners; ++rank) EXPECT_EQ(Waiting(rank), (Steps{{rank, kLength}}));
  const Checkpoint checkpoint = Saved(0);
  TrainOneRound(1, &checkpoint);
  EXPECT_EQ(Waiting(0), (Steps{{0, 2 * kLength}})) << "its episode goes on";
  for (int rank = 1; rank < kLearners; ++rank)
    EXPECT_EQ(Waiting(rank), (Steps{{rank, kLength}})) << "its own, and none of another's";
}

}  // namespace
}  // namespace cadre
