// Standard normal numbers by the batch, from the caller's own generator.
#pragma once

#include <torch/types.h>

#include "absl/types/span.h"
#include "common/random.h"

namespace cadre {

// Box and Muller 1958, in float64, both numbers of each pair used; the second of the
// last pair is dropped where the size is odd.
void FillNormal(Random& random, absl::Span<float> noise);

// The same numbers whatever device the dense float32 tensor is on.
void FillNormal(Random& random, torch::Tensor& noise);

}  // namespace cadre
