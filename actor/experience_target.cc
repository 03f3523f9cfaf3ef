#include "actor/experience_target.h"

#include <algorithm>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "actor/step_recorder.h"
#include "common/config/agreed_settings.h"
#include "common/config/replay_config.h"
#include "common/config/run_topology.h"

namespace cadre {
namespace {

// A table settles a rollout as soon as it has it: one on its way there, one on the way
// back, one being written, and one to spare.
constexpr int64_t kUnsettledByTable = 4;

// An actor's share of what the queue may hold, so that it never runs further ahead
// of the learner than the queue would let it.
int64_t UnsettledByQueue(const ExperimentConfig& config) {
  const int64_t rollout =
      int64_t{config.actors().environments_per_actor()} * config.actors().segment_length();
  const int64_t share = config.queue().capacity_steps() / config.actors().count() / rollout;
  return std::clamp<int64_t>(share, 1, 1024);
}

}  // namespace

absl::StatusOr<ExperienceTarget> FindExperienceTarget(const ExperimentConfig& config,
                                                      const ObservationSpace& observation,
                                                      const ActionSpace& action,
                                                      absl::string_view addresses, int32_t index) {
  const std::vector<std::string> shards = absl::StrSplit(addresses, ',');
  const bool replay = UsesReplay(config);
  if (shards.size() > 1 && !replay)
    return absl::InvalidArgumentError(
        absl::StrCat("replay server: got ", shards.size(), " addresses, '", addresses,
                     "'; wanted one, as an on-policy queue is not shared"));
  if (shards.size() > 1 && config.actors().mode() == ActorsConfig::LOCKSTEP)
    return absl::InvalidArgumentError(absl::StrCat("replay server: got ", shards.size(),
                                                   " addresses, '", addresses,
                                                   "'; wanted one where actors.mode is LOCKSTEP"));
  if (std::find(shards.begin(), shards.end(), "") != shards.end())
    return absl::InvalidArgumentError(
        absl::StrCat("replay server: got addresses '", addresses, "'; wanted host:port of each"));
  ExperienceTarget target;
  const bool any_queue =
      DataParallel(config) && config.actors().mode() == ActorsConfig::ASYNCHRONOUS;
  if (replay) {
    for (const std::string& shard : shards) target.places.push_back({shard, kReplayTable});
  } else if (any_queue) {
    for (int32_t learner = 0; learner < LearnerCount(config); ++learner)
      target.places.push_back({shards[0], QueueName(config, learner)});
  } else {
    target.places.push_back({shards[0], QueueName(config, LearnerOf(config, index))});
  }
  target.first = static_cast<size_t>(index) % target.places.size();
  target.spec =
      WithAgreedSettings(RecordedSpec(config, observation, action), AgreedSettings(config));
  target.max_unsettled_rollouts = replay ? kUnsettledByTable : UnsettledByQueue(config);
  return target;
}

}  // namespace cadre
