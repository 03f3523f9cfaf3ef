// The columns of a table: for each of the spec's one dense block of rows. Knows only
// rows; which are in use, and by what, is their owner's to say. Different rows may be
// written and read at once.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "common/experience/rollout_view.h"
#include "proto/experience.pb.h"
#include "replay_server/storage/mapped_memory.h"

namespace cadre {

// Rows `first` to `first + count - 1`.
struct RowRun {
  uint32_t first = 0;
  uint32_t count = 0;
};

// Where one segment goes: length + 1 rows, in order.
struct SegmentRows {
  int64_t length = 0;  // Steps. The last row takes an observation alone.
  std::vector<RowRun> runs;
};

class RowStorage {
 public:
  struct Column {
    std::byte* data = nullptr;  // [rows, row_bytes], at a multiple of 64 bytes.
    int64_t row_bytes = 0;
    bool per_observation = false;

    const std::byte* row(uint32_t row) const { return data + row * row_bytes; }
  };

  // Bytes of one row of all columns.
  static int64_t RowBytes(const v1::ExperienceSpec& spec);

  // Of `rows` rows, mapped from the file `path`, or from memory where it is empty.
  // Errors as MappedMemory's.
  static absl::StatusOr<RowStorage> Create(const v1::ExperienceSpec& spec, int64_t rows,
                                           const std::string& path);

  // Copies a rollout that fits the spec to its segments' rows, as many segments as it has.
  void Write(absl::Span<const PiecewiseBytes> columns, absl::Span<const SegmentRows> segments);

  const std::vector<Column>& columns() const { return columns_; }
  int64_t bytes() const { return static_cast<int64_t>(memory_.size()); }

 private:
  MappedMemory memory_;
  std::vector<Column> columns_;
};

}  // namespace cadre
