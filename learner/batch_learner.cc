#include "learner/batch_learner.h"

#include "common/replay_config.h"

namespace cadre {

absl::StatusOr<std::unique_ptr<BatchLearner>> MakeBatchLearner(const ExperimentConfig& config,
                                                               const EnvironmentSpec& environment,
                                                               LearnTimes* times) {
  if (UsesReplay(config)) return absl::UnimplementedError("replay");
  return MakeOnPolicyLearner(config, environment, times);
}

}  // namespace cadre
