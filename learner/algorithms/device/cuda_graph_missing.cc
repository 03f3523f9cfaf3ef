// In place of cuda_graph.cc where LibTorch has no CUDA.
#include "learner/algorithms/device/device_graph.h"

namespace cadre {

std::unique_ptr<DeviceGraph> MakeCudaGraph(const DeviceOptions& /*options*/) { return nullptr; }

bool BuiltWithCuda() { return false; }

}  // namespace cadre
