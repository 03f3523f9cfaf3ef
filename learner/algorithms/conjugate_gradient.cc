#include "learner/algorithms/conjugate_gradient.h"

namespace cadre {
namespace {

double Dot(const torch::Tensor& a, const torch::Tensor& b) { return a.dot(b).item<double>(); }

}  // namespace

ConjugateGradient SolveByConjugateGradient(
    absl::FunctionRef<torch::Tensor(const torch::Tensor&)> product, const torch::Tensor& b,
    int64_t iterations, double tolerance) {
  torch::NoGradGuard no_graph;
  ConjugateGradient solution{torch::zeros_like(b), b.clone(), Dot(b, b), 0};
  torch::Tensor direction = b.clone();
  while (solution.iterations < iterations && solution.squared_residual > tolerance) {
    const torch::Tensor image = product(direction);
    const double curvature = Dot(direction, image);
    ++solution.iterations;
    if (!(curvature > 0)) break;
    const double step = solution.squared_residual / curvature;
    solution.x.add_(direction, step);
    solution.residual.sub_(image, step);
    const double squared = Dot(solution.residual, solution.residual);
    direction.mul_(squared / solution.squared_residual).add_(solution.residual);
    solution.squared_residual = squared;
  }
  return solution;
}

}  // namespace cadre
