#include "learner/loop/batch_learner.h"

#include "common/config/config.h"
#include "common/config/replay_config.h"
#include "common/config/run_topology.h"

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
