#include "learner/algorithms/device/device_graph.h"

namespace cadre {
namespace {

class EagerGraph final : public DeviceGraph {
 public:
  void Run(absl::FunctionRef<void()> work) override { work(); }
  void Forget() override {}
  bool recorded() const override { return false; }
};

}  // namespace

std::unique_ptr<DeviceGraph> MakeDeviceGraph(const DeviceOptions& options) {
  if (options.graphs && options.device.is_cuda()) {
    auto graph = MakeCudaGraph(options);
    if (graph != nullptr) return graph;
    if (options.on_fallback) options.on_fallback("this build has no CUDA graphs");
  }
  return std::make_unique<EagerGraph>();
}

}  // namespace cadre
