// Work on a device in parts, between which learners in parallel average what a part made. An
// all-reduce is not recorded in a CUDA graph: the host starts it, where the learners are
// threads or there is no NCCL it takes part, and it may fail. So a learner that is alone does
// all parts as one graph; with others each part is a graph and the all-reduces stand between.
// Not thread-safe.
#pragma once

#include <memory>
#include <vector>

#include <torch/types.h>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/types/span.h"
#include "learner/algorithms/device/device_graph.h"
#include "learner/algorithms/device/device_options.h"
#include "learner/algorithms/optimization/collective.h"

namespace cadre {

class SplitGraph {
 public:
  explicit SplitGraph(const DeviceOptions& options) : options_(options) {}

  struct Part {
    absl::FunctionRef<void()> work;  // As of DeviceGraph::Run.
    // Float32 tensors that become their means over all learners after it.
    std::vector<torch::Tensor> averaged = {};
  };

  // Does the parts in order, the same ones each time; `collective` is null where this learner
  // is alone. What one part leaves for a later one is in tensors that keep their place, as
  // each part may be launched from a recording or not. Fails only where learners lose each
  // other; else all have come to its end, and the device may be waited for.
  absl::Status Run(Collective* collective, absl::Span<const Part> parts);

  // A tensor that the work uses is another now: it is recorded anew.
  void Forget();

 private:
  struct Stage {
    std::unique_ptr<DeviceGraph> graph;
    torch::Tensor buffer;  // Of AverageTensors.
  };

  const DeviceOptions options_;
  std::unique_ptr<DeviceGraph> whole_;  // Once it was alone.
  std::vector<Stage> stages_;           // Of each part, once there were others.
};

}  // namespace cadre
