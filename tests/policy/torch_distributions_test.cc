#include "policy/torch_distributions.h"

#include <cmath>
#include <vector>

#include "gtest/gtest.h"
#include "policy/distributions.h"
#include "tests/policy/example_networks.h"

namespace cadre {
namespace {

constexpr int64_t kBatch = 50;

torch::Tensor RandomTensor(std::vector<int64_t> shape, Random& random, double scale = 1) {
  int64_t size = 1;
  for (const int64_t dimension : shape) size *= dimension;
  return torch::tensor(RandomFloats(size, random, scale)).view(shape);
}

absl::Span<const float> Row(const torch::Tensor& matrix, int64_t row) {
  return {matrix.data_ptr<float>() + row * matrix.size(1), static_cast<size_t>(matrix.size(1))};
}

TEST(TorchDistributionsTest, CategoricalIsThePlainOne) {
  Random random(1);
  const torch::Tensor logits = RandomTensor({kBatch, 6}, random, 5);
  const torch::Tensor actions = torch::arange(kBatch).remainder(6);
  const torch::Tensor log_prob = CategoricalLogProb(logits, actions);
  const torch::Tensor entropy = CategoricalEntropy(logits);
  std::vector<float> log_probs(6);
  for (int64_t b = 0; b < kBatch; ++b) {
    LogSoftmax(Row(logits, b), absl::MakeSpan(log_probs));
    EXPECT_NEAR(log_prob[b].item<float>(), log_probs[b % 6], 1e-5);
    EXPECT_NEAR(entropy[b].item<float>(), CategoricalEntropy(log_probs), 1e-5);
  }
}

TEST(TorchDistributionsTest, GaussianIsThePlainOne) {
  Random random(2);
  const torch::Tensor mean = RandomTensor({kBatch, 3}, random, 2);
  const torch::Tensor log_std = RandomTensor({3}, random, 0.5);
  const torch::Tensor actions = RandomTensor({kBatch, 3}, random, 2);
  const torch::Tensor log_prob = GaussianLogProb(mean, log_std, actions);
  const absl::Span<const float> deviations(log_std.data_ptr<float>(), 3);
  for (int64_t b = 0; b < kBatch; ++b) {
    const float plain = GaussianLogProb(Row(mean, b), deviations, Row(actions, b));
    EXPECT_NEAR(log_prob[b].item<float>(), plain, 1e-5 * (1 + std::abs(plain)));
  }
  EXPECT_NEAR(GaussianEntropy(log_std).item<float>(), GaussianEntropy(deviations), 1e-6);
}

TEST(TorchDistributionsTest, CategoricalKlIsItsSum) {
  Random random(3);
  const torch::Tensor old_logits = RandomTensor({kBatch, 4}, random, 2);
  const torch::Tensor logits = RandomTensor({kBatch, 4}, random, 2);
  const torch::Tensor kl = CategoricalKl(old_logits, logits);
  for (int64_t b = 0; b < kBatch; ++b) {
    double old_sum = 0, sum = 0, expected = 0;
    for (int i = 0; i < 4; ++i) {
      old_sum += std::exp(static_cast<double>(Row(old_logits, b)[i]));
      sum += std::exp(static_cast<double>(Row(logits, b)[i]));
    }
    for (int i = 0; i < 4; ++i) {
      const double p = std::exp(static_cast<double>(Row(old_logits, b)[i])) / old_sum;
      const double q = std::exp(static_cast<double>(Row(logits, b)[i])) / sum;
      expected += p * std::log(p / q);
    }
    EXPECT_NEAR(kl[b].item<float>(), expected, 1e-5 * (1 + expected));
  }
  EXPECT_LE(CategoricalKl(logits, logits).abs().max().item<float>(), 1e-6);
}

TEST(TorchDistributionsTest, GaussianKlIsItsIntegral) {
  const double old_mean = 0.3, old_log_std = -0.4, mean = -0.5, log_std = 0.2;
  const auto log_density = [](double x, double m, double s) {
    const double z = (x - m) / std::exp(s);
    return -0.5 * z * z - s - 0.5 * std::log(2 * M_PI);
  };
  double expected = 0;
  constexpr double kWidth = 1e-3;
  for (double x = -8; x < 8; x += kWidth) {
    const double p = log_density(x, old_mean, old_log_std);
    expected += std::exp(p) * (p - log_density(x, mean, log_std)) * kWidth;
  }
  const auto tensor = [](double x) { return torch::full({1, 1}, x); };
  const torch::Tensor kl = GaussianKl(tensor(old_mean), torch::full({1}, old_log_std), tensor(mean),
                                      torch::full({1}, log_std));
  EXPECT_NEAR(kl[0].item<float>(), expected, 1e-5);

  // Dimensions add up, and a distribution does not differ from itself.
  const torch::Tensor twice =
      GaussianKl(torch::full({1, 2}, old_mean), torch::full({2}, old_log_std),
                 torch::full({1, 2}, mean), torch::full({2}, log_std));
  EXPECT_NEAR(twice[0].item<float>(), 2 * expected, 2e-5);
  EXPECT_EQ(
      GaussianKl(tensor(1), torch::full({1}, 0.5), tensor(1), torch::full({1}, 0.5)).item<float>(),
      0);
}

// Against all 24 actions of three choices, each with the product of its probabilities.
TEST(TorchDistributionsTest, AProductOfCategoricalsIsTheDistributionOfAllItsActions) {
  Random random(5);
  const std::vector<int64_t> counts = {3, 2, 4};
  const torch::Tensor logits = RandomTensor({kBatch, 9}, random, 2);
  const torch::Tensor old_logits = RandomTensor({kBatch, 9}, random, 2);
  const auto log_probability = [&](const torch::Tensor& of, int64_t b, const int64_t* action) {
    double sum = 0;
    for (int64_t k = 0, first = 0; k < 3; first += counts[k++]) {
      double all = 0;
      for (int64_t i = 0; i < counts[k]; ++i) all += std::exp(of[b][first + i].item<double>());
      sum += of[b][first + action[k]].item<double>() - std::log(all);
    }
    return sum;
  };
  const torch::Tensor actions =
      torch::stack({torch::arange(kBatch).remainder(3), torch::arange(kBatch).remainder(2),
                    torch::arange(kBatch).remainder(4)},
                   1);
  const torch::Tensor log_prob = CategoricalLogProb(logits, actions, counts);
  const torch::Tensor entropy = CategoricalEntropy(logits, counts);
  const torch::Tensor kl = CategoricalKl(old_logits, logits, counts);
  const torch::Tensor probabilities = CategoricalProbabilities(logits, counts);
  for (int64_t b = 0; b < kBatch; ++b) {
    double all_entropy = 0, all_kl = 0, total = 0, marginal = 0;
    for (int64_t i = 0; i < 24; ++i) {
      const int64_t action[] = {i % 3, i / 3 % 2, i / 6};
      const double now = log_probability(logits, b, action);
      const double then = log_probability(old_logits, b, action);
      total += std::exp(now);
      if (action[1] == 1) marginal += std::exp(now);
      all_entropy -= std::exp(now) * now;
      all_kl += std::exp(then) * (then - now);
    }
    EXPECT_NEAR(total, 1, 1e-9);
    EXPECT_NEAR(entropy[b].item<double>(), all_entropy, 1e-5);
    EXPECT_NEAR(kl[b].item<double>(), all_kl, 1e-5);
    EXPECT_NEAR(probabilities[b][4].item<double>(), marginal, 1e-6);
    const int64_t taken[] = {b % 3, b % 2, b % 4};
    EXPECT_NEAR(log_prob[b].item<double>(), log_probability(logits, b, taken), 1e-5);
  }
}

}  // namespace
}  // namespace cadre
