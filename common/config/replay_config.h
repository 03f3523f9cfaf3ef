// What an experiment's replay settings mean for its table. Pure.
#pragma once

#include <cstdint>

#include "common/config/replay_capacity.h"
#include "common/experience/replay_batch.h"
#include "proto/config.pb.h"

namespace cadre {

// Whether the config's algorithm learns from a replay table (true) or from the
// on-policy queue (false).
bool UsesReplay(const ExperimentConfig& config);

// The discount factor of the config's algorithm.
double DiscountFactor(const ExperimentConfig& config);

// Whether the items of the table are sequences: those of a network with a memory.
bool LearnsSequences(const ExperimentConfig& config);

// The column of experience that holds the state before each step, of networks with a memory.
inline constexpr char kStateColumn[] = "state";

// The items of the table.
WindowShape ReplayWindow(const ExperimentConfig& config);

// Items that one actor's rollout completes at most: one for each step, and where episodes
// end those of the n - 1 steps before, which waited for theirs.
int64_t MostItemsPerRollout(const ExperimentConfig& config);

// Environment steps for each gradient step, rounded up.
int64_t StepsPerGradientStep(const ExperimentConfig& config);

// The table of a resolved config, named kReplayTable. Of `shards` servers that share
// it each holds 1/shards of the steps and waits for 1/shards of the warm-up; less what may
// be missing when so many steps are in: items whose n steps are not complete, and, of a
// full table, the segment that made room.
inline constexpr char kReplayTable[] = "replay";
TableConfig ReplayTable(const ExperimentConfig& config, int shards = 1);

// INVALID_ARGUMENT unless ranges hold, names of tables differ and no rule between fields is
// broken; everything that is wrong at once, as `tables[0].rate_limiter...: got; wanted`.
absl::Status ValidateReplayServerConfig(const ReplayServerConfig& config);

}  // namespace cadre
