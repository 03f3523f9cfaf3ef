#include "learner/algorithms/device/split_graph.h"

#include "common/status_macros.h"
#include "learner/algorithms/optimization/collective_sums.h"

namespace cadre {

absl::Status SplitGraph::Run(Collective* collective, absl::Span<const Part> parts) {
  if (collective == nullptr) {
    if (whole_ == nullptr) whole_ = MakeDeviceGraph(options_);
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
  return collective->Meet();
}

void SplitGraph::Forget() {
  if (whole_ != nullptr) whole_->Forget();
  for (const Stage& stage : stages_) stage.graph->Forget();
}

}  // namespace cadre
