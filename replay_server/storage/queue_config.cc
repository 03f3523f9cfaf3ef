#include "replay_server/storage/queue_config.h"

#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "common/config/config.h"
#include "common/config/run_topology.h"
#include "common/status_macros.h"

namespace cadre {
namespace {

absl::Status CheckAtLeast(absl::string_view field, int64_t value, int64_t least) {
  if (value >= least) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat("queue.", field, ": got ", value, "; wanted at least ", least));
}

}  // namespace

absl::StatusOr<QueueOptions> MakeQueueOptions(const ExperimentConfig& config, std::string run_id,
                                              int32_t learner) {
  const ExperimentConfig resolved = ResolveConfig(config);
  const QueueConfig& queue = resolved.queue();
  CADRE_RETURN_IF_ERROR(CheckAtLeast("capacity_steps", queue.capacity_steps(), 1));
  CADRE_RETURN_IF_ERROR(CheckAtLeast("capacity_bytes", queue.capacity_bytes(), 1));
  CADRE_RETURN_IF_ERROR(CheckAtLeast("max_version_lag", queue.max_version_lag(), 0));
  QueueOptions options;
  options.run_id = std::move(run_id);
  options.name = QueueName(resolved, learner);
  options.capacity_steps = StepsPerQueue(resolved);
  options.capacity_bytes = queue.capacity_bytes();
  options.max_version_lag = queue.max_version_lag();
  return options;
}

}  // namespace cadre
