// Batches on their way to a device. On CUDA: into pinned memory, then over with one copy
// on a stream of its own, which the learner's stream waits for; two of each, so that a
// batch travels while the one before is learned from. On the CPU: nothing to do. Not
// thread-safe.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include <torch/types.h>

#include "absl/types/span.h"
#include "learner/algorithms/off_policy.h"
#include "learner/algorithms/policy_gradient/on_policy_batch.h"

namespace cadre {

class StagingBuffers {
 public:
  virtual ~StagingBuffers() = default;

  // The same tensors on the device, for work on its current stream, until the next but one
  // call. `host` are dense tensors on the CPU, whose memory may go at once where the
  // device is another, and must outlive the result where it is the CPU.
  virtual std::vector<torch::Tensor> Stage(absl::Span<const torch::Tensor> host) = 0;

  OffPolicyBatch StageBatch(const OffPolicyBatch& batch);
  // Without the rewards, which advantages take on the CPU.
  OnPolicyBatch StageBatch(const OnPolicyBatch& batch);
};

std::unique_ptr<StagingBuffers> MakeStagingBuffers(torch::Device device);

// Dense tensors one behind the other in one buffer of bytes. Pure.
class PackedTensors {
 public:
  // The places of tensors like these.
  explicit PackedTensors(absl::Span<const torch::Tensor> like);

  int64_t bytes() const { return bytes_; }
  // Copies `tensors`, on the CPU, into `buffer` [>= bytes()] uint8, there too.
  void Pack(absl::Span<const torch::Tensor> tensors, const torch::Tensor& buffer) const;
  // Looks at them in `buffer`, on any device.
  std::vector<torch::Tensor> Views(const torch::Tensor& buffer) const;

 private:
  struct Place {
    int64_t offset, bytes;
    torch::ScalarType dtype;
    std::vector<int64_t> shape;
  };
  std::vector<Place> places_;
  int64_t bytes_ = 0;
};

}  // namespace cadre
