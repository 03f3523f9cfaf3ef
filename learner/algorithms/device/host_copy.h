// A flat parameter vector on a device, and its copy on the host for whoever publishes or
// saves it: one transfer for each change, however often it is asked for; none where the
// vector is on the host anyway. Not thread-safe.
#pragma once

#include <utility>

#include <torch/types.h>

namespace cadre {

class HostCopy {
 public:
  // `vector` [P] float32 keeps its place.
  explicit HostCopy(torch::Tensor vector)
      : vector_(std::move(vector)),
        host_(vector_.is_cpu()
                  ? vector_
                  : torch::empty(vector_.sizes(),
                                 torch::TensorOptions(torch::kFloat32).pinned_memory(true))) {}

  // The device's vector has changed.
  void Stale() { stale_ = true; }

  // [P] on the CPU; waits for the device where stale. After writing to it call Push.
  torch::Tensor Get() {
    if (stale_ && !vector_.is_cpu()) host_.copy_(vector_);
    stale_ = false;
    return host_;
  }

  // The host's changes to the device.
  void Push() {
    if (!vector_.is_cpu()) vector_.copy_(host_);
    stale_ = false;
  }

 private:
  torch::Tensor vector_;  // [P]
  torch::Tensor host_;    // [P]
  bool stale_ = true;
};

}  // namespace cadre
