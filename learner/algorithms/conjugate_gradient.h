// Solves A x = b for a symmetric positive definite A that is known only by its products
// with vectors (Hestenes and Stiefel 1952). Pure.
#pragma once

#include <cstdint>

#include <torch/types.h>

#include "absl/functional/function_ref.h"

namespace cadre {

struct ConjugateGradient {
  torch::Tensor x;         // [P]
  torch::Tensor residual;  // [P], b - A x, as the recurrence has it.
  double squared_residual = 0;
  int64_t iterations = 0;  // Products with A.
};

// At most `iterations` products; ends before where the squared residual is at most
// `tolerance`, or where rounding has made A no longer positive definite. Starts at x = 0.
ConjugateGradient SolveByConjugateGradient(
    absl::FunctionRef<torch::Tensor(const torch::Tensor&)> product,  // v [P] -> A v [P]
    const torch::Tensor& b,                                          // [P]
    int64_t iterations, double tolerance);

}  // namespace cadre
