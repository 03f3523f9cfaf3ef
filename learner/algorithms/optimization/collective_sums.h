// Small sums over learners in parallel, in double precision, that an algorithm needs beside
// the mean gradient. A null collective: this learner is alone.
#pragma once

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "learner/algorithms/optimization/collective.h"

namespace cadre {

// Each number becomes its sum, or mean, over all learners.
absl::Status SumOverLearners(Collective* collective, absl::Span<double> values);
absl::Status AverageOverLearners(Collective* collective, absl::Span<double> values);

// Each learner's row, in the order of ranks: [size, K] float64.
absl::StatusOr<torch::Tensor> GatherRows(Collective* collective, absl::Span<const double> row);

// The least, or the most, over all learners.
absl::StatusOr<int64_t> LeastOverLearners(Collective* collective, int64_t value);
absl::StatusOr<int64_t> MostOverLearners(Collective* collective, int64_t value);

// Each tensor becomes its mean over all learners, in one sum. All are of one type and on one
// device; the host waits for the device only where the collective does. `buffer`, as large
// as all of them, is made on first use.
absl::Status AverageTensors(Collective& collective, absl::Span<const torch::Tensor> tensors,
                            torch::Tensor& buffer);

// The mean gradient [P] float32 and, beside it in the same sum, the means of these K numbers.
absl::Status AverageGradient(Collective& collective, torch::Tensor gradient,
                             absl::Span<double> values, torch::Tensor& buffer);

// Likewise, but gradient and numbers are means over steps, of which this learner has `steps`,
// and become those over the steps of all. Each takes part, even with none: then what it
// brings is not looked at. False where nobody has any: then the gradient is 0.
absl::StatusOr<bool> AverageOverSteps(Collective& collective, int64_t steps, torch::Tensor gradient,
                                      absl::Span<double> values, torch::Tensor& buffer);

}  // namespace cadre
