#include "learner/algorithms/targets/categorical_projection.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/learner/algorithms/example_batch.h"

namespace cadre {
namespace {

using testing::FloatNear;
using testing::Pointwise;

std::vector<float> Project(const CategoricalSupport& support, double reward, double discount,
                           const std::vector<float>& probabilities) {
  std::vector<float> projected(support.atoms, 99.0f);
  ProjectCategorical(support, reward, discount, probabilities, absl::MakeSpan(projected));
  return projected;
}

// The one-hot distribution.
std::vector<float> AllAt(int64_t atom, int64_t atoms) {
  std::vector<float> probabilities(atoms, 0.0f);
  probabilities[atom] = 1;
  return probabilities;
}

// Algorithm 1 as the paper writes it, in float64, but that an atom that is hit keeps all.
std::vector<double> NaiveProjection(const CategoricalSupport& support, double reward,
                                    double discount, const std::vector<float>& probabilities) {
  std::vector<double> m(support.atoms, 0.0);
  for (int64_t j = 0; j < support.atoms; ++j) {
    const double z = support.min + (support.max - support.min) * j / (support.atoms - 1);
    const double tz = std::min(support.max, std::max(support.min, reward + discount * z));
    const double b = (tz - support.min) / ((support.max - support.min) / (support.atoms - 1));
    const int64_t l = std::llround(std::floor(b)), u = std::llround(std::ceil(b));
    if (l == u) {
      m[l] += probabilities[j];
      continue;
    }
    m[l] += probabilities[j] * (static_cast<double>(u) - b);
    if (u < support.atoms) m[u] += probabilities[j] * (b - static_cast<double>(l));
  }
  return m;
}

std::vector<float> RandomProbabilities(int64_t atoms, Random& random) {
  std::vector<float> probabilities(atoms);
  float sum = 0;
  for (float& p : probabilities) sum += p = random.UniformFloat() + 1e-3f;
  for (float& p : probabilities) p /= sum;
  return probabilities;
}

TEST(CategoricalProjectionTest, ByHand) {
  // 0.5 + 0.5 z lands on 0, 0.5 and 1: on the second atom, halfway, on the third.
  EXPECT_THAT(Project({-1, 1, 3}, 0.5, 0.5, {0.2, 0.3, 0.5}),
              Pointwise(FloatNear(1e-6), {0.0f, 0.35f, 0.65f}));
}

TEST(CategoricalProjectionTest, ATerminalStatePutsEverythingAtTheReward) {
  EXPECT_THAT(Project({-1, 1, 3}, 0.25, 0, {0.2, 0.3, 0.5}),
              Pointwise(FloatNear(1e-6), {0.0f, 0.75f, 0.25f}));
}

TEST(CategoricalProjectionTest, AnAtomThatIsHitKeepsAllOfItsProbability) {
  for (const CategoricalSupport& support :
       {CategoricalSupport{-10, 10, 51}, {0, 1, 2}, {-0.3, 0.7, 11}}) {
    for (int64_t i = 0; i < support.atoms; ++i) {
      const std::vector<float> wanted = AllAt(i, support.atoms);
      EXPECT_THAT(Project(support, support.value(i), 0, AllAt(0, support.atoms)),
                  Pointwise(FloatNear(1e-5), wanted));
      EXPECT_THAT(Project(support, 0, 1, wanted), Pointwise(FloatNear(1e-5), wanted));
    }
  }
}

TEST(CategoricalProjectionTest, WhatIsBeyondTheSupportGoesToItsEnds) {
  EXPECT_EQ(Project({-1, 1, 5}, 100, 0.9, {0.1, 0.2, 0.3, 0.2, 0.2}), AllAt(4, 5));
  EXPECT_EQ(Project({-1, 1, 5}, -100, 0.9, {0.1, 0.2, 0.3, 0.2, 0.2}), AllAt(0, 5));
}

TEST(CategoricalProjectionTest, IsTheNaiveLoopOnRandomCasesAndSoIsTheOneOnTensors) {
  Random random(1);
  int clipped = 0;
  for (int i = 0; i < 500; ++i) {
    const int64_t atoms = 2 + static_cast<int64_t>(random.Below(60));
    const double min = random.Uniform(-20, 5);
    const CategoricalSupport support{min, min + random.Uniform(0.5, 30), atoms};
    // Rewards that often throw mass off one end or the other.
    const double reward = static_cast<float>(random.Uniform(-15, 15));
    const double discount = static_cast<float>(i % 5 == 0 ? 0 : random.Uniform(0.5, 1));
    const std::vector<float> p = RandomProbabilities(atoms, random);
    const std::vector<double> naive = NaiveProjection(support, reward, discount, p);
    const std::vector<float> projected = Project(support, reward, discount, p);
    ASSERT_THAT(projected, Pointwise(FloatNear(1e-5), naive));
    ASSERT_NEAR(std::accumulate(projected.begin(), projected.end(), 0.0), 1, 1e-5);
    clipped += naive.front() > p.front() || naive.back() > p.back();

    const torch::Tensor by_tensors = ProjectCategorical(
        support, torch::tensor({static_cast<float>(reward)}),
        torch::tensor({static_cast<float>(discount)}), torch::tensor(p).unsqueeze(0));
    ASSERT_EQ(by_tensors.sizes(), (std::vector<int64_t>{1, atoms}));
    ASSERT_THAT(
        std::vector<float>(by_tensors.data_ptr<float>(), by_tensors.data_ptr<float>() + atoms),
        Pointwise(FloatNear(1e-4), naive));
  }
  EXPECT_GT(clipped, 100) << "clipping is hardly tested";
}

TEST(CategoricalProjectionTest, KeepsTheMeanWhereNothingIsClipped) {
  Random random(2);
  const CategoricalSupport support{-10, 10, 51};
  for (int i = 0; i < 100; ++i) {
    const std::vector<float> p = RandomProbabilities(51, random);
    const double reward = random.Uniform(-1, 1);
    const std::vector<float> projected = Project(support, reward, 0.9, p);
    double before = 0, after = 0;
    for (int64_t z = 0; z < 51; ++z) {
      before += p[z] * support.value(z);
      after += projected[z] * support.value(z);
    }
    ASSERT_NEAR(after, reward + 0.9 * before, 1e-5);
  }
}

}  // namespace
}  // namespace cadre
