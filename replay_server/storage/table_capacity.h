// How many rows a table has. Pure.
#pragma once

#include <cstdint>
#include <optional>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/config/replay_capacity.h"
#include "proto/config.pb.h"
#include "proto/experience.pb.h"

namespace cadre {

// As many as capacity_bytes holds, columns and bookkeeping together; fewer where
// capacity_items needs no more. RESOURCE_EXHAUSTED, with the smallest capacity that works,
// where the items that the rate limiter waits for, or the windows of these writers, have no
// room. `writers`: none where they are not known; then those of any writer.
absl::StatusOr<int64_t> TableRows(const TableConfig& config, const v1::ExperienceSpec& spec,
                                  const std::optional<TableWriters>& writers = std::nullopt);

// INVALID_ARGUMENT if a table of `rows` rows can never complete all windows of `writers`, or
// never holds what the rate limiter waits for. The message has the smallest capacity that works
// for `all`, which may be more writers.
absl::Status CheckTableHolds(const TableConfig& config, const v1::ExperienceSpec& spec,
                             int64_t rows, const TableWriters& writers, const TableWriters& all);

}  // namespace cadre
