#include "learner/algorithms/conjugate_gradient.h"

#include <torch/types.h>

#include "gtest/gtest.h"
#include "tests/learner/algorithms/example_batch.h"

namespace cadre {
namespace {

// M M^T / n + identity, float64.
torch::Tensor PositiveDefinite(int64_t n, Random& random) {
  const torch::Tensor m = RandomTensor({n, n}, random).to(torch::kFloat64);
  return m.matmul(m.t()) / n + torch::eye(n, torch::kFloat64);
}

TEST(ConjugateGradientTest, SolvesASystemInAsManyProductsAsItHasUnknowns) {
  Random random(1);
  for (const int64_t n : {1, 2, 7, 20}) {
    const torch::Tensor a = PositiveDefinite(n, random);
    const torch::Tensor b = RandomTensor({n}, random).to(torch::kFloat64);
    const ConjugateGradient solution =
        SolveByConjugateGradient([&](const torch::Tensor& v) { return a.mv(v); }, b, n, 0);
    EXPECT_TRUE(torch::allclose(solution.x, torch::linalg_solve(a, b), 1e-8, 1e-10)) << n;
    EXPECT_LE(solution.iterations, n);
  }
}

TEST(ConjugateGradientTest, ReportsTheResidualThatFewerProductsLeave) {
  Random random(2);
  const torch::Tensor a = PositiveDefinite(20, random);
  const torch::Tensor b = RandomTensor({20}, random).to(torch::kFloat64);
  double last = b.dot(b).item<double>();
  for (const int64_t iterations : {1, 4, 8}) {
    int products = 0;
    const auto product = [&](const torch::Tensor& v) {
      ++products;
      return a.mv(v);
    };
    const ConjugateGradient solution = SolveByConjugateGradient(product, b, iterations, 0);
    EXPECT_EQ(products, iterations);
    EXPECT_EQ(solution.iterations, iterations);
    EXPECT_TRUE(torch::allclose(solution.residual, b - a.mv(solution.x), 1e-8, 1e-10));
    EXPECT_NEAR(solution.squared_residual, solution.residual.dot(solution.residual).item<double>(),
                1e-10);
    EXPECT_LT(solution.squared_residual, last);
    last = solution.squared_residual;
  }
}

TEST(ConjugateGradientTest, EndsAtTheTolerance) {
  Random random(3);
  const torch::Tensor a = PositiveDefinite(30, random);
  const torch::Tensor b = RandomTensor({30}, random).to(torch::kFloat64);
  const auto solve = [&](double tolerance) {
    return SolveByConjugateGradient([&](const torch::Tensor& v) { return a.mv(v); }, b, 30,
                                    tolerance);
  };
  const ConjugateGradient rough = solve(1e-2);
  EXPECT_LE(rough.squared_residual, 1e-2);
  EXPECT_LT(rough.iterations, solve(1e-8).iterations);
  const ConjugateGradient one_less = SolveByConjugateGradient(
      [&](const torch::Tensor& v) { return a.mv(v); }, b, rough.iterations - 1, 0);
  EXPECT_GT(one_less.squared_residual, 1e-2) << "it went on longer than it had to";
}

TEST(ConjugateGradientTest, ZeroNeedsNoProduct) {
  const ConjugateGradient solution =
      SolveByConjugateGradient([](const torch::Tensor& v) { return v; }, torch::zeros({5}), 10, 0);
  EXPECT_EQ(solution.iterations, 0);
  EXPECT_TRUE(torch::equal(solution.x, torch::zeros({5})));
}

TEST(ConjugateGradientTest, ADirectionWithoutCurvatureEndsItWithNumbers) {
  const ConjugateGradient solution = SolveByConjugateGradient(
      [](const torch::Tensor& v) { return torch::zeros_like(v); }, torch::ones({5}), 10, 1e-10);
  EXPECT_EQ(solution.iterations, 1);
  EXPECT_TRUE(torch::equal(solution.x, torch::zeros({5})));
}

}  // namespace
}  // namespace cadre
