#include "learner/batch_learner.h"

#include "absl/status/status.h"
#include "common/replay_config.h"
#include "common/run_topology.h"

namespace cadre {

absl::StatusOr<std::unique_ptr<BatchLearner>> MakeBatchLearner(const ExperimentConfig& config,
                                                               const EnvironmentSpec& environment,
                                                               LearnTimes* times,
                                                               const DeviceOptions& device) {
  if (!device.on_cpu_kernels() && (PushesGradients(config) || DataParallel(config)))
    return absl::UnimplementedError(
        "several learners compute on the CPU only as yet; train this one with --device=cpu");
  if (PushesGradients(config)) return MakePushingLearner(config, environment, times);
  return UsesReplay(config) ? MakeReplayLearner(config, environment, times, device)
                            : MakeOnPolicyLearner(config, environment, times, device);
}

}  // namespace cadre
