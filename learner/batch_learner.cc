#include "learner/batch_learner.h"

#include "common/config.h"
#include "common/replay_config.h"
#include "common/run_topology.h"

namespace cadre {

absl::StatusOr<std::unique_ptr<BatchLearner>> MakeBatchLearner(const ExperimentConfig& config,
                                                               const EnvironmentSpec& environment,
                                                               LearnTimes* times,
                                                               const DeviceOptions& device) {
  if (PushesGradients(config)) return MakePushingLearner(config, environment, times, device);
  return UsesReplay(config) ? MakeReplayLearner(config, environment, times, device)
                            : MakeOnPolicyLearner(config, environment, times, device);
}

}  // namespace cadre
