#include "learner/batch_learner.h"

#include "common/replay_config.h"

namespace cadre {

absl::StatusOr<std::unique_ptr<BatchLearner>> MakeBatchLearner(const ExperimentConfig& config,
                                                               const EnvironmentSpec& environment,
                                                               LearnTimes* times) {
  return UsesReplay(config) ? MakeReplayLearner(config, environment, times)
                            : MakeOnPolicyLearner(config, environment, times);
}

}  // namespace cadre
