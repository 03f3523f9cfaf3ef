// How many rows a table has. Pure.
#pragma once

#include <cstdint>

#include "absl/status/statusor.h"
#include "proto/config.pb.h"
#include "proto/experience.pb.h"

namespace cadre {

// As many as capacity_bytes holds, columns and bookkeeping together; fewer where
// capacity_items needs no more. RESOURCE_EXHAUSTED where not even the items that the
// rate limiter waits for would have room.
absl::StatusOr<int64_t> TableRows(const TableConfig& config, const v1::ExperienceSpec& spec);

}  // namespace cadre
