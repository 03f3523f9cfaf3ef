#include "learner/algorithms/on_device/split_graph.h"

#include "common/status_macros.h"
#include "learner/algorithms/collective_sums.h"

namespace cadre {

SplitGraph::SplitGraph(const DeviceOptions& options)
    : options_(options), whole_(MakeDeviceGraph(options)) {}

absl::Status SplitGraph::Run(Collective* collective, absl::Span<const Part> parts) {
  if (collective == nullptr) {
    whole_->Run([parts] {
      for (const Part& part : parts) part.work();
    });
    return absl::OkStatus();
  }
  while (stages_.size() < parts.size()) stages_.push_back({.graph = MakeDeviceGraph(options_)});
  for (size_t i = 0; i < parts.size(); ++i) {
    stages_[i].graph->Run(parts[i].work);
    if (parts[i].averaged.empty()) continue;
    CADRE_RETURN_IF_ERROR(AverageTensors(*collective, parts[i].averaged, stages_[i].buffer));
  }
  return absl::OkStatus();
}

void SplitGraph::Forget() {
  whole_->Forget();
  for (const Stage& stage : stages_) stage.graph->Forget();
}

}  // namespace cadre
