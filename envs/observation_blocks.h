// The memory of what a batch of environments shows.
#pragma once

#include <cstddef>
#include <cstring>
#include <vector>

#include "absl/types/span.h"
#include "common/spaces.h"
#include "envs/environment.h"

namespace cadre {

// One block for each column, and the places of its rows.
class ObservationBlocks {
 public:
  ObservationBlocks() = default;
  ObservationBlocks(absl::Span<const ObservationColumn> columns, size_t count) {
    for (const ObservationColumn& column : columns)
      blocks_.push_back(bytes_.emplace_back(count * column.bytes()));
    for (size_t i = 0; i < count; ++i)
      for (size_t c = 0; c < columns.size(); ++c) {
        const size_t size = columns[c].bytes();
        rows_.push_back(absl::MakeSpan(bytes_[c]).subspan(i * size, size));
      }
  }
  // Blocks refer to their bytes, which move with them.
  ObservationBlocks(ObservationBlocks&&) = default;
  ObservationBlocks& operator=(ObservationBlocks&&) = default;

  ShownBlocks blocks() const { return blocks_; }
  // All rows of a column, to be written.
  absl::Span<std::byte> column(size_t c) { return absl::MakeSpan(bytes_[c]); }
  ObservationRow Row(size_t i) const {
    return ObservationRow(rows_.data() + i * blocks_.size(), blocks_.size());
  }

  // Row i of `from`, whose columns are the same.
  void CopyRow(size_t i, ShownBlocks from) {
    const ObservationRow to = Row(i);
    for (size_t c = 0; c < to.size(); ++c)
      std::memcpy(to[c].data(), from[c].data() + i * to[c].size(), to[c].size());
  }

 private:
  std::vector<std::vector<std::byte>> bytes_;        // By column: [N, row].
  std::vector<absl::Span<const std::byte>> blocks_;  // By column.
  std::vector<absl::Span<std::byte>> rows_;          // [N, columns]
};

}  // namespace cadre
