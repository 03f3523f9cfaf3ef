#include "learner/algorithms/trust_region/conjugate_gradient.h"

#include <utility>
#include <vector>

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
        SolveByConjugateGradient([&](const torch::Tensor& v) { return a.mv(v); }, b, n, 0).value();
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
    const ConjugateGradient solution = SolveByConjugateGradient(product, b, iterations, 0).value();
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
                                    tolerance)
        .value();
  };
  const ConjugateGradient rough = solve(1e-2);
  EXPECT_LE(rough.squared_residual, 1e-2);
  EXPECT_LT(rough.iterations, solve(1e-8).iterations);
  const ConjugateGradient one_less =
      SolveByConjugateGradient([&](const torch::Tensor& v) { return a.mv(v); }, b,
                               rough.iterations - 1, 0)
          .value();
  EXPECT_GT(one_less.squared_residual, 1e-2) << "it went on longer than it had to";
}

TEST(ConjugateGradientTest, ZeroNeedsNoProduct) {
  const ConjugateGradient solution =
      SolveByConjugateGradient([](const torch::Tensor& v) { return v; }, torch::zeros({5}), 10, 0)
          .value();
  EXPECT_EQ(solution.iterations, 0);
  EXPECT_TRUE(torch::equal(solution.x, torch::zeros({5})));
}

TEST(ConjugateGradientTest, ADirectionWithoutCurvatureEndsItWithNumbers) {
  const ConjugateGradient solution =
      SolveByConjugateGradient([](const torch::Tensor& v) { return torch::zeros_like(v); },
                               torch::ones({5}), 10, 1e-10)
          .value();
  EXPECT_EQ(solution.iterations, 1);
  EXPECT_TRUE(torch::equal(solution.x, torch::zeros({5})));
}

// The vectors of the products, and what was found.
struct Trace {
  std::vector<torch::Tensor> vectors;
  ConjugateGradient solution;
};

Trace Follow(const torch::Tensor& a, const torch::Tensor& b, int64_t iterations, double tolerance,
             bool every_product) {
  Trace trace;
  const auto product = [&](const torch::Tensor& v) {
    trace.vectors.push_back(v.clone());
    return a.mv(v);
  };
  trace.solution =
      SolveByConjugateGradient(product, b, iterations, tolerance, every_product).value();
  return trace;
}

// Hestenes and Stiefel's recurrence, step by step: the same bits.
TEST(ConjugateGradientTest, AloneItIsThePlainRecurrenceBitForBit) {
  Random random(5);
  const torch::Tensor a = PositiveDefinite(30, random).to(torch::kFloat32);
  const torch::Tensor b = RandomTensor({30}, random);
  torch::Tensor x = torch::zeros({30}), r = b.clone(), p = b.clone();
  double squared = r.dot(r).item<double>();
  int64_t products = 0;
  while (products < 20 && squared > 1e-4) {
    const torch::Tensor image = a.mv(p);
    const double step = squared / p.dot(image).item<double>();
    x.add_(p, step);
    r.sub_(image, step);
    const double next = r.dot(r).item<double>();
    p.mul_(next / squared).add_(r);
    squared = next;
    ++products;
  }
  const Trace got = Follow(a, b, 20, 1e-4, /*every_product=*/false);
  EXPECT_GT(products, 2);
  EXPECT_EQ(got.vectors.size(), products);
  EXPECT_EQ(got.solution.iterations, products);
  EXPECT_EQ(got.solution.squared_residual, squared);
  EXPECT_TRUE(torch::equal(got.solution.x, x));
  EXPECT_TRUE(torch::equal(got.solution.residual, r));
}

TEST(ConjugateGradientTest, EveryProductIsMadeWithoutChangingWhatWasFound) {
  Random random(4);
  const torch::Tensor a = PositiveDefinite(30, random);
  const torch::Tensor b = RandomTensor({30}, random).to(torch::kFloat64);
  const Trace sooner = Follow(a, b, 20, 1e-2, /*every_product=*/false);
  const Trace every = Follow(a, b, 20, 1e-2, /*every_product=*/true);
  ASSERT_LT(sooner.vectors.size(), 20);
  ASSERT_EQ(every.vectors.size(), 20);
  EXPECT_TRUE(torch::equal(every.solution.x, sooner.solution.x));
  EXPECT_TRUE(torch::equal(every.solution.residual, sooner.solution.residual));
  EXPECT_EQ(every.solution.squared_residual, sooner.solution.squared_residual);
  EXPECT_EQ(every.solution.iterations, sooner.solution.iterations);
  // What another learner that does not end yet multiplies.
  const Trace later = Follow(a, b, 20, 0, /*every_product=*/false);
  for (size_t i = 0; i < later.vectors.size(); ++i)
    EXPECT_TRUE(torch::equal(every.vectors[i], later.vectors[i])) << i;
}

TEST(ConjugateGradientTest, EveryProductIsMadeOfFiniteNumbers) {
  const torch::Tensor ones = torch::ones({5}), none = torch::zeros({5});
  const torch::Tensor identity = torch::eye(5), flat = torch::zeros({5, 5});
  // Nothing to solve; no curvature; solved by the first product.
  for (const auto& [a, b] : {std::pair(identity, none), {flat, ones}, {identity, ones}}) {
    const Trace trace = Follow(a, b, 7, 1e-10, /*every_product=*/true);
    ASSERT_EQ(trace.vectors.size(), 7);
    for (const torch::Tensor& vector : trace.vectors)
      EXPECT_TRUE(torch::isfinite(vector).all().item<bool>());
    EXPECT_TRUE(torch::equal(trace.solution.x, a.mv(b)));
  }
}

TEST(ConjugateGradientTest, AProductThatFailsEndsIt) {
  int products = 0;
  const auto product = [&](const torch::Tensor& v) -> absl::StatusOr<torch::Tensor> {
    if (++products == 2) return absl::UnavailableError("gone");
    return v * torch::tensor({1.0f, 2.0f, 3.0f});
  };
  EXPECT_EQ(SolveByConjugateGradient(product, torch::ones({3}), 10, 0).status(),
            absl::UnavailableError("gone"));
  EXPECT_EQ(products, 2);
}

}  // namespace
}  // namespace cadre
