// Shapes of what an environment shows and of what it can be told. Plain data,
// known to environments, networks and specs alike.
#pragma once

#include <cstdint>
#include <vector>

#include "proto/experience.pb.h"

namespace cadre {

struct ObservationSpace {
  v1::DType dtype = v1::DTYPE_FLOAT32;
  std::vector<int64_t> shape;    // Of one observation.
  std::vector<float> low, high;  // [elements]; infinite where unbounded.

  int64_t elements() const {
    int64_t product = 1;
    for (int64_t dimension : shape) product *= dimension;
    return product;
  }
};

// Either discrete, an int32 in [0, count), or continuous, float32 [dimensions].
struct ActionSpace {
  enum class Kind { kDiscrete, kContinuous };
  Kind kind = Kind::kDiscrete;
  int64_t count = 0;             // Discrete: how many actions.
  int64_t dimensions = 0;        // Continuous: A.
  std::vector<float> low, high;  // Continuous: [A], inclusive bounds.

  bool discrete() const { return kind == Kind::kDiscrete; }
  // Bytes of one action: one int32, or A float32.
  int64_t bytes() const { return discrete() ? 4 : 4 * dimensions; }
};

}  // namespace cadre
