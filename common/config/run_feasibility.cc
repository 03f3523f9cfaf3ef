#include "common/config/run_feasibility.h"

#include <algorithm>
#include <cmath>
#include <string>

#include "absl/strings/str_cat.h"
#include "common/config/config.h"
#include "common/config/replay_config.h"
#include "common/config/run_topology.h"
#include "common/experience/replay_batch.h"

namespace cadre {
namespace {

// The other columns of an on-policy step: reward, log_prob, version.
constexpr int64_t kOnPolicyBytes = 4 + 4 + 8;
// Of an item: reward, discount, version; of observations it has two.
constexpr int64_t kItemBytes = 4 + 4 + 8;

int64_t DividedUp(int64_t a, int64_t b) { return a / b + (a % b != 0); }

void CheckStop(const ExperimentConfig& config, ErrorList* errors) {
  const int64_t steps = config.stop().env_steps();
  const int64_t first = StepsBeforeFirstUpdate(config);
  if (!config.stop().has_env_steps() || steps < 1 || steps >= first) return;
  errors->Add(absl::StrCat("stop.env_steps: got ", steps, "; wanted at least ", first,
                           ", the steps before the first update, with replay.warmup_steps ",
                           config.replay().warmup_steps(), " and updates_per_step ",
                           config.replay().updates_per_step()));
}

// One rollout is always admitted; an update of several waits until all are.
void CheckQueueBytes(const ExperimentConfig& config, const StepBytes& bytes, ErrorList* errors) {
  const int32_t actors = ActorsPerLearner(config);
  if (UsesReplay(config) || bytes.observation == 0 || actors < 2) return;
  const int64_t environments = config.actors().environments_per_actor();
  const int64_t steps = environments * config.actors().segment_length();
  const int64_t rollout = steps * (bytes.observation + bytes.action + kOnPolicyBytes) +
                          environments * bytes.observation;
  if (config.queue().capacity_bytes() / actors < rollout)
    errors->Add(absl::StrCat("queue.capacity_bytes: got ", config.queue().capacity_bytes(),
                             "; wanted more than the ", actors * rollout, " bytes of an update, ",
                             actors, " rollouts of ", rollout, " bytes"));
}

void CheckBatchBytes(const ExperimentConfig& config, const StepBytes& bytes, ErrorList* errors) {
  if (!UsesReplay(config) || bytes.observation == 0) return;
  const int64_t most = kLargestBatchBytes / (2 * bytes.observation + bytes.action + kItemBytes);
  const int64_t share = config.replay().batch_size() / LearnerCount(config);
  if (share > most)
    errors->Add(absl::StrCat("replay.batch_size: got ", config.replay().batch_size(),
                             "; wanted at most ", most * LearnerCount(config),
                             ", as a learner's share of a batch is one message"));
}

}  // namespace

int64_t StepsBeforeFirstUpdate(const ExperimentConfig& config) {
  // On-policy a round that has begun is completed, and learned from.
  if (!UsesReplay(config)) return 1;
  const int64_t round = StepsPerUpdate(config);
  const ReplayConfig& replay = config.replay();
  const int64_t warm =
      std::min(replay.warmup_steps(), replay.capacity_steps() - config.actors().segment_length());
  if (config.actors().mode() != ActorsConfig::LOCKSTEP) return warm;
  // Updates are due for each round from the one that ends the warm-up. A run that is not over
  // when a round begins has all of it.
  const double due = replay.updates_per_step() * static_cast<double>(round);
  const double rounds = static_cast<double>(DividedUp(std::max<int64_t>(1, warm), round)) +
                        std::ceil(std::min(1 / due, 1e15)) - 1;
  constexpr double kMost = 9e18;  // Of an int64.
  return static_cast<int64_t>(std::min((rounds - 1) * static_cast<double>(round) + 1, kMost));
}

void CheckFeasible(const ExperimentConfig& config, const StepBytes& bytes, ErrorList* errors) {
  if (AlgorithmName(config).empty() || StepsPerUpdate(config) < 1 ||
      !(config.replay().updates_per_step() > 0))
    return;  // Said already.
  CheckStop(config, errors);
  CheckQueueBytes(config, bytes, errors);
  CheckBatchBytes(config, bytes, errors);
}

}  // namespace cadre
