// What a replay table needs: for the windows that its items are, the environments that fill
// it, a warm-up and a batch. Config validation and the table both ask here, so that what one
// accepts works in the other. Pure arithmetic.
#pragma once

#include <cstdint>
#include <string>

#include "proto/config.pb.h"

namespace cadre {

// An item begins every `period` steps of an episode, at its first, and is `length`
// steps long, less where the episode ends.
struct WindowShape {
  int64_t length = 1;
  int64_t period = 1;

  // Whether every step is an item by itself.
  bool single_steps() const { return length == 1 && period == 1; }
};

WindowShape WindowShapeOf(const TableConfig& config);

// Who fills one table: so many writers, each with so many environments, of which a rollout
// has so many steps each.
struct TableWriters {
  int64_t count = 1;
  int64_t environments = 1;  // Per writer.
  int64_t segment_length = 1;

  int64_t all_environments() const { return count * environments; }
  int64_t steps_per_rollout() const { return environments * segment_length; }
};

// The actors of a config that write to the same one of `shards` servers.
TableWriters TableWritersOf(const ExperimentConfig& config, int shards = 1);

// Items that one rollout completes at most: one for each step, and where an episode ends at
// the rollout's first step also those that began earlier and waited for theirs.
int64_t MostItemsPerRollout(const WindowShape& shape, const TableWriters& writers);

// A table that keeps its newest so many steps completes every window, whichever episodes
// end meanwhile, where the writers keep the same pace: the rollouts over which a window may
// extend, of all environments. Several writers need one rollout more, as their order changes.
int64_t StepsForWindows(const WindowShape& shape, const TableWriters& writers);

// Rows (a segment of T steps has T + 1) in which windows of these writers are completed and
// rate_limiter.min_size items are held, even if every episode ends after one step.
int64_t LeastRows(const TableConfig& config, const TableWriters& writers);
// Fewer are too few whoever writes: one environment, in a single segment.
int64_t LeastRowsOfAny(const TableConfig& config);
// With fewer, some windows of these writers are never completed, or rate_limiter.min_size items
// are never held, even if no episode ends.
int64_t LeastRowsOfLongEpisodes(const TableConfig& config, const TableWriters& writers);

// Rows that capacity_items are worth: more would never be used. 0: no bound.
int64_t RowsForItems(const TableConfig& config);

// Bytes of one row with its bookkeeping; `column_bytes` of them are the columns'.
int64_t TableRowBytes(const TableConfig& config, int64_t column_bytes);
// Rows that capacity_bytes hold, and the bytes in which so many rows have room.
int64_t RowsInBytes(const TableConfig& config, int64_t columns, int64_t column_bytes);
int64_t BytesForRows(const TableConfig& config, int64_t columns, int64_t column_bytes,
                     int64_t rows);

// Bookkeeping of one row: what replay_server/ keeps of it and of its segment, and of selectors.
inline constexpr int64_t kTableRowBytes = 32;
inline constexpr int64_t kTableSegmentBytes = 48;

// An experiment's replay: the line of config validation that says what is too small and what
// would do, or none. `column_bytes`: of one row of an actor's experience in `columns` columns;
// 0 where it is not known, then bytes are not looked at.
std::string CapacityStepsError(const ExperimentConfig& config, int shards = 1);
std::string CapacityBytesError(const ExperimentConfig& config, int64_t columns,
                               int64_t column_bytes, int shards = 1);

}  // namespace cadre
