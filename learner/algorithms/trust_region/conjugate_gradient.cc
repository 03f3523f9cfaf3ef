#include "learner/algorithms/trust_region/conjugate_gradient.h"

#include "common/status_macros.h"

namespace cadre {
namespace {

double Dot(const torch::Tensor& a, const torch::Tensor& b) { return a.dot(b).item<double>(); }

using Product = absl::FunctionRef<absl::StatusOr<torch::Tensor>(const torch::Tensor&)>;

// One product and the step after it. False, and no step, where there is nowhere to go.
absl::StatusOr<bool> Advance(Product product, ConjugateGradient& at, torch::Tensor& direction) {
  CADRE_ASSIGN_OR_RETURN(const torch::Tensor image, product(direction));
  const double curvature = Dot(direction, image);
  ++at.iterations;
  if (!(curvature > 0 && at.squared_residual > 0)) return false;
  const double step = at.squared_residual / curvature;
  at.x.add_(direction, step);
  at.residual.sub_(image, step);
  const double squared = Dot(at.residual, at.residual);
  direction.mul_(squared / at.squared_residual).add_(at.residual);
  at.squared_residual = squared;
  return true;
}

}  // namespace

absl::StatusOr<ConjugateGradient> SolveByConjugateGradient(Product product, const torch::Tensor& b,
                                                           int64_t iterations, double tolerance,
                                                           bool every_product) {
  torch::NoGradGuard no_graph;
  ConjugateGradient solution{torch::zeros_like(b), b.clone(), Dot(b, b), 0};
  torch::Tensor direction = b.clone();
  bool goes_on = true;
  while (goes_on && solution.iterations < iterations && solution.squared_residual > tolerance) {
    CADRE_ASSIGN_OR_RETURN(goes_on, Advance(product, solution, direction));
  }
  if (!every_product) return solution;
  ConjugateGradient beyond{solution.x.clone(), solution.residual.clone(), solution.squared_residual,
                           solution.iterations};
  while (beyond.iterations < iterations)
    CADRE_RETURN_IF_ERROR(Advance(product, beyond, direction).status());
  return solution;
}

}  // namespace cadre
