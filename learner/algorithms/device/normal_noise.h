// Standard normal numbers by the batch, from the caller's own generator.
#pragma once

#include <torch/types.h>

#include "absl/types/span.h"
#include "common/random.h"
#include "learner/algorithms/optimization/collective.h"

namespace cadre {

// Box and Muller 1958, in float64, both numbers of each pair used; the second of the
// last pair is dropped where the size is odd.
void FillNormal(Random& random, absl::Span<float> noise);

// The same numbers whatever device the dense float32 tensor is on.
void FillNormal(Random& random, torch::Tensor& noise);

// This learner's rows of what a single one would draw for the whole batch: `noise`, dense
// float32, is the same shape on each learner of `collective`, which may be null, and so is
// the generator's state, before and after.
void FillNormalShare(Random& random, const Collective* collective, torch::Tensor& noise);

}  // namespace cadre
