// Small sums over learners in parallel, in double precision, that an algorithm needs beside
// the mean gradient. A null collective: this learner is alone.
#pragma once

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "learner/algorithms/collective.h"

namespace cadre {

// Each number becomes its sum, or mean, over all learners.
absl::Status SumOverLearners(Collective* collective, absl::Span<double> values);
absl::Status AverageOverLearners(Collective* collective, absl::Span<double> values);

// Each learner's row, in the order of ranks: [size, K] float64.
absl::StatusOr<torch::Tensor> GatherRows(Collective* collective, absl::Span<const double> row);

// The least over all learners.
absl::StatusOr<int64_t> LeastOverLearners(Collective* collective, int64_t value);

// The mean gradient and, beside it in the same sum, the means of these numbers. `buffer`,
// [P + K], is made on first use.
absl::Status AverageGradient(Collective& collective, torch::Tensor gradient,
                             absl::Span<double> values, torch::Tensor& buffer);

}  // namespace cadre
