// A learner that pushes its gradients, in the training loop between fake ports.
#include <cmath>
#include <limits>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/config/config.h"
#include "common/config/run_topology.h"
#include "envs/registry.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "learner/algorithms/device/tensor_spans.h"
#include "learner/algorithms/optimization/pushed_gradient.h"
#include "learner/batches/collate.h"
#include "learner/loop/trainer.h"
#include "tests/learner/example_experience.h"
#include "tests/learner/fake_gradient_sink.h"
#include "tests/learner/fake_parameter_sink.h"
#include "tests/learner/temp_folder.h"
#include "tests/policy/example_networks.h"

namespace cadre {
namespace {

using testing::ElementsAre;
using testing::FloatNear;
using testing::HasSubstr;
using testing::Pointwise;

constexpr int64_t kBatch = 16;  // Steps of a learner's update: 1 actor x 2 environments x 8.

ExperimentConfig Config(const std::string& algorithm, int learners = 1) {
  ExperimentConfig config;
  config.set_name("shared");
  config.mutable_environment()->set_id("CartPole-v1");
  *config.mutable_model() = MlpModelConfig({6});
  if (algorithm == "a3c") config.mutable_a3c();
  if (algorithm == "n_step_q") config.mutable_n_step_q()->set_target_update_interval(3);
  if (algorithm == "n_step_sarsa") config.mutable_n_step_sarsa()->set_target_update_interval(3);
  config.mutable_actors()->set_count(learners);
  config.mutable_actors()->set_environments_per_actor(2);
  config.mutable_actors()->set_segment_length(8);
  config.mutable_learners()->set_count(learners);
  config.mutable_stop()->set_env_steps(6 * kBatch);
  config.mutable_checkpoint()->set_every_seconds(1e9);
  config.set_seed(3);
  return ResolveConfig(config);
}

const std::vector<ExampleSegment> kSegments = {{10, v1::SEGMENT_END_TERMINATED},
                                               {6, v1::SEGMENT_END_CUT}};

v1::Rollout RolloutOf(const v1::ExperienceSpec& spec, int batch, int64_t version,
                      const std::vector<ExampleSegment>& segments = kSegments) {
  Random random = Random::ForStream(1, static_cast<uint64_t>(batch));
  return ExampleRollout(spec, 0, static_cast<uint64_t>(batch) + 1, segments, version, random);
}

// Batches that depend on their number alone.
class NumberedSource final : public ExperienceSource {
 public:
  explicit NumberedSource(v1::ExperienceSpec spec) : spec_(std::move(spec)) {}

  absl::StatusOr<Lease> Take(int64_t steps, int64_t version) override {
    EXPECT_EQ(steps, kBatch);
    if (next == last) return absl::CancelledError("closed");
    versions.push_back(version);
    Lease lease;
    lease.id = 1000 + static_cast<uint64_t>(next);
    const auto other = segments_of.find(next);
    lease.rollouts.push_back(
        RolloutOf(spec_, next, version, other == segments_of.end() ? segments : other->second));
    ++next;
    return lease;
  }
  absl::Status Acknowledge(uint64_t lease_id) override {
    acknowledged.push_back(lease_id);
    return absl::OkStatus();
  }
  void Close() override {}

  int next = 0;
  int last = -1;                                           // Closed there.
  std::vector<ExampleSegment> segments = kSegments;        // In each rollout,
  std::map<int, std::vector<ExampleSegment>> segments_of;  // but for these batches.
  std::vector<int64_t> versions;
  std::vector<uint64_t> acknowledged;

 private:
  const v1::ExperienceSpec spec_;
};

// Of a model that is there, in a run that may be over.
class FakeParameterSource final : public ParameterSource {
 public:
  ParametersPtr Newest() override { return nullptr; }
  absl::StatusOr<ParametersPtr> WaitNewer(int64_t version, absl::Duration) override {
    waited.push_back(version);
    return ParametersPtr();
  }
  v1::RunState run_state() override { return state; }
  void Close() override {}

  std::vector<int64_t> waited;
  v1::RunState state = v1::RUN_STATE_RUNNING;
};

class PushingLearnerTest : public testing::Test {
 protected:
  std::unique_ptr<Trainer> Make(const ExperimentConfig& config, int32_t rank = 0) {
    auto trainer = Trainer::Create({.config = config,
                                    .environment = *FindEnvironment(config.environment().id()),
                                    .run_folder = folder_.path(),
                                    .rank = rank,
                                    .on_progress = [this](const Progress& progress) {
                                      progress_.push_back(progress);
                                      return absl::OkStatus();
                                    }});
    EXPECT_TRUE(trainer.ok()) << trainer.status();
    return *std::move(trainer);
  }
  absl::Status Run(Trainer& trainer, int first_batch = 0) {
    if (source_ == nullptr) source_ = std::make_unique<NumberedSource>(trainer.experience_spec());
    source_->next = std::max(source_->next, first_batch);
    return trainer.Run({.queue = source_.get(), .gradients = &gradients_, .first = first_}, sink_);
  }

  const TempFolder folder_;
  std::vector<Progress> progress_;
  std::unique_ptr<NumberedSource> source_;
  FakeGradientSink gradients_;
  FakeParameterSink sink_;
  ParameterSource* first_ = nullptr;
};

class PushedAlgorithmTest : public PushingLearnerTest,
                            public testing::WithParamInterface<const char*> {};

// No setting has its default.
OptimizerConfig ExampleOptimizer() {
  OptimizerConfig optimizer;
  optimizer.set_learning_rate(0.02);
  optimizer.set_max_gradient_norm(0.3);
  optimizer.mutable_rms_prop()->set_decay(0.7);
  optimizer.mutable_rms_prop()->set_epsilon(0.01);
  optimizer.mutable_rms_prop()->set_initial_square(0.25);
  return optimizer;
}

ExperimentConfig WithOptimizer(ExperimentConfig config, const OptimizerConfig& optimizer) {
  if (config.has_a3c()) *config.mutable_a3c()->mutable_optimizer() = optimizer;
  if (config.has_n_step_q()) *config.mutable_n_step_q()->mutable_optimizer() = optimizer;
  if (config.has_n_step_sarsa()) *config.mutable_n_step_sarsa()->mutable_optimizer() = optimizer;
  return config;
}

// What one learner alone makes of the same batches with ExampleOptimizer().
std::vector<std::vector<float>> LocalParameters(const ExperimentConfig& config,
                                                const v1::ExperienceSpec& spec, int batches) {
  const EnvironmentSpec environment = *FindEnvironment(config.environment().id());
  auto algorithm = MakePushedGradient(config, environment.observation, environment.action,
                                      Random::ForStream(config.seed(), kInitialParametersStream));
  FlatModel& model = (*algorithm)->model();
  NaiveRmsProp optimizer{.rate = 0.02,
                         .decay = 0.7,
                         .epsilon = 0.01,
                         .max_norm = 0.3,
                         .initial_square = 0.25,
                         .g = {}};
  const auto floats = [](const torch::Tensor& tensor) {
    return std::vector<float>(Flat(tensor).begin(), Flat(tensor).end());
  };
  std::vector<std::vector<float>> made{floats(model.parameters())};
  for (int batch = 0; batch < batches; ++batch) {
    std::vector<v1::Rollout> rollouts{RolloutOf(spec, batch, batch + 1)};
    const auto collated = Collate(spec, environment.action, ObservationTransform(), rollouts);
    Diagnostics diagnostics;
    CADRE_CHECK((*algorithm)->ComputeGradient(collated->batch, 0, diagnostics).value());
    std::vector<float> parameters = floats(model.parameters());
    optimizer.Step(parameters, floats(model.gradient()));
    std::copy(parameters.begin(), parameters.end(), Flat(model.parameters()).begin());
    model.ParametersChanged();
    (*algorithm)->OnSharedVersion(batch + 2);
    made.push_back(std::move(parameters));
  }
  return made;
}

TEST_P(PushedAlgorithmTest, AloneItIsALocalRmsPropStepForStep) {
  const ExperimentConfig config = WithOptimizer(Config(GetParam()), ExampleOptimizer());
  auto trainer = Make(config);
  ASSERT_TRUE(Run(*trainer).ok());
  const auto local = LocalParameters(config, trainer->experience_spec(), 6);
  ASSERT_EQ(sink_.published.size(), 7);
  for (size_t i = 0; i < 7; ++i)
    EXPECT_THAT(FloatsOf(sink_.published[i]->values()), Pointwise(FloatNear(1e-6f), local[i])) << i;
  EXPECT_NE(local[0], local[6]);
}

TEST_P(PushedAlgorithmTest, EachReportIsOfItsOwnUpdate) {
  auto trainer = Make(Config(GetParam()));
  ASSERT_TRUE(Run(*trainer).ok());
  ASSERT_EQ(progress_.size(), 6);
  std::set<double> losses;
  for (const Progress& progress : progress_) {
    EXPECT_EQ(NamesOf(progress.diagnostics), NamesOf(progress_[0].diagnostics));
    EXPECT_EQ(progress.diagnostics.back().first, "gradient_lag");
    losses.insert(progress.diagnostics[0].second);
  }
  EXPECT_EQ(losses.size(), 6) << "numbers of another update";
}

TEST_P(PushedAlgorithmTest, GradientsTellWhatTheyAreOf) {
  auto trainer = Make(Config(GetParam()));
  ASSERT_TRUE(Run(*trainer).ok());
  ASSERT_EQ(gradients_.gradients.size(), 6);
  for (int i = 0; i < 6; ++i) {
    EXPECT_EQ(gradients_.gradients[i].model(), "shared");
    EXPECT_EQ(gradients_.gradients[i].version(), i + 1);
    EXPECT_EQ(gradients_.gradients[i].env_steps(), kBatch);
  }
  EXPECT_THAT(source_->acknowledged, ElementsAre(1000, 1001, 1002, 1003, 1004, 1005));
  EXPECT_EQ(sink_.state, v1::RUN_STATE_FINISHED);
}

INSTANTIATE_TEST_SUITE_P(Algorithms, PushedAlgorithmTest,
                         testing::Values("a3c", "n_step_q", "n_step_sarsa"));

TEST_F(PushingLearnerTest, ItHandsOverTheModelWithItsOptimiserAndItsLimits) {
  ExperimentConfig config = Config("n_step_q");
  config.mutable_learners()->set_max_gradient_lag(7);
  config.mutable_n_step_q()->mutable_optimizer()->set_learning_rate(0.25);
  ASSERT_TRUE(Run(*Make(config)).ok());
  ASSERT_EQ(gradients_.started.size(), 1);
  const v1::SharedModel& model = gradients_.started[0];
  EXPECT_EQ(model.parameters().model(), "shared");
  EXPECT_EQ(model.parameters().version(), 1);
  EXPECT_EQ(model.optimizer().learning_rate(), 0.25);
  EXPECT_EQ(model.schedule_steps(), 6 * kBatch);
  EXPECT_EQ(model.max_gradient_lag(), 7);
  EXPECT_FALSE(model.has_optimizer_state());
}

TEST_F(PushingLearnerTest, ItsActorsFollowItsOwnCopyInVersionsOfItsOwn) {
  auto trainer = Make(Config("n_step_q"));
  gradients_.others_make = 4;
  ASSERT_TRUE(Run(*trainer).ok());
  std::vector<int64_t> versions;
  for (const ParametersPtr& parameters : sink_.published) {
    EXPECT_EQ(parameters->model(), "shared/0");
    versions.push_back(parameters->version());
  }
  // Never behind the shared model's: a server that lost the copy still has that.
  EXPECT_THAT(versions, ElementsAre(1, 6, 7));
  EXPECT_THAT(source_->versions, ElementsAre(1, 6));
}

TEST_F(PushingLearnerTest, StepsAndUpdatesAreThoseOfAllLearners) {
  auto trainer = Make(Config("n_step_q"));
  gradients_.others_make = 4;
  ASSERT_TRUE(Run(*trainer).ok());
  ASSERT_EQ(progress_.size(), 2) << "the run is over after 6 batches of anybody's";
  EXPECT_EQ(progress_[0].env_steps, 5 * kBatch);
  EXPECT_EQ(progress_[0].updates, 5);
  EXPECT_EQ(progress_[0].version_lag, 4);
  EXPECT_EQ(progress_[1].env_steps, 6 * kBatch);
  EXPECT_EQ(trainer->summary().updates, 6);
  EXPECT_EQ(trainer->summary().max_version_lag, 4);
}

// Not the exit code of a usage error.
TEST_F(PushingLearnerTest, WhatDivergesOnTheServerIsDataLoss) {
  gradients_.answer = absl::InvalidArgumentError("gradient 1 is 1e19 long");
  const absl::Status refused = Run(*Make(Config("a3c")));
  EXPECT_EQ(refused.code(), absl::StatusCode::kDataLoss);
  EXPECT_THAT(std::string(refused.message()), HasSubstr("1e19 long"));

  gradients_ = FakeGradientSink();
  source_ = nullptr;
  const EnvironmentSpec environment = *FindEnvironment("CartPole-v1");
  const ParameterLayout layout =
      MakeActorCritic(Config("a3c").model(), environment.observation, environment.action)->layout();
  v1::Parameters& broken = *gradients_.shared.mutable_parameters();
  broken.set_version(1);
  broken.set_layout_fingerprint(layout.fingerprint());
  broken.set_values(
      BytesOf(std::vector<float>(layout.size(), std::numeric_limits<float>::infinity())));
  const absl::Status infinite = Run(*Make(Config("a3c")));
  EXPECT_EQ(infinite.code(), absl::StatusCode::kDataLoss);
  EXPECT_THAT(std::string(infinite.message()), HasSubstr("parameters that are not finite"));
}

TEST_F(PushingLearnerTest, AfterARefusedGradientTheActorsStillGetAVersionAndItsStepsCount) {
  auto trainer = Make(Config("n_step_q"));
  gradients_.refuse_next = true;
  ASSERT_TRUE(Run(*trainer).ok());
  EXPECT_EQ(source_->acknowledged.size(), 6);
  EXPECT_THAT(source_->versions, ElementsAre(1, 2, 3, 4, 5, 6));
  EXPECT_EQ(trainer->summary().updates, 5);
  EXPECT_EQ(trainer->summary().env_steps, 6 * kBatch);
}

// As with episodes of one step: SARSA learns nothing from the last step of a segment.
TEST_F(PushingLearnerTest, StepsOfBatchesThatGiveNoGradientCountAndTheRunEnds) {
  auto trainer = Make(Config("n_step_sarsa"));
  source_ = std::make_unique<NumberedSource>(trainer->experience_spec());
  source_->segments.assign(kBatch, {1, v1::SEGMENT_END_TRUNCATED});
  source_->last = 20;
  ASSERT_TRUE(Run(*trainer).ok());
  EXPECT_EQ(source_->acknowledged.size(), 6);
  EXPECT_THAT(source_->versions, ElementsAre(1, 2, 3, 4, 5, 6)) << "the actors get versions";
  ASSERT_EQ(progress_.size(), 6);
  for (int i = 0; i < 6; ++i) {
    EXPECT_EQ(progress_[i].env_steps, (i + 1) * kBatch);
    EXPECT_EQ(progress_[i].updates, 0);
    EXPECT_TRUE(std::isnan(progress_[i].diagnostics.front().second));
    EXPECT_EQ(NamesOf(progress_[i].diagnostics).back(), "gradient_lag");
  }
  EXPECT_EQ(gradients_.shared.parameters().version(), 1);
  EXPECT_EQ(trainer->summary().env_steps, 6 * kBatch);
  EXPECT_EQ(sink_.state, v1::RUN_STATE_FINISHED);
}

TEST_F(PushingLearnerTest, AReportOfABatchWithoutAGradientHasNoneOfTheNumbersOfTheOneBefore) {
  auto trainer = Make(Config("n_step_sarsa"));
  source_ = std::make_unique<NumberedSource>(trainer->experience_spec());
  source_->segments_of[2].assign(kBatch, {1, v1::SEGMENT_END_TRUNCATED});
  ASSERT_TRUE(Run(*trainer).ok());
  ASSERT_EQ(progress_.size(), 6);
  for (int i = 0; i < 6; ++i)
    for (const auto& [name, value] : progress_[i].diagnostics)
      EXPECT_EQ(std::isnan(value), i == 2) << name << " of batch " << i;
}

TEST_F(PushingLearnerTest, ACheckpointHoldsTheModelAndItsOptimiserAndARunGoesOnFromIt) {
  ExperimentConfig config = Config("n_step_q");
  auto first = Make(config);
  ASSERT_TRUE(Run(*first).ok());
  EXPECT_THAT(gradients_.fetched, ElementsAre("shared"));

  config.mutable_stop()->set_env_steps(9 * kBatch);
  auto whole = Make(config);  // Undisturbed, of as many batches.
  gradients_ = FakeGradientSink();
  source_ = nullptr;
  sink_.published.clear();
  ASSERT_TRUE(Run(*whole).ok());
  const std::string wanted = sink_.published.back()->values();

  auto resumed = Make(config);
  auto halfway = LoadCheckpoint(*FindCheckpoint(folder_.path(), absl::StrCat(6 * kBatch)));
  ASSERT_TRUE(halfway.ok()) << halfway.status();
  ASSERT_TRUE(resumed->Restore(*halfway).ok());
  gradients_ = FakeGradientSink();
  source_ = nullptr;
  ASSERT_TRUE(Run(*resumed, /*first_batch=*/6).ok());
  ASSERT_EQ(gradients_.started.size(), 1);
  EXPECT_EQ(gradients_.started[0].parameters().version(), 7);
  EXPECT_EQ(gradients_.started[0].optimizer_state().step(), 6);
  EXPECT_EQ(gradients_.started[0].parameters().env_steps(), 6 * kBatch);
  EXPECT_EQ(resumed->summary().updates, 9);
  EXPECT_THAT(FloatsOf(sink_.published.back()->values()),
              Pointwise(FloatNear(1e-6f), FloatsOf(wanted)));
}

TEST_F(PushingLearnerTest, ACheckpointKnowsWhoseStepsItHasCounted) {
  ExperimentConfig config = Config("a3c");
  auto trainer = Make(config);
  for (const uint64_t learner : {uint64_t{1} << 63, uint64_t{5}}) {
    v1::PushedSequence& pushed = *gradients_.pushed.Add();
    pushed.set_learner_id(learner);
    pushed.set_sequence(9);
    pushed.set_env_steps(static_cast<int64_t>(learner % 100));
  }
  ASSERT_TRUE(Run(*trainer).ok());
  gradients_ = FakeGradientSink();
  config.mutable_stop()->set_env_steps(7 * kBatch);
  auto resumed = Make(config);
  ASSERT_TRUE(resumed->Restore(LoadNewestIntact(folder_.path())->checkpoint).ok());
  ASSERT_TRUE(Run(*resumed).ok());
  std::map<uint64_t, int64_t> counted;
  for (const v1::PushedSequence& pushed : gradients_.started[0].pushed())
    counted[pushed.learner_id()] = pushed.env_steps();
  EXPECT_EQ(counted, (std::map<uint64_t, int64_t>{{uint64_t{1} << 63, 8}, {5, 5}}));
}

TEST_F(PushingLearnerTest, AModelThatIsThereIsNewerThanTheCheckpoint) {
  auto before = Make(Config("n_step_q"));
  gradients_.others_make = 2;
  source_ = std::make_unique<NumberedSource>(before->experience_spec());
  source_->last = 1;
  EXPECT_TRUE(absl::IsCancelled(Run(*before))) << "it died after 3 versions";
  source_->last = -1;
  sink_.published.clear();
  progress_.clear();
  auto again = Make(Config("n_step_q"));
  ASSERT_TRUE(Run(*again).ok());
  EXPECT_EQ(sink_.published[0]->version(), 4);
  EXPECT_EQ(sink_.published[0]->env_steps(), 3 * kBatch);
  EXPECT_EQ(progress_[0].env_steps, 4 * kBatch);
  EXPECT_EQ(progress_[0].updates, 4) << "those of before are told with the first";
}

TEST_F(PushingLearnerTest, OtherLearnersWaitForTheFirstAndWriteNothing) {
  FakeParameterSource run;
  first_ = &run;
  auto trainer = Make(Config("n_step_q", /*learners=*/2), /*rank=*/1);
  source_ = std::make_unique<NumberedSource>(trainer->experience_spec());
  source_->last = 9;
  EXPECT_TRUE(absl::IsCancelled(Run(*trainer))) << "more than the run's: the first ends it";
  EXPECT_THAT(run.waited, ElementsAre(0));
  EXPECT_EQ(gradients_.gradients.size(), 9);
  EXPECT_EQ(sink_.published.back()->model(), "shared/1");
  EXPECT_EQ(sink_.state, v1::RUN_STATE_RUNNING);
  EXPECT_TRUE(progress_.empty());
  EXPECT_TRUE(ListCheckpoints(folder_.path()).empty());
}

TEST_F(PushingLearnerTest, OtherLearnersEndWellWhenTheRunIsFinished) {
  FakeParameterSource run;
  first_ = &run;
  run.state = v1::RUN_STATE_FINISHED;
  gradients_.finished = true;
  EXPECT_TRUE(Run(*Make(Config("n_step_q", 2), /*rank=*/1)).ok());
}

TEST_F(PushingLearnerTest, AModelOfAnotherNetworkIsRefused) {
  ExperimentConfig other = Config("n_step_q");
  *other.mutable_model() = MlpModelConfig({5});
  ASSERT_TRUE(Run(*Make(other)).ok());
  const absl::Status status = Run(*Make(Config("n_step_q")));
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(status.message()), HasSubstr("the shared model 'shared' has"));
}

}  // namespace
}  // namespace cadre
