// Queues' options from an experiment's config.
#pragma once

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "proto/config.pb.h"
#include "replay_server/storage/queue.h"

namespace cadre {

// The queue of learner `learner`. `config` need not be resolved. `run_id`: as in
// QueueOptions. INVALID_ARGUMENT for sizes that no queue can have. Pure.
absl::StatusOr<QueueOptions> MakeQueueOptions(const ExperimentConfig& config, std::string run_id,
                                              int32_t learner = 0);

}  // namespace cadre
