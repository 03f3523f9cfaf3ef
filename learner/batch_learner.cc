#include "learner/batch_learner.h"

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "common/config.h"
#include "common/replay_config.h"
#include "common/run_topology.h"

namespace cadre {

absl::StatusOr<std::unique_ptr<BatchLearner>> MakeBatchLearner(const ExperimentConfig& config,
                                                               const EnvironmentSpec& environment,
                                                               LearnTimes* times,
                                                               const DeviceOptions& device) {
  if (PushesGradients(config) && !device.on_cpu_kernels())
    return absl::UnimplementedError(
        absl::StrCat(AlgorithmName(config),
                     " computes the gradients that it pushes on the CPU; train it with "
                     "--device=cpu"));
  if (PushesGradients(config)) return MakePushingLearner(config, environment, times);
  return UsesReplay(config) ? MakeReplayLearner(config, environment, times, device)
                            : MakeOnPolicyLearner(config, environment, times, device);
}

}  // namespace cadre
