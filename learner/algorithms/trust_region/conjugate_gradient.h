// Solves A x = b for a symmetric positive definite A that is known only by its products
// with vectors (Hestenes and Stiefel 1952). Pure but for the products, which may fail.
#pragma once

#include <cstdint>

#include <torch/types.h>

#include "absl/functional/function_ref.h"
#include "absl/status/statusor.h"

namespace cadre {

struct ConjugateGradient {
  torch::Tensor x;         // [P]
  torch::Tensor residual;  // [P], b - A x, as the recurrence has it.
  double squared_residual = 0;
  int64_t iterations = 0;  // Products with A that it took.
};

// At most `iterations` products; ends before where the squared residual is at most
// `tolerance`, or where rounding has made A no longer positive definite. Starts at x = 0.
// Fails where a product does.
//
// `every_product`: where it ends before, what it has found stays, but products go on until
// they are `iterations`, with the directions that would have come next. So learners whose
// products are sums over all of them make as many each, and one that ends a product sooner
// than the others, by the last bit of a sum of its own, does not spoil theirs.
absl::StatusOr<ConjugateGradient> SolveByConjugateGradient(
    // v [P] -> A v [P]
    absl::FunctionRef<absl::StatusOr<torch::Tensor>(const torch::Tensor&)> product,
    const torch::Tensor& b,  // [P]
    int64_t iterations, double tolerance, bool every_product = false);

}  // namespace cadre
