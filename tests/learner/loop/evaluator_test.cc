#include "learner/loop/evaluator.h"

#include <algorithm>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "common/config/config.h"
#include "envs/registry.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "policy/acting/acting_policy.h"
#include "tests/policy/example_networks.h"

namespace cadre {
namespace {

constexpr int64_t kEvery = 10'000;

// Always the same policy, so that whatever its evaluations differ by is noise.
class EvaluatorTest : public testing::Test {
 protected:
  EvaluatorTest() {
    config_.mutable_environment()->set_id("CartPole-v1");
    *config_.mutable_model() = MlpModelConfig({8});
    config_.mutable_ppo();
    config_.mutable_evaluation()->set_every_env_steps(kEvery);
    config_.mutable_evaluation()->set_episodes(3);
    config_.set_seed(5);
    const EnvironmentSpec environment = *FindEnvironment("CartPole-v1");
    const auto policy = MakeActingPolicy(config_, environment.observation, environment.action);
    CADRE_CHECK(policy.ok());
    Random random(3);
    const std::vector<float> values = RandomFloats((*policy)->layout().size(), random, 0.5);
    parameters_.set_version(1);
    parameters_.set_values(values.data(), values.size() * sizeof(float));
    parameters_.set_layout_fingerprint((*policy)->layout().fingerprint());
  }

  bool Evaluate(Evaluator& evaluator, int64_t env_steps) {
    const absl::StatusOr<bool> best = evaluator.Evaluate(parameters_, env_steps, nullptr);
    EXPECT_TRUE(best.ok()) << best.status();
    return best.ok() && *best;
  }

  ExperimentConfig config_;
  v1::Parameters parameters_;
};

TEST_F(EvaluatorTest, OneIsDueAtEachMultipleOfTheIntervalAndAtTheEnd) {
  Evaluator evaluator(config_);
  EXPECT_FALSE(evaluator.Due(0));
  EXPECT_FALSE(evaluator.DueAtEnd(0));
  EXPECT_FALSE(evaluator.Due(kEvery - 1));
  EXPECT_TRUE(evaluator.Due(kEvery));
  Evaluate(evaluator, kEvery + 240);
  EXPECT_FALSE(evaluator.Due(2 * kEvery - 1));
  EXPECT_TRUE(evaluator.Due(2 * kEvery)) << "though less than an interval has passed";
  EXPECT_FALSE(evaluator.DueAtEnd(kEvery + 240));
  EXPECT_TRUE(evaluator.DueAtEnd(kEvery + 480));

  config_.mutable_evaluation()->set_every_env_steps(0);
  EXPECT_FALSE(Evaluator(config_).Due(kEvery));
  EXPECT_FALSE(Evaluator(config_).DueAtEnd(kEvery));
}

TEST_F(EvaluatorTest, EachHasEpisodesOfItsOwn) {
  Evaluator evaluator(config_);
  std::set<double> means;
  for (int i = 1; i <= 8; ++i) {
    Evaluate(evaluator, i * kEvery);
    EXPECT_EQ(evaluator.last()->env_steps, i * kEvery);
    means.insert(evaluator.last()->evaluation.mean_return);
  }
  EXPECT_GE(means.size(), 6);
  // And the same ones when a run is repeated.
  Evaluator again(config_);
  Evaluate(again, 8 * kEvery);
  EXPECT_EQ(again.last()->evaluation.mean_return, evaluator.last()->evaluation.mean_return);
}

TEST_F(EvaluatorTest, TheBestIsConfirmedOnOtherEpisodes) {
  Evaluator evaluator(config_);
  int not_confirmed = 0, others_differ = 0;
  double largest = 0;
  for (int i = 1; i <= 40; ++i) {
    const double before =
        evaluator.best().has_value() ? evaluator.best()->confirmation.mean_return : 0;
    const bool best = Evaluate(evaluator, i * kEvery);
    const double first = evaluator.last()->evaluation.mean_return;
    largest = std::max(largest, first);
    if (!best) {
      EXPECT_EQ(evaluator.best()->confirmation.mean_return, before);
      not_confirmed += first >= before ? 1 : 0;
      continue;
    }
    EXPECT_EQ(evaluator.best()->env_steps, i * kEvery);
    EXPECT_EQ(evaluator.best()->first.mean_return, first);
    EXPECT_GE(evaluator.best()->first.mean_return, before);
    EXPECT_GE(evaluator.best()->confirmation.mean_return, before);
    others_differ += evaluator.best()->confirmation.mean_return != first ? 1 : 0;
  }
  EXPECT_GT(not_confirmed, 0);
  EXPECT_GT(others_differ, 1);
  EXPECT_LT(evaluator.best()->confirmation.mean_return, largest) << "the largest was luck";
}

TEST_F(EvaluatorTest, AThresholdIsReachedByBothOrNotAtAll) {
  Evaluator evaluator(config_);
  EXPECT_FALSE(evaluator.reached(-1e9));
  Evaluate(evaluator, kEvery);
  const double first = evaluator.best()->first.mean_return;
  const double confirmation = evaluator.best()->confirmation.mean_return;
  ASSERT_NE(first, confirmation);
  EXPECT_TRUE(evaluator.reached(std::min(first, confirmation)));
  EXPECT_FALSE(evaluator.reached(std::max(first, confirmation)));
}

TEST_F(EvaluatorTest, OneThatIsStoppedIsStillDue) {
  Evaluator evaluator(config_);
  const auto stopped = evaluator.Evaluate(parameters_, kEvery, [] { return true; });
  EXPECT_EQ(stopped.status().code(), absl::StatusCode::kCancelled);
  EXPECT_FALSE(evaluator.last().has_value());
  EXPECT_TRUE(evaluator.Due(kEvery));
  // While it is being confirmed.
  int all = 0, steps = 0;
  const auto count = [&all] { return ++all < 0; };
  ASSERT_TRUE(evaluator.Evaluate(parameters_, kEvery, count).ok());
  Evaluator other(config_);
  EXPECT_FALSE(other.Evaluate(parameters_, kEvery, [&] { return ++steps == all; }).ok());
  EXPECT_FALSE(other.best().has_value());
  EXPECT_TRUE(other.Due(kEvery));
}

TEST_F(EvaluatorTest, EverythingSurvivesACheckpoint) {
  Evaluator evaluator(config_);
  Evaluate(evaluator, kEvery);
  Evaluate(evaluator, 2 * kEvery + 7);
  TensorMap state;
  evaluator.Save(state);
  Evaluator restored(config_);
  ASSERT_TRUE(restored.Restore(state, 2 * kEvery + 100).ok());
  EXPECT_EQ(restored.last()->env_steps, 2 * kEvery + 7);
  EXPECT_EQ(restored.last()->evaluation.mean_return, evaluator.last()->evaluation.mean_return);
  EXPECT_EQ(restored.best()->env_steps, evaluator.best()->env_steps);
  EXPECT_EQ(restored.best()->first.mean_return, evaluator.best()->first.mean_return);
  EXPECT_EQ(restored.best()->confirmation.std_return, evaluator.best()->confirmation.std_return);
  EXPECT_FALSE(restored.Due(3 * kEvery - 1));
  EXPECT_TRUE(restored.Due(3 * kEvery));
  EXPECT_TRUE(restored.DueAtEnd(2 * kEvery + 100));
}

TEST_F(EvaluatorTest, TheLastPolicyOfARunThatWasNotEvaluatedBeforeIsDueAtItsEnd) {
  ExperimentConfig off = config_;
  off.clear_evaluation();
  TensorMap state;
  Evaluator(off).Save(state);
  Evaluator restored(config_);
  ASSERT_TRUE(restored.Restore(state, kEvery + 240).ok());
  EXPECT_FALSE(restored.Due(2 * kEvery - 1)) << "the next multiple";
  EXPECT_TRUE(restored.DueAtEnd(kEvery + 240));
  Evaluate(restored, kEvery + 240);
  EXPECT_FALSE(restored.DueAtEnd(kEvery + 240));

  // Nor is it evaluated twice, whatever the interval becomes.
  TensorMap evaluated;
  restored.Save(evaluated);
  for (const int64_t interval : {kEvery / 4, 4 * kEvery}) {
    config_.mutable_evaluation()->set_every_env_steps(interval);
    Evaluator again(config_);
    ASSERT_TRUE(again.Restore(evaluated, kEvery + 240).ok());
    EXPECT_FALSE(again.DueAtEnd(kEvery + 240));
    EXPECT_TRUE(again.DueAtEnd(kEvery + 480));
  }
}

// One that was stopped before its first evaluation ended, and is resumed beyond it.
TEST_F(EvaluatorTest, OneThatWasMissedIsStillDueAfterACheckpoint) {
  TensorMap state;
  Evaluator(config_).Save(state);
  Evaluator restored(config_);
  ASSERT_TRUE(restored.Restore(state, kEvery + 240).ok());
  EXPECT_TRUE(restored.Due(kEvery + 240));
}

TEST_F(EvaluatorTest, ACheckpointOfBeforeThereWereConfirmationsIsRead) {
  TensorMap state;
  state.Add<double>("best_evaluation", {4}, {480, 12, 480, 10});
  Evaluator restored(config_);
  ASSERT_TRUE(restored.Restore(state, kEvery + 240).ok());
  EXPECT_EQ(restored.best()->first.mean_return, 480);
  EXPECT_EQ(restored.best()->confirmation.mean_return, 480);
  EXPECT_EQ(restored.best()->confirmation.episodes, 10);
  EXPECT_FALSE(restored.last().has_value());
  EXPECT_FALSE(restored.Due(2 * kEvery - 1));
  EXPECT_TRUE(restored.Due(2 * kEvery));

  TensorMap damaged;
  damaged.Add<double>("best_evaluation", {3}, {480, 12, 480});
  EXPECT_EQ(Evaluator(config_).Restore(damaged, kEvery).code(), absl::StatusCode::kDataLoss);
}

}  // namespace
}  // namespace cadre
