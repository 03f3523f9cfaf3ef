// Statistics of a replay table, and that algorithms learn through them what they cannot without.
#include "learner/loop/replay_normalizer.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <memory>
#include <string>
#include <vector>

#include "common/config/replay_config.h"
#include "common/experience/batch_memory.h"
#include "common/tensor_view.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "learner/algorithms/device/tensor_spans.h"
#include "policy/acting/acting_policy.h"
#include "tests/learner/parallel/learner_group.h"
#include "tests/policy/example_networks.h"

namespace cadre {
namespace {

NormalizationConfig Both() {
  NormalizationConfig config;
  config.set_observations(true);
  config.set_rewards(true);
  return config;
}

// A column of a batch as what it holds.
template <typename T>
absl::Span<T> Column(const BatchInMaking& made, int column) {
  return MutableColumnAs<T>(
      absl::MakeSpan(made.columns[column], made.batch.columns[column].bytes.size()));
}

// A step: an observation [1], a reward and a discounted return.
struct Step {
  float observation, reward, discounted_return;
};

struct Table {
  Table() : spaces(VectorSpace(1), DiscreteActions(2), 0, 0, /*normalizes_rewards=*/true) {}

  // Steps `chosen`, of which step i is sampled with probability `probabilities`[i].
  BatchInMaking Batch(const std::vector<int64_t>& chosen) {
    const auto columns =
        BatchColumns(TableConfig(), OffPolicySpec(spaces.observation, spaces.action, 0, true));
    const auto items = static_cast<int64_t>(chosen.size());
    BatchInMaking made = AllocateBatch(pool, *columns, items);
    for (int64_t i = 0; i < items; ++i) {
      const Step& step = steps[chosen[i]];
      Column<float>(made, 0)[i] = step.observation;
      Column<int32_t>(made, spaces.columns.action)[i] = 0;
      Column<float>(made, spaces.columns.reward)[i] = step.reward;
      Column<float>(made, spaces.columns.discounted_return)[i] = step.discounted_return;
      Column<float>(made, spaces.columns.next_observation)[i] = step.observation + 1;
      Column<float>(made, spaces.columns.discount)[i] = 0.99f;
      made.probabilities[i] = static_cast<float>(probabilities[chosen[i]]);
      made.weights[i] = 1;
    }
    return made;
  }

  int64_t size() const { return static_cast<int64_t>(steps.size()); }

  const ReplaySpaces spaces;
  BatchMemoryPool pool;
  std::vector<Step> steps;
  std::vector<double> probabilities;
};

// 1000 steps, of which larger ones are up to ten times as likely.
Table Prioritized(Random& random) {
  Table table;
  double sum = 0;
  for (int i = 0; i < 1000; ++i) {
    const float value = random.UniformFloat() * 200 + 900;
    table.steps.push_back({value, value / 10, value * 2});
    sum += table.probabilities.emplace_back(value > 1000 ? 10 : 1);
  }
  for (double& probability : table.probabilities) probability /= sum;
  return table;
}

std::vector<int64_t> Draw(const Table& table, int64_t items, Random& random) {
  std::vector<int64_t> chosen;
  while (static_cast<int64_t>(chosen.size()) < items) {
    const auto i = static_cast<int64_t>(random.Below(table.steps.size()));
    if (random.UniformFloat() * 0.002f < table.probabilities[i]) chosen.push_back(i);
  }
  return chosen;
}

// The statistic of this name, of one value.
double Statistic(const ReplayNormalizer& normalizer, const std::string& name) {
  v1::Parameters parameters;
  normalizer.AddTo(parameters);
  for (const v1::Statistic& statistic : parameters.statistics())
    if (statistic.name() == name) return statistic.values(0);
  ADD_FAILURE() << "no statistic '" << name << "'";
  return 0;
}

// Adds the batch and returns its normalised tensors.
OffPolicyBatch Normalized(ReplayNormalizer& normalizer, const ReplaySpaces& spaces,
                          const BatchInMaking& made, int64_t table_items,
                          Collective* collective = nullptr) {
  auto tensors = CollateReplay(spaces, made.batch);
  EXPECT_TRUE(tensors.ok()) << tensors.status();
  const absl::Status status = normalizer.Normalize(made.batch, table_items, collective, *tensors);
  EXPECT_TRUE(status.ok()) << status;
  return *std::move(tensors);
}

TEST(ReplayNormalizerTest, EachStepOfTheTableCountsOnceHoweverOftenItIsSampled) {
  Random random(1);
  Table table = Prioritized(random);
  double mean = 0, variance = 0, returns = 0, sampled = 0;
  for (const Step& step : table.steps) mean += step.observation / 1000;
  for (const Step& step : table.steps) variance += std::pow(step.observation - mean, 2) / 1000;
  for (const Step& step : table.steps)
    returns += std::pow(step.discounted_return - 2 * mean, 2) / 1000;
  for (int i = 0; i < 1000; ++i) sampled += table.probabilities[i] * table.steps[i].observation;
  ASSERT_GT(sampled, mean + 30) << "nothing is tested";

  ReplayNormalizer normalizer(Both(), &table.spaces);
  for (int i = 0; i < 100; ++i)
    Normalized(normalizer, table.spaces, table.Batch(Draw(table, 100, random)), table.size());
  EXPECT_NEAR(Statistic(normalizer, "observation.mean"), mean, 8);
  EXPECT_NEAR(Statistic(normalizer, "observation.variance"), variance, 0.1 * variance);
  EXPECT_NEAR(Statistic(normalizer, "discounted_return.variance"), returns, 0.1 * returns);
  EXPECT_NEAR(Statistic(normalizer, "observation.count"), 1000, 1e-6)
      << "no more than the table's, though 10,000 were sampled";
}

TEST(ReplayNormalizerTest, WhatTheTableHasDroppedIsForgotten) {
  Random random(2);
  Table table;
  table.steps.assign(200, {0, 0, 0});
  table.probabilities.assign(200, 1.0 / 200);
  ReplayNormalizer normalizer(Both(), &table.spaces);
  for (int i = 0; i < 100; ++i)
    Normalized(normalizer, table.spaces, table.Batch(Draw(table, 20, random)), table.size());
  for (int i = 0; i < 200; ++i) table.steps[i] = {i % 2 == 0 ? 99.0f : 101.0f, 1, 1};
  for (int i = 0; i < 100; ++i)
    Normalized(normalizer, table.spaces, table.Batch(Draw(table, 20, random)), table.size());
  EXPECT_NEAR(Statistic(normalizer, "observation.mean"), 100, 1);
}

TEST(ReplayNormalizerTest, ABatchIsNormalisedWithTheStatisticsThatItIsIn) {
  Table table;
  table.steps = {{10, 3, 4}, {14, -5, 8}};
  table.probabilities = {0.5, 0.5};
  ReplayNormalizer normalizer(Both(), &table.spaces);
  const BatchInMaking made = table.Batch({0, 1});
  const OffPolicyBatch batch = Normalized(normalizer, table.spaces, made, 2);
  const auto close = [](const torch::Tensor& got, std::vector<float> wanted) {
    return torch::allclose(got.flatten(), torch::tensor(wanted));
  };
  // Mean 12 and deviation 2 of what was observed; deviation 2 of the returns.
  EXPECT_TRUE(close(batch.observations.only(), {-1, 1})) << batch.observations.only();
  EXPECT_TRUE(close(batch.next_observations.only(), {-0.5f, 1.5f}));
  EXPECT_TRUE(close(batch.rewards, {1.5f, -2.5f})) << batch.rewards;
  EXPECT_TRUE(close(batch.discounts, {0.99f, 0.99f})) << "no mean is subtracted from a value";
  EXPECT_EQ(Column<float>(made, 0)[0], 10) << "the table's memory is as it was";
  EXPECT_EQ(Column<float>(made, table.spaces.columns.reward)[0], 3);
}

TEST(ReplayNormalizerTest, WithoutNormalizationABatchIsAsItWas) {
  Table table;
  table.steps = {{10, 3, 4}, {14, -5, 8}};
  table.probabilities = {0.5, 0.5};
  ReplayNormalizer normalizer(NormalizationConfig(), &table.spaces);
  const BatchInMaking made = table.Batch({0, 1});
  const OffPolicyBatch batch = Normalized(normalizer, table.spaces, made, 2);
  EXPECT_EQ(batch.observations.only().data_ptr(), made.columns[0]);
  EXPECT_EQ(batch.rewards.data_ptr(), made.columns[table.spaces.columns.reward]);
}

TEST(ReplayNormalizerTest, StepsPastASequencesEndDoNotCount) {
  constexpr int64_t kItems = 2, kSteps = 3, kState = 2;
  const ReplaySpaces spaces(VectorSpace(1), DiscreteActions(2), kSteps, kState,
                            /*normalizes_rewards=*/true);
  TableConfig config;
  config.mutable_sequences()->set_length(kSteps);
  config.mutable_sequences()->add_state_columns(kStateColumn);
  const auto columns = BatchColumns(config, OffPolicySpec(spaces.observation, spaces.action, kState,
                                                          /*normalizes_rewards=*/true));
  ASSERT_TRUE(columns.ok()) << columns.status();
  BatchMemoryPool pool;
  const BatchInMaking made = AllocateBatch(pool, *columns, kItems);
  for (size_t c = 0; c < made.columns.size(); ++c)
    std::memset(made.columns[c], 0, made.batch.columns[c].bytes.size());
  // Steps 1 2 3 of the first item, whose last observation is 50; 5 of the second, then 60.
  const std::vector<float> observations = {1, 2, 3, 50, 5, 60, 0, 0};
  std::copy(observations.begin(), observations.end(), Column<float>(made, 0).begin());
  const std::vector<float> returns = {2, 4, 6, 8, 0, 0};
  std::copy(returns.begin(), returns.end(),
            Column<float>(made, spaces.columns.discounted_return).begin());
  Column<int32_t>(made, spaces.columns.length)[0] = 3;
  Column<int32_t>(made, spaces.columns.length)[1] = 1;
  for (int i = 0; i < kItems; ++i) made.probabilities[i] = 0.5f, made.weights[i] = 1;
  ReplayNormalizer normalizer(Both(), &spaces);
  const OffPolicyBatch batch = Normalized(normalizer, spaces, made, kItems);
  EXPECT_EQ(Statistic(normalizer, "observation.count"), 4);
  EXPECT_NEAR(Statistic(normalizer, "observation.mean"), 11.0 / 4, 1e-9);
  EXPECT_NEAR(Statistic(normalizer, "discounted_return.mean"), 5, 1e-9);
  // Step by step, the last observations at the end.
  const double deviation = std::sqrt(Statistic(normalizer, "observation.variance"));
  EXPECT_NEAR(batch.observations.only()[0].item<float>(), (1 - 2.75) / deviation, 1e-5);
  EXPECT_NEAR(batch.observations.only()[1].item<float>(), (5 - 2.75) / deviation, 1e-5);
}

TEST(ReplayNormalizerTest, LearnersThatShareABatchHaveTheStatisticsOfAllOfIt) {
  Random random(3);
  Table table = Prioritized(random);
  const std::vector<int64_t> chosen = Draw(table, 60, random);
  ReplayNormalizer alone(Both(), &table.spaces);
  Normalized(alone, table.spaces, table.Batch(chosen), table.size());
  std::vector<BatchInMaking> shares;
  for (int rank = 0; rank < 3; ++rank)
    shares.push_back(table.Batch({chosen.begin() + 20 * rank, chosen.begin() + 20 * (rank + 1)}));
  std::vector<std::string> published(3);
  RunLearners(3, [&](Collective& learner) {
    ReplayNormalizer normalizer(Both(), &table.spaces);
    Normalized(normalizer, table.spaces, shares[learner.rank()], table.size(), &learner);
    for (const char* name : {"observation.count", "observation.mean", "observation.variance",
                             "discounted_return.variance"}) {
      const double wanted = Statistic(alone, name);
      EXPECT_NEAR(Statistic(normalizer, name), wanted, 1e-9 * std::abs(wanted)) << name;
    }
    v1::Parameters parameters;
    normalizer.AddTo(parameters);
    published[learner.rank()] = parameters.SerializeAsString();
  });
  EXPECT_EQ(published[1], published[0]) << "bit for bit";
  EXPECT_EQ(published[2], published[0]);
}

// A task of one step, with an observation of 5000 + 1000 t and rewards of some hundreds: continuous
// actions are to be t / 3, of two discrete ones the second if t > 0.
class FarTask {
 public:
  FarTask(const std::string& algorithm, bool normalizes) {
    config_.set_name("far");
    *config_.mutable_model() = MlpModelConfig({16, 16});
    const auto fast = [](auto& settings) {
      settings.set_policy_learning_rate(1e-3);
      settings.set_value_learning_rate(3e-3);
    };
    if (algorithm == "dqn") config_.mutable_dqn()->set_learning_rate(3e-3);
    if (algorithm == "sac") fast(*config_.mutable_sac());
    if (algorithm == "td3") fast(*config_.mutable_td3());
    if (algorithm == "ddpg") fast(*config_.mutable_ddpg());
    if (algorithm == "redq") fast(*config_.mutable_redq());
    if (normalizes) *config_.mutable_normalization() = Both();
    action_ = algorithm == "dqn" ? DiscreteActions(2) : ContinuousActions(1);
  }

  // The share of right actions, or 1 - the mean distance to the right one relative to that of 0,
  // after so many updates.
  double ScoreAfter(int updates) {
    const ReplaySpaces spaces(VectorSpace(1), action_, 0, 0, config_.normalization().rewards());
    auto algorithm = MakeOffPolicyAlgorithm(config_, spaces.observation, spaces.action, Random(1));
    CADRE_CHECK(algorithm.ok());
    ReplayNormalizer normalizer(config_.normalization(), &spaces);
    for (int i = 0; i < updates; ++i) {
      const BatchInMaking made = Batch(spaces);
      const OffPolicyBatch batch = Normalized(normalizer, spaces, made, 100'000);
      CADRE_CHECK((*algorithm)->Update(batch, 0, {}).ok());
    }
    v1::Parameters parameters;
    normalizer.AddTo(parameters);
    parameters.set_version(1);
    parameters.set_layout_fingerprint((*algorithm)->acting_layout().fingerprint());
    const torch::Tensor flat = (*algorithm)->acting_parameters();
    parameters.set_values(flat.data_ptr<float>(), flat.numel() * sizeof(float));
    return Score(parameters);
  }

 private:
  static constexpr int64_t kItems = 64;

  BatchInMaking Batch(const ReplaySpaces& spaces) {
    const auto columns = BatchColumns(
        TableConfig(),
        OffPolicySpec(spaces.observation, action_, 0, config_.normalization().rewards()));
    BatchInMaking made = AllocateBatch(pool_, *columns, kItems);
    for (int64_t i = 0; i < kItems; ++i) {
      const double t = random_.Normal();
      double reward;
      if (action_.discrete()) {
        const auto choice = static_cast<int32_t>(random_.Below(2));
        Column<int32_t>(made, spaces.columns.action)[i] = choice;
        reward = choice == (t > 0) ? 500 : 0;
      } else {
        const float chosen = random_.UniformFloat() * 2 - 1;
        Column<float>(made, spaces.columns.action)[i] = chosen;
        reward = -500 * std::abs(chosen - t / 3);
      }
      Column<float>(made, 0)[i] = static_cast<float>(5000 + 1000 * t);
      Column<float>(made, spaces.columns.reward)[i] = static_cast<float>(reward);
      if (spaces.columns.discounted_return >= 0)
        Column<float>(made, spaces.columns.discounted_return)[i] = static_cast<float>(reward);
      Column<float>(made, spaces.columns.next_observation)[i] = 5000;
      Column<float>(made, spaces.columns.discount)[i] = 0;
      made.probabilities[i] = 1e-5f;
      made.weights[i] = 1;
    }
    return made;
  }

  double Score(const v1::Parameters& parameters) {
    constexpr int64_t kTests = 200;
    auto policy = MakeActingPolicy(config_, VectorSpace(1), action_, {});
    CADRE_CHECK(policy.ok() && (*policy)->Load(parameters).ok());
    std::vector<float> t = RandomFloats(kTests, random_), shown;
    for (const float value : t) shown.push_back(5000 + 1000 * value);
    std::vector<std::byte> actions(kTests * action_.bytes());
    (*policy)->Act({Block(shown)}, {.greedy = true}, random_, absl::MakeSpan(actions), {});
    double right = 0, distance = 0, of_zero = 0;
    for (int64_t i = 0; i < kTests; ++i) {
      if (action_.discrete()) {
        right += ColumnAs<int32_t>(actions)[i] == (t[i] > 0);
      } else {
        distance += std::abs(ColumnAs<float>(actions)[i] - t[i] / 3);
        of_zero += std::abs(t[i] / 3);
      }
    }
    return action_.discrete() ? right / kTests : 1 - distance / of_zero;
  }

  ExperimentConfig config_;
  ActionSpace action_;
  BatchMemoryPool pool_;
  Random random_{4};
};

TEST(ReplayNormalizerTest, AlgorithmsLearnWhatTheyCannotWithoutIt) {
  for (const std::string algorithm : {"dqn", "ddpg", "td3", "sac", "redq"}) {
    EXPECT_GT(FarTask(algorithm, /*normalizes=*/true).ScoreAfter(1500), 0.8) << algorithm;
    EXPECT_LT(FarTask(algorithm, /*normalizes=*/false).ScoreAfter(1500), 0.6) << algorithm;
  }
}

}  // namespace
}  // namespace cadre
