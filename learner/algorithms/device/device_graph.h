// Work of fixed shapes on a device that is done over and over: eagerly, or recorded once
// as a CUDA graph and launched as one. Not thread-safe.
#pragma once

#include <memory>

#include "absl/functional/function_ref.h"
#include "learner/algorithms/device/device_options.h"

namespace cadre {

class DeviceGraph {
 public:
  virtual ~DeviceGraph() = default;

  // Does what `work` does: calls it, or launches what it launched when it was recorded. So
  // it must enqueue the same operations on the same tensors each time, wait for nothing,
  // copy nothing from or to the host, and take whatever changes from tensors that are
  // written to in place. What it counts on the host it counts a few times, then no more.
  virtual void Run(absl::FunctionRef<void()> work) = 0;

  // A tensor that `work` uses is another now: it is recorded anew.
  virtual void Forget() = 0;

  // Work is launched from a recording.
  virtual bool recorded() const = 0;
};

// Of CUDA graphs where the options want them and the device has them, else eager.
std::unique_ptr<DeviceGraph> MakeDeviceGraph(const DeviceOptions& options);

// Null where this build has no CUDA.
std::unique_ptr<DeviceGraph> MakeCudaGraph(const DeviceOptions& options);
// Whether this build can use CUDA devices, if there are any.
bool BuiltWithCuda();

}  // namespace cadre
