// Learners that move one model together as threads of one process. The same tensors give
// the same sum every time: ranks are added in their order.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include <torch/types.h>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/synchronization/mutex.h"
#include "learner/algorithms/optimization/collective.h"

namespace cadre {

// Where they meet. Must outlive its members. Thread-safe.
class LocalGroup {
 public:
  explicit LocalGroup(int size);

  // The member of this rank, for one thread; each rank once. A member that is destroyed
  // has left: what the others wait for will never come, and is UNAVAILABLE.
  std::unique_ptr<Collective> Join(int rank);

 private:
  class Member;

  absl::Status Sum(int rank, const torch::Tensor& values);
  void Leave(int rank);
  void AddUp() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  absl::Status Gone() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const int size_;
  absl::Mutex mutex_;
  std::vector<torch::Tensor> waiting_ ABSL_GUARDED_BY(mutex_);  // [size], by rank
  int arrived_ ABSL_GUARDED_BY(mutex_) = 0;
  int64_t rounds_ ABSL_GUARDED_BY(mutex_) = 0;  // Sums so far.
  int gone_ ABSL_GUARDED_BY(mutex_) = -1;       // The first that left.
};

}  // namespace cadre
