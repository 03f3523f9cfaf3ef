#include "policy/distributions.h"

#include <array>
#include <cmath>
#include <numbers>
#include <vector>

#include "gtest/gtest.h"

namespace cadre {
namespace {

TEST(CategoricalTest, LogSoftmaxByHand) {
  std::vector<float> logits = {std::log(1.0f), std::log(3.0f), std::log(4.0f)};
  std::vector<float> out(3);
  LogSoftmax(logits, absl::MakeSpan(out));
  EXPECT_FLOAT_EQ(out[0], std::log(0.125f));
  EXPECT_FLOAT_EQ(out[1], std::log(0.375f));
  EXPECT_FLOAT_EQ(out[2], std::log(0.5f));
  LogSoftmax(logits, absl::MakeSpan(logits));  // In place.
  EXPECT_EQ(logits, out);
}

TEST(CategoricalTest, LogSoftmaxOfLargeLogitsDoesNotOverflow) {
  std::vector<float> logits = {1000, 1000, -1000};
  LogSoftmax(logits, absl::MakeSpan(logits));
  EXPECT_FLOAT_EQ(logits[0], -std::numbers::ln2_v<float>);
  EXPECT_FLOAT_EQ(logits[1], -std::numbers::ln2_v<float>);
  EXPECT_FLOAT_EQ(logits[2], -2000 - std::numbers::ln2_v<float>);
}

TEST(CategoricalTest, ArgMaxIsTheFirstOfTheLargest) {
  EXPECT_EQ(ArgMax(std::vector<float>{-3, -1, -2}), 1);
  EXPECT_EQ(ArgMax(std::vector<float>{2, 5, 5}), 1);
  EXPECT_EQ(ArgMax(std::vector<float>{7}), 0);
}

TEST(CategoricalTest, EntropyByHand) {
  const std::vector<float> even(4, std::log(0.25f));
  EXPECT_FLOAT_EQ(CategoricalEntropy(even), std::log(4.0f));
  const std::vector<float> uneven = {std::log(0.25f), std::log(0.75f)};
  EXPECT_FLOAT_EQ(CategoricalEntropy(uneven),
                  static_cast<float>(0.25 * std::log(4) + 0.75 * std::log(4.0 / 3)));
  EXPECT_EQ(CategoricalEntropy(std::vector<float>{0.0f}), 0);
}

TEST(CategoricalTest, ActionsAreDrawnAsOftenAsTheyAreProbable) {
  const std::array<double, 5> probabilities = {0.5, 0.02, 0.3, 0.08, 0.1};
  std::vector<float> log_probs;
  for (const double p : probabilities) log_probs.push_back(static_cast<float>(std::log(p)));
  Random random(17);
  constexpr int kDraws = 200'000;
  std::array<int, 5> counts{};
  for (int i = 0; i < kDraws; ++i) ++counts[SampleCategorical(log_probs, random)];
  double chi_square = 0;
  for (size_t i = 0; i < counts.size(); ++i) {
    const double expected = probabilities[i] * kDraws;
    chi_square += (counts[i] - expected) * (counts[i] - expected) / expected;
  }
  EXPECT_LT(chi_square, 18.5);  // 4 degrees of freedom, p = 0.001.
}

TEST(CategoricalTest, ACertainActionIsAlwaysDrawn) {
  Random random(1);
  for (int i = 0; i < 1000; ++i) {
    EXPECT_EQ(SampleCategorical(std::vector<float>{-200, 0, -200}, random), 1);
    EXPECT_EQ(SampleCategorical(std::vector<float>{0}, random), 0);
  }
}

TEST(GaussianTest, LogProbAndEntropyByHand) {
  const std::vector<float> mean = {1, -2}, log_std = {0, std::log(2.0f)}, action = {2, 2};
  // z = 1 and 2.
  const double log_two_pi = std::log(2 * std::numbers::pi);
  EXPECT_FLOAT_EQ(GaussianLogProb(mean, log_std, action),
                  static_cast<float>(-0.5 - 2 - std::log(2) - log_two_pi));
  EXPECT_FLOAT_EQ(GaussianEntropy(log_std), static_cast<float>(1 + std::log(2) + log_two_pi));
}

TEST(GaussianTest, SamplesHaveTheirMomentsInEachDimension) {
  const std::vector<float> mean = {3, -1}, log_std = {std::log(0.5f), std::log(2.0f)};
  Random random(23);
  constexpr int kDraws = 200'000;
  std::array<double, 2> sum{}, squares{}, fourth{};
  double product = 0;
  std::vector<float> action(2);
  for (int i = 0; i < kDraws; ++i) {
    SampleGaussian(mean, log_std, random, absl::MakeSpan(action));
    std::array<double, 2> z;
    for (int a = 0; a < 2; ++a) {
      z[a] = (action[a] - mean[a]) / std::exp(log_std[a]);
      sum[a] += z[a];
      squares[a] += z[a] * z[a];
      fourth[a] += z[a] * z[a] * z[a] * z[a];
    }
    product += z[0] * z[1];
  }
  // Five standard deviations of each mean: of z, z^2 (variance 2) and z^4 (variance 96).
  const double root = std::sqrt(kDraws);
  for (int a = 0; a < 2; ++a) {
    EXPECT_NEAR(sum[a] / kDraws, 0, 5 / root);
    EXPECT_NEAR(squares[a] / kDraws, 1, 5 * std::sqrt(2) / root);
    EXPECT_NEAR(fourth[a] / kDraws, 3, 5 * std::sqrt(96) / root);
  }
  EXPECT_NEAR(product / kDraws, 0, 5 / root);
}

TEST(GaussianTest, TheDensityIntegratesToOneAndItsEntropyIsTheMeanOfItsLogarithm) {
  const std::vector<float> mean = {0.5f}, log_std = {-0.7f};
  double mass = 0, entropy = 0;
  constexpr double kWidth = 1e-3;
  for (double x = -6; x < 7; x += kWidth) {
    const std::vector<float> action = {static_cast<float>(x)};
    const double log_density = GaussianLogProb(mean, log_std, action);
    mass += std::exp(log_density) * kWidth;
    entropy -= std::exp(log_density) * log_density * kWidth;
  }
  EXPECT_NEAR(mass, 1, 1e-5);
  EXPECT_NEAR(entropy, GaussianEntropy(log_std), 1e-5);
}

TEST(ProductOfCategoricalsTest, EachChoiceIsNormalisedByItself) {
  const std::vector<int64_t> counts = {3, 2};
  const std::vector<float> logits = {0, 1, 2, -1, 4};
  std::vector<float> out(5), first(3), second(2);
  LogSoftmaxOfEach(counts, logits, absl::MakeSpan(out));
  LogSoftmax(absl::MakeConstSpan(logits).first(3), absl::MakeSpan(first));
  LogSoftmax(absl::MakeConstSpan(logits).subspan(3), absl::MakeSpan(second));
  first.insert(first.end(), second.begin(), second.end());
  EXPECT_EQ(out, first);
}

TEST(MaskTest, WhatIsMaskedHasNoProbabilityAndIsNeverDrawn) {
  std::vector<float> logits = {5, 0, 1, 9};
  MaskLogits({0, 1, 1, 0}, absl::MakeSpan(logits));
  EXPECT_EQ(ArgMax(logits), 2);
  LogSoftmax(logits, absl::MakeSpan(logits));
  EXPECT_EQ(std::exp(logits[0]), 0);
  EXPECT_FLOAT_EQ(std::exp(logits[1]) + std::exp(logits[2]), 1);
  EXPECT_TRUE(std::isfinite(CategoricalEntropy(logits)));
  Random random(3);
  for (int i = 0; i < 100'000; ++i) {
    const int32_t drawn = SampleCategorical(logits, random);
    ASSERT_TRUE(drawn == 1 || drawn == 2) << drawn;
  }
}

// What rounding leaves over would go to the last alternative.
TEST(MaskTest, ProbabilitiesThatDoNotAddUpToOneNeverChooseWhatIsMasked) {
  const std::vector<float> log_probs = {std::log(1e-7f), std::log(1e-7f), kMaskedLogit,
                                        kMaskedLogit};
  Random random(4);
  for (int i = 0; i < 1000; ++i) ASSERT_LE(SampleCategorical(log_probs, random), 1);
}

TEST(MaskTest, WithoutAMaskLogitsStayAsTheyAre) {
  std::vector<float> logits = {5, 0};
  MaskLogits({}, absl::MakeSpan(logits));
  EXPECT_EQ(logits, (std::vector<float>{5, 0}));
}

}  // namespace
}  // namespace cadre
