#include "replay_server/storage/row_storage.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "common/check.h"
#include "common/experience/experience_spec.h"
#include "common/status_macros.h"

namespace cadre {
namespace {

constexpr int64_t kAlignment = 64;

int64_t Aligned(int64_t bytes) { return (bytes + kAlignment - 1) / kAlignment * kAlignment; }

// Reads the bytes of a column from front to back, whatever pieces they came in.
class PieceReader {
 public:
  explicit PieceReader(const PiecewiseBytes& pieces) : pieces_(pieces) {}

  void Read(int64_t size, std::byte* to) {
    while (size > 0) {
      CADRE_CHECK(piece_ < pieces_.size());
      const absl::Span<const std::byte> rest = pieces_[piece_].subspan(offset_);
      const size_t n = std::min(rest.size(), static_cast<size_t>(size));
      std::memcpy(to, rest.data(), n);
      to += n;
      size -= static_cast<int64_t>(n);
      offset_ += n;
      if (n == rest.size()) ++piece_, offset_ = 0;
    }
  }

 private:
  const PiecewiseBytes& pieces_;
  size_t piece_ = 0;
  size_t offset_ = 0;
};

void WriteSegment(const RowStorage::Column& column, const SegmentRows& segment,
                  PieceReader& reader) {
  int64_t rows = column.per_observation ? segment.length + 1 : segment.length;
  for (const RowRun& run : segment.runs) {
    const int64_t n = std::min<int64_t>(run.count, rows);
    reader.Read(n * column.row_bytes, column.data + run.first * column.row_bytes);
    rows -= n;
  }
  CADRE_CHECK(rows == 0);
}

}  // namespace

int64_t RowStorage::RowBytes(const v1::ExperienceSpec& spec) {
  int64_t bytes = 0;
  for (const v1::ColumnSpec& column : spec.columns()) bytes += cadre::RowBytes(column);
  return bytes;
}

absl::StatusOr<RowStorage> RowStorage::Create(const v1::ExperienceSpec& spec, int64_t rows,
                                              const std::string& path) {
  int64_t bytes = 0;
  for (const v1::ColumnSpec& column : spec.columns())
    bytes += Aligned(rows * cadre::RowBytes(column));
  RowStorage storage;
  CADRE_ASSIGN_OR_RETURN(storage.memory_, path.empty() ? MappedMemory::Anonymous(bytes)
                                                       : MappedMemory::OfFile(path, bytes));
  std::byte* next = storage.memory_.data();
  for (const v1::ColumnSpec& column : spec.columns()) {
    const int64_t row_bytes = cadre::RowBytes(column);
    storage.columns_.push_back({next, row_bytes, column.per_observation()});
    next += Aligned(rows * row_bytes);
  }
  return storage;
}

void RowStorage::Write(absl::Span<const PiecewiseBytes> columns,
                       absl::Span<const SegmentRows> segments) {
  CADRE_CHECK(columns.size() == columns_.size());
  for (size_t i = 0; i < columns_.size(); ++i) {
    PieceReader reader(columns[i]);
    for (const SegmentRows& segment : segments) WriteSegment(columns_[i], segment, reader);
  }
}

}  // namespace cadre
