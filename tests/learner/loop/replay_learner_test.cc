// The training loop of an off-policy algorithm between two fake ports.
#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <string>

#include "common/status_macros.h"
#include "envs/registry.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "learner/algorithms/diagnostics.h"
#include "learner/loop/trainer.h"
#include "learner/temperature_bound.h"
#include "policy/normalization.h"
#include "rpc/shards/shard_steps.h"
#include "tests/learner/example_replay.h"
#include "tests/learner/fake_parameter_sink.h"
#include "tests/learner/parallel/learner_group.h"
#include "tests/learner/temp_folder.h"
#include "tests/policy/example_networks.h"

namespace cadre {
namespace {

using testing::Each;
using testing::Ge;
using testing::HasSubstr;

constexpr int64_t kRound = 8;   // Steps: 2 actors x 2 environments x 2.
constexpr int64_t kItems = 16;  // Of a batch.

ExperimentConfig Config(ActorsConfig::Mode mode) {
  ExperimentConfig config;
  config.set_name("replayed");
  config.mutable_environment()->set_id("CartPole-v1");
  *config.mutable_model() = MlpModelConfig({6});
  config.mutable_dqn()->set_target_update_interval(5);
  config.mutable_replay()->set_batch_size(kItems);
  config.mutable_replay()->set_updates_per_step(0.25);  // Two updates a round.
  config.mutable_replay()->set_warmup_steps(3 * kRound);
  config.mutable_actors()->set_count(2);
  config.mutable_actors()->set_environments_per_actor(2);
  config.mutable_actors()->set_segment_length(2);
  config.mutable_actors()->set_mode(mode);
  config.mutable_stop()->set_env_steps(10 * kRound);
  config.mutable_checkpoint()->set_keep(100);
  config.mutable_checkpoint()->set_every_seconds(1e9);
  return config;
}

v1::Episode Finished(double reward, int64_t length) {
  v1::Episode episode;
  episode.set_total_reward(reward);
  episode.set_length(length);
  return episode;
}

class ReplayLearnerTest : public testing::Test {
 protected:
  std::unique_ptr<Trainer> Make(const ExperimentConfig& config) {
    auto trainer = Trainer::Create({.config = config,
                                    .environment = *FindEnvironment(config.environment().id()),
                                    .run_folder = folder_.path(),
                                    .on_progress = [this](const Progress& progress) {
                                      progress_.push_back(progress);
                                      return absl::OkStatus();
                                    }});
    EXPECT_TRUE(trainer.ok()) << trainer.status();
    return *std::move(trainer);
  }
  absl::Status Run(const ExperimentConfig& config) {
    replay_.published = &sink_.published;
    return Make(config)->Run({.replay = &replay_}, sink_);
  }
  // Those for a batch; the others were for news.
  std::vector<SampleOptions> BatchesAsked() const {
    std::vector<SampleOptions> batches;
    for (const SampleOptions& options : replay_.asked)
      if (options.items > 0) batches.push_back(options);
    return batches;
  }

  TempFolder folder_;
  FakeReplay replay_;
  FakeParameterSink sink_;
  std::vector<Progress> progress_;
};

TEST_F(ReplayLearnerTest, InLockstepEachRoundIsFollowedByTheUpdatesDueForIt) {
  ASSERT_TRUE(Run(Config(ActorsConfig::LOCKSTEP)).ok());
  // Rounds 3 to 10 come after the warm-up.
  EXPECT_EQ(BatchesAsked().size(), 2u * 8u);
  ASSERT_EQ(progress_.size(), 10u);
  for (int64_t round = 0; round < 10; ++round) {
    EXPECT_EQ(progress_[round].env_steps, (round + 1) * kRound);
    EXPECT_EQ(progress_[round].updates, std::max<int64_t>(0, 2 * (round - 1)));
  }
  // One version to begin with, and one after each round.
  EXPECT_EQ(sink_.published.size(), 11u);
  EXPECT_EQ(sink_.state, v1::RUN_STATE_FINISHED);
}

TEST_F(ReplayLearnerTest, ReportsBeforeTheFirstUpdateNameAllThatLaterOnesMeasure) {
  ASSERT_TRUE(Run(Config(ActorsConfig::LOCKSTEP)).ok());
  ASSERT_EQ(progress_[0].updates, 0);
  ASSERT_GT(progress_.back().updates, 0);
  const auto& before = progress_[0].diagnostics;
  const auto& after = progress_.back().diagnostics;
  EXPECT_EQ(NamesOf(before), NamesOf(after));
  EXPECT_THAT(NamesOf(before), testing::ElementsAre("value_loss", "error", "target_value",
                                                    "gradient_norm", "learning_rate", "mean_age"));
  for (size_t i = 0; i < before.size(); ++i) {
    EXPECT_TRUE(std::isnan(before[i].second)) << before[i].first;
    EXPECT_FALSE(std::isnan(after[i].second)) << after[i].first;
  }
}

TEST_F(ReplayLearnerTest, InLockstepARoundIsWaitedFor) {
  ASSERT_TRUE(Run(Config(ActorsConfig::LOCKSTEP)).ok());
  int64_t wanted = 0;
  for (const SampleOptions& options : replay_.asked) {
    if (options.items > 0) {
      EXPECT_GT(options.min_inserted_steps, 0) << "a batch may have been fetched ahead";
    } else if (options.min_inserted_steps > 0) {
      EXPECT_EQ(options.min_inserted_steps, wanted += kRound);
    }
  }
  EXPECT_EQ(wanted, 10 * kRound);
}

TEST_F(ReplayLearnerTest, InLockstepTheFirstRoundBeginsBeforeTheActorsCan) {
  // As fast as actors can be: their first round is there when they have a version.
  const ExperimentConfig config = Config(ActorsConfig::LOCKSTEP);
  const auto trainer = Make(config);
  replay_.published = &sink_.published;
  replay_.inserted_steps = 100 * kRound;
  ASSERT_TRUE(trainer->Run({.replay = &replay_}, sink_).ok());
  ASSERT_GE(replay_.asked.size(), 2u);
  EXPECT_EQ(replay_.asked[0].min_inserted_steps, 0);
  EXPECT_EQ(replay_.published_when_first_asked, 0u);
  EXPECT_EQ(replay_.asked[1].min_inserted_steps, 101 * kRound);
}

TEST_F(ReplayLearnerTest, InLockstepARoundThatTheServerLostIsMadeAgain) {
  replay_.lose_at = 6 * kRound;  // Instead of the sixth round there are 44 steps.
  replay_.left = 44;
  ASSERT_TRUE(Run(Config(ActorsConfig::LOCKSTEP)).ok());
  std::vector<int64_t> waits;
  for (const SampleOptions& options : replay_.asked)
    if (options.items == 0) waits.push_back(options.min_inserted_steps);
  EXPECT_THAT(waits, testing::ElementsAre(0, 8, 16, 24, 32, 40, 48, 52, 60, 68, 76, 84));
  EXPECT_EQ(sink_.published.size(), 1u + 11u) << "the actors wait for a version";
}

TEST_F(ReplayLearnerTest, ARateThatIsNoWholeNumberIsKeptOnAverage) {
  ExperimentConfig config = Config(ActorsConfig::LOCKSTEP);
  config.mutable_replay()->set_updates_per_step(0.1);  // 0.8 a round.
  ASSERT_TRUE(Run(config).ok());
  EXPECT_EQ(BatchesAsked().size(), 6u);  // Of 6.4 due for eight rounds.
}

TEST_F(ReplayLearnerTest, AsynchronouslyTheActorsGetAVersionForEachOfTheirRounds) {
  replay_.steps_per_batch = 4;
  ASSERT_TRUE(Run(Config(ActorsConfig::ASYNCHRONOUS)).ok());
  EXPECT_EQ(BatchesAsked().size(), 20u);  // 80 steps, 4 for each.
  EXPECT_EQ(sink_.published.size(), 1u + 10u);
  for (const SampleOptions& options : BatchesAsked()) EXPECT_EQ(options.min_inserted_steps, 0);
}

TEST_F(ReplayLearnerTest, EpisodesAndStepsAreTheTables) {
  replay_.steps_per_batch = 4;
  replay_.episodes = {Finished(20, 20), Finished(40, 40)};
  ASSERT_TRUE(Run(Config(ActorsConfig::ASYNCHRONOUS)).ok());
  EXPECT_EQ(progress_.back().episodes, 2);
  EXPECT_EQ(progress_.back().mean_return, 30);
  EXPECT_EQ(progress_.back().env_steps, 80);
}

TEST_F(ReplayLearnerTest, StepsOfBeforeTheTableCount) {
  ExperimentConfig config = Config(ActorsConfig::ASYNCHRONOUS);
  config.mutable_stop()->set_env_steps(40);
  replay_.steps_per_batch = 4;
  ASSERT_TRUE(Run(config).ok());
  const auto resume = [&](int64_t env_steps) {
    config.mutable_stop()->set_env_steps(env_steps);
    auto trainer = Make(config);
    EXPECT_TRUE(trainer->Restore(LoadNewestIntact(folder_.path())->checkpoint).ok());
    EXPECT_TRUE(trainer->Run({.replay = &replay_}, sink_).ok());
    EXPECT_EQ(trainer->env_steps(), env_steps);
  };
  // With a table that begins empty: every one of its steps comes after the 40.
  replay_.asked.clear();
  replay_.inserted_steps = 0;
  resume(80);
  EXPECT_EQ(BatchesAsked().size(), 10u);
  // Of a learner that is started again the table counts on, those of before it as well.
  replay_.asked.clear();
  const int64_t inserted = replay_.inserted_steps;
  resume(120);
  EXPECT_EQ(replay_.inserted_steps - inserted, 40);
}

// Two tables, of which the second is away now and then.
class TwoTables final : public ReplaySource {
 public:
  explicit TwoTables(FakeReplay* first, const int64_t* second) : first_(first), second_(second) {}

  absl::StatusOr<ReplayBatch> Sample(const SampleOptions& options) override {
    CADRE_ASSIGN_OR_RETURN(ReplayBatch batch, first_->Sample(options));
    steps_[0].Note(batch.inserted_steps);
    if (second_ != nullptr)
      steps_[1].Note(*second_);
    else
      steps_[1].BeginWithout();
    batch.inserted_steps = steps_[0].count() + steps_[1].count();
    return batch;
  }
  absl::Status UpdatePriorities(absl::Span<const uint64_t>, absl::Span<const float>) override {
    return absl::OkStatus();
  }
  std::vector<TableCount> Counts() const override {
    return {steps_[0].Counted("a"), steps_[1].Counted("b")};
  }
  int64_t CountOn(absl::Span<const TableCount> counts) override {
    for (const TableCount& count : counts) steps_[count.table == "b"].CountOn(count);
    return 0;
  }
  void Close() override {}

 private:
  FakeReplay* const first_;
  const int64_t* const second_;
  ShardSteps steps_[2];
};

TEST_F(ReplayLearnerTest, StepsOfATableThatWasAwayWhenTheLearnerBeganCountOnce) {
  ExperimentConfig config = Config(ActorsConfig::ASYNCHRONOUS);
  int64_t second = 100;
  replay_.steps_per_batch = 4;
  std::unique_ptr<Trainer> trainer;
  // Trains on to `env_steps`; the steps that came into the first table.
  const auto live = [&](int64_t env_steps, const int64_t* table) {
    config.mutable_stop()->set_env_steps(env_steps);
    const bool resumes = trainer != nullptr;
    trainer = Make(config);
    if (resumes) EXPECT_TRUE(trainer->Restore(LoadNewestIntact(folder_.path())->checkpoint).ok());
    const int64_t before = replay_.inserted_steps;
    TwoTables tables(&replay_, table);
    EXPECT_TRUE(trainer->Run({.replay = &tables}, sink_).ok());
    EXPECT_EQ(trainer->env_steps(), env_steps);
    return replay_.inserted_steps - before;
  };
  // Asking how they stand brings `steps_per_batch` as well.
  EXPECT_EQ(live(140, &second), 40);
  EXPECT_EQ(live(180, nullptr), 40) << "the second is away";
  EXPECT_EQ(live(220, &second), 40) << "and is back";
  second += 20;
  EXPECT_EQ(live(260, nullptr), 40);
  EXPECT_EQ(live(300, &second), 20);
}

TEST_F(ReplayLearnerTest, WithoutPrioritiesNoneAreSent) {
  ASSERT_TRUE(Run(Config(ActorsConfig::LOCKSTEP)).ok());
  EXPECT_EQ(replay_.priority_updates, 0);
}

TEST_F(ReplayLearnerTest, PrioritiesGoBackToTheItemsThatTheyAreOf) {
  ExperimentConfig config = Config(ActorsConfig::LOCKSTEP);
  config.mutable_replay()->mutable_prioritized()->set_epsilon(0.5);
  std::vector<uint64_t> keys;
  replay_.change = [&](BatchInMaking& made) {
    keys.assign(made.keys, made.keys + made.batch.items);
  };
  ASSERT_TRUE(Run(config).ok());
  EXPECT_EQ(replay_.priority_updates, 16);
  EXPECT_EQ(replay_.updated_keys, keys);
  EXPECT_THAT(replay_.updated_priorities, Each(Ge(0.5f)));
}

TEST_F(ReplayLearnerTest, BetaGoesFromFirstToLastOverTheRun) {
  ExperimentConfig config = Config(ActorsConfig::LOCKSTEP);
  config.mutable_replay()->mutable_prioritized()->set_initial_beta(0.4);
  config.mutable_replay()->mutable_prioritized()->set_final_beta(0.9);
  ASSERT_TRUE(Run(config).ok());
  EXPECT_DOUBLE_EQ(BatchesAsked().front().importance_exponent, 0.4 + 0.5 * 0.3);
  EXPECT_DOUBLE_EQ(BatchesAsked().back().importance_exponent, 0.9);
}

TEST_F(ReplayLearnerTest, AnItemThatIsNotFiniteIsLeftOutCountedAndNotDrawnAgain) {
  ExperimentConfig config = Config(ActorsConfig::LOCKSTEP);
  config.mutable_replay()->mutable_prioritized();
  replay_.change = [](BatchInMaking& made) {
    reinterpret_cast<float*>(made.columns[OffPolicyColumns().reward])[3] =
        std::numeric_limits<float>::quiet_NaN();
  };
  ASSERT_TRUE(Run(config).ok());
  EXPECT_EQ(progress_.back().env_steps, 10 * kRound);
  EXPECT_EQ(progress_.back().updates, 16);
  EXPECT_EQ(progress_.back().dropped_experience, 16) << "one of each batch";
  EXPECT_EQ(replay_.updated_priorities[3], 0);
  EXPECT_GT(replay_.updated_priorities[2], 0);
}

TEST_F(ReplayLearnerTest, ABatchOfWhichNothingIsOfUseIsSampledAgain) {
  int batches = 0;
  replay_.change = [&batches](BatchInMaking& made) {
    if (++batches % 2 == 0) return;
    for (int64_t i = 0; i < made.batch.items; ++i)
      reinterpret_cast<int32_t*>(made.columns[OffPolicyColumns().action])[i] = 2;
  };
  ASSERT_TRUE(Run(Config(ActorsConfig::LOCKSTEP)).ok());
  EXPECT_EQ(batches, 32);
  EXPECT_EQ(progress_.back().updates, 16);
  EXPECT_EQ(progress_.back().dropped_experience, 16 * kItems);
}

TEST_F(ReplayLearnerTest, ATableOfWhichNothingIsOfUseEndsTheRunWithTheReason) {
  replay_.change = [](BatchInMaking& made) {
    for (int64_t i = 0; i < made.batch.items; ++i)
      reinterpret_cast<int32_t*>(made.columns[OffPolicyColumns().action])[i] = 2;
  };
  const absl::Status status = Run(Config(ActorsConfig::LOCKSTEP));
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(status.message()), HasSubstr("no item that can be learned from"));
}

TEST_F(ReplayLearnerTest, ParametersThatBreakAreNotSaved) {
  ExperimentConfig config = Config(ActorsConfig::LOCKSTEP);
  config.mutable_dqn()->set_learning_rate(1);
  replay_.change = [](BatchInMaking& made) {
    for (int64_t i = 0; i < made.batch.items; ++i)
      reinterpret_cast<float*>(made.columns[OffPolicyColumns().reward])[i] =
          std::numeric_limits<float>::max();
  };
  const absl::Status status = Run(config);
  EXPECT_EQ(status.code(), absl::StatusCode::kDataLoss);
  EXPECT_THAT(std::string(status.message()), HasSubstr("not finite; there is no checkpoint"));
  EXPECT_TRUE(ListCheckpoints(folder_.path()).empty());
}

TEST_F(ReplayLearnerTest, StatisticsTravelWithEveryVersion) {
  ExperimentConfig config = Config(ActorsConfig::LOCKSTEP);
  config.mutable_normalization()->set_observations(true);
  config.mutable_normalization()->set_rewards(true);
  replay_.normalizes_rewards = true;
  replay_.change = [](BatchInMaking& made) {
    for (float& value : MutableColumnAs<float>(
             absl::MakeSpan(made.columns[0], made.batch.columns[0].bytes.size())))
      value = value * 1000 + 5000;
  };
  ASSERT_TRUE(Run(config).ok());
  Normalizer normalizer(config.normalization(), 4);
  ASSERT_TRUE(normalizer.Restore(*sink_.published.front()).ok());
  EXPECT_TRUE(normalizer.observation_transform().identity()) << "nothing was seen";
  ASSERT_TRUE(normalizer.Restore(*sink_.published.back()).ok());
  std::vector<float> row = {5000, 6000, 4000, 5000};
  normalizer.observation_transform().Apply(row, absl::MakeSpan(row));
  EXPECT_THAT(row, testing::Pointwise(testing::FloatNear(0.35f), std::vector<float>{0, 1, -1, 0}));
}

TEST_F(ReplayLearnerTest, GoesOnFromItsCheckpointBitForBit) {
  ExperimentConfig config = Config(ActorsConfig::LOCKSTEP);
  config.mutable_checkpoint()->set_every_env_steps(5 * kRound);
  config.mutable_normalization()->set_observations(true);
  config.mutable_normalization()->set_rewards(true);
  replay_.normalizes_rewards = true;
  ASSERT_TRUE(Run(config).ok());
  const std::string wanted = sink_.published.back()->values();

  // The second half again, by a learner that restores the first, from a table that goes on.
  const auto checkpoint = LoadCheckpoint(*FindCheckpoint(folder_.path(), "40"));
  ASSERT_TRUE(checkpoint.ok()) << checkpoint.status();
  FakeReplay replay;
  replay.normalizes_rewards = true;
  int batches = 0;
  for (; batches < 6; ++batches) ASSERT_TRUE(replay.Sample({.items = kItems}).ok());
  replay.inserted_steps = 5 * kRound;
  const auto resumed = Make(config);
  ASSERT_TRUE(resumed->Restore(*checkpoint).ok());
  FakeParameterSink sink;
  ASSERT_TRUE(resumed->Run({.replay = &replay}, sink).ok());
  EXPECT_EQ(sink.published.back()->values(), wanted);
  ASSERT_GT(sink.published.back()->statistics_size(), 0);
  for (int i = 0; i < sink.published.back()->statistics_size(); ++i)
    EXPECT_EQ(sink.published.back()->statistics(i).SerializeAsString(),
              sink_.published.back()->statistics(i).SerializeAsString());
}

// It is the exponential of a float, which the bound's logarithm was rounded to.
TEST(TemperatureBoundTest, ATemperatureAtItsBoundIsThereThoughItWasRounded) {
  int below = 0;
  for (float value = 0.5f; value < 2000; value *= 1.25f) {
    ExperimentConfig config;
    config.mutable_sac()->set_max_temperature(value);
    for (const double at : {static_cast<double>(std::exp(std::log(value))),
                            std::exp(static_cast<double>(std::log(value)))}) {
      below += at < value ? 1 : 0;
      EXPECT_NE(TemperatureBound(config).Warning({{"temperature", at}}), "") << value;
    }
    EXPECT_EQ(TemperatureBound(config).Warning({{"temperature", 0.999 * value}}), "");
  }
  EXPECT_GT(below, 5) << "or nothing was rounded";
}

TEST(TemperatureBoundTest, ATemperatureAtItsBoundIsWarnedOfOnce) {
  ExperimentConfig config;
  config.mutable_sac()->set_max_temperature(50);
  TemperatureBound bound(config);
  EXPECT_EQ(bound.Warning({{"entropy", 60.0}, {"temperature", 49.0}}), "");
  const double at = std::exp(static_cast<double>(std::log(50.0f)));
  EXPECT_THAT(bound.Warning({{"temperature", at}}), HasSubstr("sac.max_temperature 50"));
  EXPECT_EQ(bound.Warning({{"temperature", at}}), "");
  config.mutable_sac()->set_learn_temperature(false);
  EXPECT_EQ(TemperatureBound(config).Warning({{"temperature", 60.0}}), "") << "it is the user's";
}

TEST(TemperatureBoundTest, EveryAlgorithmThatLearnsOneIsNamed) {
  ExperimentConfig config;
  config.mutable_redq()->set_max_temperature(50);
  EXPECT_THAT(TemperatureBound(config).Warning({{"temperature", 50.0}}),
              HasSubstr("redq.max_temperature 50: the policy does not reach redq.target_entropy"));
  config.mutable_td3();
  EXPECT_EQ(TemperatureBound(config).Warning({{"temperature", 1e9}}), "");
}

// Of two that move one model together.
struct OneOfTwo {
  OneOfTwo(const ExperimentConfig& config, int rank)
      : trainer(Trainer::Create({.config = config,
                                 .environment = *FindEnvironment(config.environment().id()),
                                 .run_folder = folder.path(),
                                 .rank = rank})
                    .value()) {}
  absl::Status Run(Collective& collective) {
    trainer->set_collective(&collective);
    return trainer->Run({.replay = &replay}, sink);
  }
  int64_t updates() const {
    return std::count_if(replay.asked.begin(), replay.asked.end(),
                         [](const SampleOptions& options) { return options.items > 0; });
  }

  const TempFolder folder;
  std::unique_ptr<Trainer> trainer;
  FakeReplay replay;
  FakeParameterSink sink;
};

std::vector<std::unique_ptr<OneOfTwo>> Two(ExperimentConfig config) {
  config.mutable_learners()->set_count(2);
  std::vector<std::unique_ptr<OneOfTwo>> learners;
  for (const int rank : {0, 1}) learners.push_back(std::make_unique<OneOfTwo>(config, rank));
  return learners;
}

TEST(ReplayLearnersTest, EachSamplesAnEqualShareOfEveryBatch) {
  for (const auto mode : {ActorsConfig::LOCKSTEP, ActorsConfig::ASYNCHRONOUS}) {
    const auto learners = Two(Config(mode));
    // Asynchronously the second is told of more steps: the run has those that both know of.
    if (mode == ActorsConfig::ASYNCHRONOUS) {
      learners[0]->replay.steps_per_batch = 4;
      learners[1]->replay.steps_per_batch = 6;
    }
    RunLearners(2, [&](Collective& collective) {
      OneOfTwo& learner = *learners[collective.rank()];
      const absl::Status status = learner.Run(collective);
      EXPECT_TRUE(status.ok()) << status;
      EXPECT_EQ(learner.trainer->env_steps(), 10 * kRound);
      for (const SampleOptions& options : learner.replay.asked)
        EXPECT_TRUE(options.items == 0 || options.items == kItems / 2) << options.items;
    });
    EXPECT_EQ(learners[0]->updates(), learners[1]->updates());
    EXPECT_GT(learners[0]->updates(), 8);
    EXPECT_TRUE(learners[1]->sink.published.empty()) << "the first alone publishes";
    EXPECT_NE(learners[0]->sink.published.front()->values(),
              learners[0]->sink.published.back()->values());
  }
}

// Rows `first` on of what one learner would get as batch `number`, with weights as a table
// scales them: by the largest of these rows.
void FillFromWhole(int number, int64_t first, double exponent, BatchInMaking& made) {
  BatchMemoryPool pool;
  Random random(static_cast<uint64_t>(number));
  const BatchInMaking whole = ExampleReplayBatch(pool, kItems, random);
  const int64_t items = made.batch.items;
  for (size_t c = 0; c < made.columns.size(); ++c) {
    const size_t row = whole.batch.columns[c].bytes.size() / kItems;
    std::memcpy(made.columns[c], whole.columns[c] + first * row, items * row);
  }
  // Half of the items are far likelier: they are not spread evenly over the learners.
  for (int64_t i = 0; i < items; ++i)
    made.probabilities[i] = (first + i < kItems / 2 ? 0.001f : 0.02f) * (1 + (first + i) % 3);
  const float least = *std::min_element(made.probabilities, made.probabilities + items);
  for (int64_t i = 0; i < items; ++i)
    made.weights[i] =
        static_cast<float>(std::pow(static_cast<double>(made.probabilities[i]) / least, -exponent));
}

ExperimentConfig Prioritized() {
  ExperimentConfig config = Config(ActorsConfig::LOCKSTEP);
  config.mutable_replay()->mutable_prioritized()->set_initial_beta(0.7);
  config.mutable_replay()->mutable_prioritized()->set_final_beta(0.7);
  return config;
}

std::vector<float> PublishedLast(const FakeParameterSink& sink) {
  const std::string& bytes = sink.published.back()->values();
  std::vector<float> values(bytes.size() / sizeof(float));
  std::memcpy(values.data(), bytes.data(), bytes.size());
  return values;
}

TEST(ReplayLearnersTest, ImportanceWeightsOfTwoAreThoseOfOneWithTheWholeBatch) {
  std::vector<float> initial, alone;
  {
    OneOfTwo one(Prioritized(), 0);
    int number = 0;
    one.replay.change = [&](BatchInMaking& made) { FillFromWhole(++number, 0, 0.7, made); };
    const absl::Status status = one.trainer->Run({.replay = &one.replay}, one.sink);
    ASSERT_TRUE(status.ok()) << status;
    alone = PublishedLast(one.sink);
  }
  const auto learners = Two(Prioritized());
  RunLearners(2, [&](Collective& collective) {
    OneOfTwo& learner = *learners[collective.rank()];
    int number = 0;
    learner.replay.change = [&](BatchInMaking& made) {
      FillFromWhole(++number, collective.rank() * kItems / 2, 0.7, made);
    };
    const absl::Status status = learner.Run(collective);
    EXPECT_TRUE(status.ok()) << status;
  });
  const std::vector<float> both = PublishedLast(learners[0]->sink);
  ASSERT_EQ(both.size(), alone.size());
  for (size_t i = 0; i < alone.size(); ++i) ASSERT_NEAR(both[i], alone[i], 1e-5) << i;
}

TEST(ReplayLearnersTest, AStopOfOneEndsAllAfterTheSameUpdate) {
  for (const auto mode : {ActorsConfig::LOCKSTEP, ActorsConfig::ASYNCHRONOUS}) {
    for (const int stopped : {0, 1}) {
      const auto learners = Two(Config(mode));
      if (mode == ActorsConfig::ASYNCHRONOUS)
        for (const auto& learner : learners) learner->replay.steps_per_batch = 4;
      OneOfTwo& first_to_stop = *learners[stopped];
      first_to_stop.replay.change = [&first_to_stop](BatchInMaking&) {
        if (first_to_stop.updates() < 5) return;
        first_to_stop.trainer->RequestStop();
        first_to_stop.replay.Close();
      };
      RunLearners(2, [&](Collective& collective) {
        const absl::Status status = learners[collective.rank()]->Run(collective);
        EXPECT_TRUE(status.ok()) << status;
      });
      EXPECT_EQ(learners[0]->trainer->env_steps(), learners[1]->trainer->env_steps());
      EXPECT_LT(learners[0]->trainer->env_steps(), 10 * kRound);
      EXPECT_EQ(ListCheckpoints(learners[0]->folder.path()).back(),
                learners[0]->trainer->env_steps());
    }
  }
}

TEST_F(ReplayLearnerTest, AnUpdateThatIsHalfDueIsNotForgottenInACheckpoint) {
  ExperimentConfig config = Config(ActorsConfig::LOCKSTEP);
  config.mutable_replay()->set_updates_per_step(0.0625);  // Half an update a round.
  config.mutable_checkpoint()->set_every_env_steps(5 * kRound);
  ASSERT_TRUE(Run(config).ok());
  EXPECT_EQ(BatchesAsked().size(), 4u);

  // After rounds 3 to 5 one of 1.5 had been made.
  const auto checkpoint = LoadCheckpoint(*FindCheckpoint(folder_.path(), "40"));
  ASSERT_TRUE(checkpoint.ok()) << checkpoint.status();
  FakeReplay replay;
  replay.inserted_steps = 5 * kRound;
  const auto resumed = Make(config);
  ASSERT_TRUE(resumed->Restore(*checkpoint).ok());
  FakeParameterSink sink;
  ASSERT_TRUE(resumed->Run({.replay = &replay}, sink).ok());
  EXPECT_EQ(std::count_if(replay.asked.begin(), replay.asked.end(),
                          [](const SampleOptions& options) { return options.items > 0; }),
            3);
}

}  // namespace
}  // namespace cadre
