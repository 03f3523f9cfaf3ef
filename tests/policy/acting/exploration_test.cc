#include "policy/acting/exploration.h"

#include <cmath>
#include <vector>

#include "gtest/gtest.h"
#include "policy/distributions.h"

namespace cadre {
namespace {

// Of `counts` against the probabilities that they should follow.
double ChiSquare(const std::vector<int64_t>& counts, const std::vector<double>& probabilities) {
  double total = 0, chi_square = 0;
  for (const int64_t count : counts) total += static_cast<double>(count);
  for (size_t i = 0; i < counts.size(); ++i) {
    const double expected = total * probabilities[i];
    const double off = static_cast<double>(counts[i]) - expected;
    chi_square += off * off / expected;
  }
  return chi_square;
}
constexpr double kChiSquare3 = 16.3;  // 3 degrees of freedom, p = 0.001.

// How often each action is chosen in `batch` rows of the same values.
std::vector<int64_t> Count(const ActionValueExploration& exploration,
                           const std::vector<float>& values, double progress, int64_t batch,
                           uint64_t seed = 1) {
  std::vector<float> rows;
  for (int64_t b = 0; b < batch; ++b) rows.insert(rows.end(), values.begin(), values.end());
  std::vector<int32_t> actions(batch);
  Random random(seed);
  exploration.Choose(rows, {}, progress, random, absl::MakeSpan(actions));
  std::vector<int64_t> counts(values.size());
  for (const int32_t action : actions) ++counts.at(action);
  return counts;
}

DqnConfig::EpsilonGreedy Epsilon(double initial, double final, double share, double spread = 0) {
  DqnConfig::EpsilonGreedy config;
  config.set_initial(initial);
  config.set_final(final);
  config.set_decay_share(share);
  config.set_spread(spread);
  return config;
}

TEST(LinearDecayTest, FallsInALineAndStays) {
  const LinearDecay decay{.initial = 1, .final = 0.1, .share = 0.5};
  EXPECT_DOUBLE_EQ(decay.At(0), 1);
  EXPECT_DOUBLE_EQ(decay.At(0.25), 0.55);
  EXPECT_DOUBLE_EQ(decay.At(0.5), 0.1);
  EXPECT_DOUBLE_EQ(decay.At(1), 0.1);
}

TEST(EnvironmentEpsilonTest, IsThatOfApeX) {
  // 0.4^(1 + 7 i / 7) for eight environments.
  const double expected[] = {0.4, 0.16, 0.064, 0.0256, 0.01024, 0.004096, 0.0016384, 0.00065536};
  for (int i = 0; i < 8; ++i) EXPECT_NEAR(EnvironmentEpsilon(0.4, 7, i, 8), expected[i], 1e-12);
}

TEST(EnvironmentEpsilonTest, IsEpsilonForAnOnlyOneAndWithoutSpread) {
  EXPECT_EQ(EnvironmentEpsilon(0.4, 7, 0, 1), 0.4);
  for (const int row : {0, 3, 9}) EXPECT_EQ(EnvironmentEpsilon(0.4, 0, row, 10), 0.4);
}

TEST(EpsilonGreedyTest, ActionsFollowEpsilonAtThatProgress) {
  const EpsilonGreedy exploration(Epsilon(0.5, 0.1, 0.5), {});
  const std::vector<float> values = {-1, 0.5, 3, 2};
  // Epsilon is 0.3 halfway down; a quarter of it falls on the best action as well.
  EXPECT_LT(ChiSquare(Count(exploration, values, 0.25, 40'000), {0.075, 0.075, 0.775, 0.075}),
            kChiSquare3);
  EXPECT_LT(ChiSquare(Count(exploration, values, 0.9, 40'000), {0.025, 0.025, 0.925, 0.025}),
            kChiSquare3);
}

TEST(EpsilonGreedyTest, EpsilonOneIsUniformAndZeroIsGreedy) {
  const EpsilonGreedy exploration(Epsilon(1, 0, 1), {});
  const std::vector<float> values = {5, 0, 0, 9};
  EXPECT_LT(ChiSquare(Count(exploration, values, 0, 40'000), {0.25, 0.25, 0.25, 0.25}),
            kChiSquare3);
  EXPECT_EQ(Count(exploration, values, 1, 1000), std::vector<int64_t>({0, 0, 0, 1000}));
}

TEST(EpsilonGreedyTest, EachRowHasTheEpsilonOfItsPlaceInTheRun) {
  // Rows 2 and 3 of four: 0.5^(1 + 3 * 2/3) and 0.5^(1 + 3).
  const EpsilonGreedy exploration(Epsilon(0.5, 0.5, 1, 3), {.first_row = 2, .all_rows = 4});
  Random random(7);
  constexpr int kCalls = 40'000;
  std::vector<std::vector<int64_t>> counts(2, std::vector<int64_t>(2));
  for (int i = 0; i < kCalls; ++i) {
    std::vector<int32_t> actions(2);
    exploration.Choose(std::vector<float>{1, 0, 0, 1}, {}, 0, random, absl::MakeSpan(actions));
    ++counts[0][actions[0]];
    ++counts[1][actions[1]];
  }
  constexpr double kChiSquare1 = 10.8;  // 1 degree of freedom, p = 0.001.
  EXPECT_LT(ChiSquare(counts[0], {1 - 0.125 / 2, 0.125 / 2}), kChiSquare1);
  EXPECT_LT(ChiSquare(counts[1], {0.0625 / 2, 1 - 0.0625 / 2}), kChiSquare1);
}

TEST(BoltzmannTest, ActionsFollowTheSoftmaxAtThatTemperature) {
  DqnConfig::Boltzmann config;
  config.set_initial_temperature(2);
  config.set_final_temperature(0.5);
  config.set_decay_share(0.5);
  const Boltzmann exploration(config);
  const std::vector<float> values = {0, 1, 2, -1};
  for (const auto& [progress, temperature] : {std::pair{0.25, 1.25}, std::pair{0.8, 0.5}}) {
    double sum = 0;
    std::vector<double> probabilities;
    for (const float value : values) sum += std::exp(value / temperature);
    for (const float value : values) probabilities.push_back(std::exp(value / temperature) / sum);
    EXPECT_LT(ChiSquare(Count(exploration, values, progress, 40'000), probabilities), kChiSquare3);
  }
}

TEST(BoltzmannTest, ValuesFarBeyondTheTemperatureAreSafe) {
  DqnConfig::Boltzmann config;
  config.set_initial_temperature(1e-10);
  config.set_final_temperature(1e-10);
  EXPECT_EQ(Count(Boltzmann(config), {-1e35f, 1e35f, 0}, 0, 100),
            std::vector<int64_t>({0, 100, 0}));
}

TEST(MakeActionValueExplorationTest, IsEpsilonGreedyUnlessBoltzmannIsGiven) {
  const std::vector<float> values = {0, 1, 0, 0};
  DqnConfig config;  // Epsilon goes from 1 to 0.05.
  const auto greedy = MakeActionValueExploration(config, {});
  EXPECT_LT(ChiSquare(Count(*greedy, values, 0, 40'000), {0.25, 0.25, 0.25, 0.25}), kChiSquare3);
  EXPECT_LT(ChiSquare(Count(*greedy, values, 1, 40'000), {0.0125, 0.9625, 0.0125, 0.0125}),
            kChiSquare3);
  config.mutable_boltzmann();  // The temperature goes from 1 to 0.1.
  const double best = std::exp(1) / (3 + std::exp(1)), other = 1 / (3 + std::exp(1));
  EXPECT_LT(ChiSquare(Count(*MakeActionValueExploration(config, {}), values, 0, 40'000),
                      {other, best, other, other}),
            kChiSquare3);
}

// Mean and variance of n floats.
std::pair<double, double> Moments(const std::vector<float>& values) {
  const auto n = static_cast<double>(values.size());
  double mean = 0, variance = 0;
  for (const float value : values) mean += value / n;
  for (const float value : values) variance += (value - mean) * (value - mean) / n;
  return {mean, variance};
}

TEST(GaussianNoiseTest, HasItsDeviationAndIsAdded) {
  GaussianNoise noise(0.3);
  std::vector<float> actions(100'000, 0.5f);
  Random random(3);
  noise.AddTo(absl::MakeSpan(actions), random);
  const auto [mean, variance] = Moments(actions);
  EXPECT_NEAR(mean, 0.5, 4 * 0.3 / std::sqrt(100'000));
  EXPECT_NEAR(variance, 0.09, 0.09 * 4 * std::sqrt(2.0 / 100'000));
}

ActionNoiseConfig::OrnsteinUhlenbeck Ou(double rate, double deviation) {
  ActionNoiseConfig::OrnsteinUhlenbeck config;
  config.set_rate(rate);
  config.set_deviation(deviation);
  return config;
}

TEST(OrnsteinUhlenbeckNoiseTest, FollowsItsRecurrenceInEachRowUntilTheEpisodeEnds) {
  OrnsteinUhlenbeckNoise noise(Ou(0.15, 0.2), 2);
  noise.EndEpisode(1);  // Of a row that was never acted in: nothing to forget.
  Random random(9), twin(9);
  double x[2][2] = {};
  for (int step = 0; step < 50; ++step) {
    if (step == 20) {
      noise.EndEpisode(1);
      x[1][0] = x[1][1] = 0;
    }
    std::vector<float> actions = {1, 2, 3, 4};
    noise.AddTo(absl::MakeSpan(actions), random);
    for (int row = 0; row < 2; ++row)
      for (int a = 0; a < 2; ++a) {
        x[row][a] += -0.15 * x[row][a] + 0.2 * twin.Normal();
        EXPECT_NEAR(actions[row * 2 + a], 1 + row * 2 + a + x[row][a], 1e-5);
      }
  }
}

TEST(OrnsteinUhlenbeckNoiseTest, ReachesItsStationaryVariance) {
  // Of x <- (1 - rate) x + deviation N: deviation^2 / (1 - (1 - rate)^2).
  OrnsteinUhlenbeckNoise noise(Ou(0.15, 0.2), 1);
  Random random(4);
  std::vector<float> actions;
  for (int step = 0; step < 60; ++step) {
    actions.assign(20'000, 0.0f);
    noise.AddTo(absl::MakeSpan(actions), random);
  }
  const double variance = 0.2 * 0.2 / (1 - 0.85 * 0.85);
  EXPECT_NEAR(Moments(actions).second, variance, variance * 4 * std::sqrt(2.0 / 20'000));
}

TEST(MakeActionNoiseTest, IsGaussianUnlessOrnsteinUhlenbeckIsGiven) {
  ActionNoiseConfig config;
  for (const bool correlated : {false, true}) {
    if (correlated) config.mutable_ornstein_uhlenbeck();
    const auto noise = MakeActionNoise(config, 1);
    Random random(5);
    std::vector<float> first(50'000), second(50'000);
    noise->AddTo(absl::MakeSpan(first), random);
    noise->AddTo(absl::MakeSpan(second), random);
    // 0.1 by default, and 0.2 with a rate of 0.15.
    const double deviation = correlated ? 0.2 : 0.1;
    const double keep = correlated ? 0.85 : 0;
    EXPECT_NEAR(std::sqrt(Moments(first).second), deviation, 0.03 * deviation);
    double covariance = 0;
    for (size_t i = 0; i < first.size(); ++i) covariance += first[i] * second[i] / 50'000;
    EXPECT_NEAR(covariance, keep * deviation * deviation, 0.03 * deviation * deviation);
  }
}

TEST(MaskedExplorationTest, OnlyAllowedActionsAreChosenHoweverGoodOthersAre) {
  constexpr int64_t kBatch = 40'000;
  DqnConfig::Boltzmann boltzmann;
  boltzmann.set_initial_temperature(1e-30);
  boltzmann.set_final_temperature(100);
  const EpsilonGreedy greedy(Epsilon(0.6, 0, 1), {});
  const Boltzmann soft(boltzmann);
  // Values as they come from the network are masked before: 3 and 1 are allowed.
  std::vector<float> values;
  std::vector<uint8_t> mask;
  for (int64_t b = 0; b < kBatch; ++b) {
    values.insert(values.end(), {kMaskedLogit, 1, kMaskedLogit, 2, kMaskedLogit});
    mask.insert(mask.end(), {0, 1, 0, 1, 0});
  }
  const auto count = [&](const ActionValueExploration& exploration, double progress) {
    std::vector<int32_t> actions(kBatch);
    Random random(1);
    exploration.Choose(values, mask, progress, random, absl::MakeSpan(actions));
    std::vector<int64_t> counts(5);
    for (const int32_t action : actions) ++counts.at(action);
    EXPECT_EQ(counts[0] + counts[2] + counts[4], 0);
    return counts;
  };
  // Half of the random actions are the best one.
  EXPECT_NEAR(static_cast<double>(count(greedy, 0)[1]) / kBatch, 0.3, 0.01);
  EXPECT_EQ(count(greedy, 1)[3], kBatch);
  EXPECT_EQ(count(soft, 0)[3], kBatch);
  EXPECT_NEAR(static_cast<double>(count(soft, 1)[1]) / kBatch, 0.5, 0.01);
}

}  // namespace
}  // namespace cadre
