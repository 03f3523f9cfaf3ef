#include "common/config/run_topology.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "common/config/algorithm_traits.h"
#include "common/config/config.h"
#include "common/config/replay_config.h"

namespace cadre {

int32_t LearnerCount(const ExperimentConfig& config) {
  return std::max(1, config.learners().count());
}

bool PushesGradients(const ExperimentConfig& config) { return TraitsOf(config).pushes_gradients(); }

bool DataParallel(const ExperimentConfig& config) {
  return LearnerCount(config) > 1 && !PushesGradients(config);
}

int32_t LearnerOf(const ExperimentConfig& config, int32_t actor) {
  return actor % LearnerCount(config);
}

std::string QueueName(const ExperimentConfig& config, int32_t learner) {
  return LearnerCount(config) == 1 ? kOnPolicyQueue : absl::StrCat(kOnPolicyQueue, "/", learner);
}

std::string ModelName(const ExperimentConfig& config) { return config.name(); }

std::string ActingModelName(const ExperimentConfig& config, int32_t learner) {
  return PushesGradients(config) ? absl::StrCat(config.name(), "/", learner) : config.name();
}

int64_t StepsPerQueue(const ExperimentConfig& config) {
  const int64_t learners = LearnerCount(config);
  return (config.queue().capacity_steps() + learners - 1) / learners;
}

std::optional<int64_t> VersionLagBound(const ExperimentConfig& config) {
  if (UsesReplay(config) || TraitsOf(config).whole_episodes()) return std::nullopt;
  if (!PushesGradients(config)) return config.queue().max_version_lag();
  if (!config.learners().has_max_gradient_lag()) return std::nullopt;
  return config.queue().max_version_lag() + config.learners().max_gradient_lag();
}

int32_t ActorsPerLearner(const ExperimentConfig& config) {
  return config.actors().count() / LearnerCount(config);
}

int64_t StepsPerLearnerUpdate(const ExperimentConfig& config) {
  return StepsPerUpdate(config) / LearnerCount(config);
}

}  // namespace cadre
