// What learners that move one model together do together. Every learner calls the same
// functions in the same order with tensors of the same size; each call waits for all. Not
// thread-safe.
#pragma once

#include <torch/types.h>

#include "absl/status/status.h"

namespace cadre {

class Collective {
 public:
  virtual ~Collective() = default;

  virtual int rank() const = 0;  // [0, size)
  virtual int size() const = 0;

  // `values`, contiguous, becomes the sum over all learners, the same bits on each.
  // UNAVAILABLE where another learner is gone: which, as far as is known.
  virtual absl::Status Sum(torch::Tensor values) = 0;
  // The mean over all learners.
  absl::Status Average(torch::Tensor values);

  // Before the host waits for a device on which a sum is under way: fails as Sum where a learner
  // is gone whose part of it would never come. Where sums go by way of the host they have waited.
  virtual absl::Status Meet() { return absl::OkStatus(); }
};

}  // namespace cadre
