#include "replay_server/table_capacity.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "replay_server/row_storage.h"
#include "replay_server/table_items.h"

namespace cadre {
namespace {

// Lost to whole pages and to the alignment of columns.
constexpr int64_t kRounding = 3 * 4096;
constexpr int64_t kRoundingPerColumn = 64;

// Beside the rows of items: for rollouts that are on their way in, and segments that
// still have a few items.
constexpr int64_t kSpareRows = 16384;

}  // namespace

absl::StatusOr<int64_t> TableRows(const TableConfig& config, const v1::ExperienceSpec& spec) {
  const int64_t row_bytes = RowStorage::RowBytes(spec) + TableItems::BytesPerRow(config);
  const int64_t bytes =
      config.capacity_bytes() - kRounding - kRoundingPerColumn * spec.columns_size();
  int64_t rows = std::min(bytes / row_bytes, SegmentTable::kMaxRows);
  // Even segments of one step, of two rows each, leave room for all items.
  const int64_t period = config.has_sequences() ? config.sequences().period() : 1;
  const int64_t items = config.capacity_items();
  if (items > 0 && items < SegmentTable::kMaxRows / (2 * period))
    rows = std::min(rows, 2 * items * period + kSpareRows);
  const int64_t wanted = std::max<int64_t>(2, config.rate_limiter().min_size() + 1);
  if (rows >= wanted) return rows;
  return absl::ResourceExhaustedError(
      absl::StrCat("capacity_bytes is ", config.capacity_bytes(), ", ", std::max<int64_t>(0, rows),
                   " rows of ", row_bytes, " bytes with their bookkeeping; wanted ", wanted,
                   " rows or more, for rate_limiter.min_size"));
}

}  // namespace cadre
