#include "replay_server/storage/table_capacity.h"

#include <algorithm>
#include <string>

#include "absl/strings/str_cat.h"
#include "replay_server/storage/row_storage.h"
#include "replay_server/storage/segment_table.h"

namespace cadre {
namespace {

// Which of the capacities gives the table its rows, and what it would have to be.
std::string Smallest(const TableConfig& config, const v1::ExperienceSpec& spec, int64_t wanted) {
  const int64_t column_bytes = RowStorage::RowBytes(spec);
  const int64_t bytes = BytesForRows(config, spec.columns_size(), column_bytes, wanted);
  std::string text;
  if (config.capacity_bytes() < bytes)
    absl::StrAppend(&text, ", capacity_bytes is ", config.capacity_bytes(), " and would be ",
                    bytes);
  if (const int64_t most = RowsForItems(config); most > 0 && most < wanted) {
    // Rows grow by two for each step of an item.
    const int64_t step_rows = 2 * WindowShapeOf(config).period;
    absl::StrAppend(&text, ", capacity_items is ", config.capacity_items(), " and would be ",
                    config.capacity_items() + (wanted - most + step_rows - 1) / step_rows);
  }
  return text;
}

std::string Reason(const TableConfig& config) {
  const WindowShape shape = WindowShapeOf(config);
  return absl::StrCat("for windows of ", shape.length, shape.length == 1 ? " step" : " steps",
                      " and rate_limiter.min_size, ", config.rate_limiter().min_size());
}

}  // namespace

absl::StatusOr<int64_t> TableRows(const TableConfig& config, const v1::ExperienceSpec& spec,
                                  const std::optional<TableWriters>& writers) {
  const int64_t column_bytes = RowStorage::RowBytes(spec);
  int64_t rows =
      std::min(RowsInBytes(config, spec.columns_size(), column_bytes), SegmentTable::kMaxRows);
  if (const int64_t most = RowsForItems(config); most > 0) rows = std::min(rows, most);
  const int64_t wanted = std::max<int64_t>(
      2, writers.has_value() ? LeastRows(config, *writers) : LeastRowsOfAny(config));
  if (rows >= wanted) return rows;
  return absl::ResourceExhaustedError(
      absl::StrCat("there is room for ", rows, " rows of ", TableRowBytes(config, column_bytes),
                   " bytes with their bookkeeping; wanted ", wanted, " or more, ", Reason(config),
                   Smallest(config, spec, wanted)));
}

absl::Status CheckTableHolds(const TableConfig& config, const v1::ExperienceSpec& spec,
                             int64_t rows, const TableWriters& writers, const TableWriters& all) {
  if (rows >= LeastRowsOfLongEpisodes(config, writers)) return absl::OkStatus();
  // What is said to be enough is enough whatever the episodes are like.
  const int64_t enough = LeastRows(config, all);
  return absl::InvalidArgumentError(
      absl::StrCat("there is room for ", rows, " observations; wanted ", enough, " or more, ",
                   Reason(config), ", of ", all.all_environments(), " environments",
                   all.count > 1 ? absl::StrCat(" of ", all.count, " writers") : "",
                   " in segments of ", all.segment_length, Smallest(config, spec, enough)));
}

}  // namespace cadre
