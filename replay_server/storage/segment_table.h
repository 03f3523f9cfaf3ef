// Which rows are in use, and by which segment. A segment takes length + 1 rows, one
// for each step and the last for the final observation alone; where its episode was
// cut it leads on to the segment that continues it. Pure bookkeeping: knows neither
// columns nor items. Not thread-safe.
//
// Rows that are given back may still be read by a sample that chose them before: they
// are taken again only once every gather that was under way has ended. They come back
// in the order in which they were given back, so that where the oldest segments go
// first the rows are a ring.
#pragma once

#include <cstdint>
#include <deque>
#include <vector>

#include "absl/status/statusor.h"
#include "common/config/replay_capacity.h"
#include "proto/experience.pb.h"
#include "replay_server/storage/mapped_memory.h"
#include "replay_server/storage/row_storage.h"
#include "replay_server/storage/state_stream.h"

namespace cadre {

inline constexpr uint32_t kNone = ~uint32_t{0};  // No row, no segment.

struct Row {
  uint32_t generation = 0;  // Of its segment: tells apart the items that were ever here.
  uint32_t next = kNone;    // Of its segment, or of the rows that are free.
  uint32_t segment = kNone;
  uint32_t times_sampled = 0;
  int64_t step = 0;  // Its number among all that were inserted.
  float priority = 0;
  // 0 or 1; not bool, as a damaged checkpoint may have anything here.
  uint8_t is_item = 0;       // An item begins here that can be sampled.
  uint8_t is_last_step = 0;  // Of its segment; the next row has the final observation.
  uint8_t is_terminal = 0;   // And that is a terminal state.
  uint8_t unused = 0;
};

struct Segment {
  uint32_t first_row = kNone;
  uint32_t last_row = kNone;
  uint32_t length = 0;        // Steps. 0: not in use.
  uint32_t items = 0;         // Rows that are items.
  uint32_t previous = kNone;  // The one that it continues, if that is still there.
  uint32_t next = kNone;      // The one that continues it.
  uint32_t track = kNone;     // Where its episode's progress is kept; see table_items.h.
  uint32_t first_start = 0;   // Of its steps, where its first item begins; may be past its end.
  int64_t first_step = 0;     // Number of its first step among all that were inserted.
  v1::SegmentEnd end = v1::SEGMENT_END_UNSPECIFIED;
};
// What replay_capacity.h reckons with; a segment has two rows or more.
static_assert(sizeof(Row) == kTableRowBytes && sizeof(Segment) == kTableSegmentBytes);

// Steps of an episode from one of them on.
struct Window {
  uint32_t first_row = kNone;
  uint32_t last_row = kNone;  // Of the observation after the last step.
  uint32_t steps = 0;
  bool terminal = false;  // Whether that observation is of a terminal state.
};

class SegmentTable {
 public:
  static constexpr int64_t kMaxRows = (int64_t{1} << 32) - 2;
  static int64_t MostSegments(int64_t rows) { return rows / 2 + 1; }

  // 2 <= rows <= kMaxRows.
  static absl::StatusOr<SegmentTable> Create(int64_t rows);

  int64_t capacity() const { return capacity_; }
  // Rows of segments; rows that will be free once all gathers have ended; that are now.
  int64_t used_rows() const { return capacity_ - free_; }
  int64_t free_rows() const { return free_; }
  int64_t takable_rows() const { return free_ - limbo_; }
  // Rows from this one on were never taken.
  int64_t touched_rows() const { return touched_rows_; }
  int64_t touched_segments() const { return touched_segments_; }

  // A segment of `length` steps; length + 1 rows can be taken. Adds its runs to `rows`.
  uint32_t Take(uint32_t length, SegmentRows* rows);
  // Segments are numbered in the order in which they are taken, modulo 2^32; these numbers
  // are left out from here on.
  void SkipGenerations(uint32_t count) { generation_ += count; }
  // Unlinks it from those before and after it.
  void Free(uint32_t segment);
  // `next` continues `previous`.
  void Link(uint32_t previous, uint32_t next);

  // From the step in `row` on, at most `length` steps, fewer where nothing leads on.
  // Adds the rows of the steps to `runs`, if not null.
  Window Walk(uint32_t row, int64_t length, std::vector<RowRun>* runs) const;
  // The step so many steps after the one in `row`; kNone where nothing leads there.
  uint32_t Ahead(uint32_t row, int64_t steps) const;

  // Rows given back from now on stay untaken until EndGather of the same number.
  uint64_t BeginGather();
  void EndGather(uint64_t gather);

  // Everything but gathers: what they hold back is free elsewhere. Rows are saved apart
  // from the rest, as they are many: they may not change between the two.
  void SaveScalars(StateWriter& writer) const;
  void SaveRows(StateWriter& writer) const;
  // Both, of an unused table; see StateReader for errors.
  void RestoreScalars(StateReader& reader);
  void RestoreRows(StateReader& reader);

  Row& row(uint32_t row) { return rows_[row]; }
  const Row& row(uint32_t row) const { return rows_[row]; }
  Segment& segment(uint32_t segment) { return segments_[segment]; }
  const Segment& segment(uint32_t segment) const { return segments_[segment]; }
  int64_t bytes() const {
    return static_cast<int64_t>(row_memory_.size() + segment_memory_.size());
  }

 private:
  // Rows given back while the gathers up to `gather` may have been under way.
  struct Limbo {
    uint64_t gather;
    int64_t rows;
  };

  void CheckSegments(StateReader& reader) const;
  int64_t CheckSegment(uint32_t segment, StateReader& reader) const;
  void CheckFree(int64_t used_rows, int64_t used_segments, StateReader& reader) const;

  uint32_t TakeRow();
  uint32_t TakeSegment();
  void LeaveLimbo();

  int64_t capacity_ = 0;
  MappedMemory row_memory_, segment_memory_;  // Touched only as far as they are used.
  Row* rows_ = nullptr;
  Segment* segments_ = nullptr;

  uint32_t generation_ = 0;  // Of the segment taken last.
  int64_t free_ = 0;
  int64_t touched_rows_ = 0;
  uint32_t first_free_ = kNone;  // Those that are free and touched, oldest first.
  uint32_t last_free_ = kNone;
  int64_t touched_segments_ = 0;
  uint32_t free_segment_ = kNone;  // A list through Segment::next.

  int64_t limbo_ = 0;  // Of the free rows, the newest so many.
  std::deque<Limbo> limbo_parts_;
  uint64_t last_gather_ = 0;
  std::vector<uint64_t> gathers_;  // Under way, oldest first.
};

}  // namespace cadre
