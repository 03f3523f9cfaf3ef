#include "replay_server/storage/segment_table.h"

#include <algorithm>
#include <new>
#include <utility>

#include "common/check.h"
#include "common/status_macros.h"

namespace cadre {
namespace {

void AppendRow(std::vector<RowRun>* runs, size_t first_run, uint32_t row) {
  if (runs->size() > first_run && runs->back().first + runs->back().count == row)
    ++runs->back().count;
  else
    runs->push_back({row, 1});
}

}  // namespace

absl::StatusOr<SegmentTable> SegmentTable::Create(int64_t rows) {
  CADRE_CHECK(rows >= 2 && rows <= kMaxRows);
  SegmentTable table;
  CADRE_ASSIGN_OR_RETURN(table.row_memory_, MappedMemory::Anonymous(rows * sizeof(Row)));
  CADRE_ASSIGN_OR_RETURN(table.segment_memory_,
                         MappedMemory::Anonymous(MostSegments(rows) * sizeof(Segment)));
  table.rows_ = reinterpret_cast<Row*>(table.row_memory_.data());
  table.segments_ = reinterpret_cast<Segment*>(table.segment_memory_.data());
  table.capacity_ = table.free_ = rows;
  return table;
}

uint32_t SegmentTable::Take(uint32_t length, SegmentRows* rows) {
  CADRE_CHECK(takable_rows() > length);
  const uint32_t id = TakeSegment();
  Segment& segment = *new (&segments_[id]) Segment;
  segment.length = length;
  rows->length = length;
  uint32_t previous = kNone;
  ++generation_;
  for (uint32_t i = 0; i <= length; ++i) {
    const uint32_t row = TakeRow();
    rows_[row] = Row{.generation = generation_, .segment = id};
    AppendRow(&rows->runs, 0, row);
    if (previous == kNone)
      segment.first_row = row;
    else
      rows_[previous].next = row;
    if (i == length) rows_[previous].is_last_step = true;
    previous = row;
  }
  segment.last_row = previous;
  return id;
}

void SegmentTable::Free(uint32_t id) {
  Segment& segment = segments_[id];
  CADRE_CHECK(segment.length > 0);
  if (segment.previous != kNone) segments_[segment.previous].next = kNone;
  if (segment.next != kNone) segments_[segment.next].previous = kNone;
  if (last_free_ == kNone)
    first_free_ = segment.first_row;
  else
    rows_[last_free_].next = segment.first_row;
  last_free_ = segment.last_row;
  const int64_t rows = int64_t{segment.length} + 1;
  free_ += rows;
  if (!gathers_.empty()) {
    limbo_ += rows;
    if (limbo_parts_.empty() || limbo_parts_.back().gather != last_gather_)
      limbo_parts_.push_back({last_gather_, 0});
    limbo_parts_.back().rows += rows;
  }
  segment = Segment{.next = free_segment_};
  free_segment_ = id;
}

void SegmentTable::Link(uint32_t previous, uint32_t next) {
  CADRE_CHECK(segments_[previous].next == kNone && segments_[next].previous == kNone);
  segments_[previous].next = next;
  segments_[next].previous = previous;
}

Window SegmentTable::Walk(uint32_t row, int64_t length, std::vector<RowRun>* runs) const {
  const size_t first_run = runs == nullptr ? 0 : runs->size();
  const uint32_t first_row = row;
  for (uint32_t steps = 1;; ++steps) {
    if (runs != nullptr) AppendRow(runs, first_run, row);
    const Row& step = rows_[row];
    if (step.is_last_step) {
      const uint32_t next = segments_[step.segment].next;
      if (steps == length || next == kNone)
        return {first_row, step.next, steps, step.is_terminal != 0};
      row = segments_[next].first_row;
    } else {
      if (steps == length) return {first_row, step.next, steps, false};
      row = step.next;
    }
  }
}

uint32_t SegmentTable::Ahead(uint32_t row, int64_t steps) const {
  for (; steps > 0; --steps) {
    const Row& step = rows_[row];
    if (!step.is_last_step) {
      row = step.next;
      continue;
    }
    const uint32_t next = segments_[step.segment].next;
    if (next == kNone) return kNone;
    row = segments_[next].first_row;
  }
  return row;
}

uint64_t SegmentTable::BeginGather() {
  gathers_.push_back(++last_gather_);
  return last_gather_;
}

void SegmentTable::EndGather(uint64_t gather) {
  const auto it = std::find(gathers_.begin(), gathers_.end(), gather);
  CADRE_CHECK(it != gathers_.end());
  gathers_.erase(it);
  LeaveLimbo();
}

uint32_t SegmentTable::TakeRow() {
  --free_;
  // Those that were used before come first: their memory is there already.
  if (free_ + 1 - limbo_ > capacity_ - touched_rows_) {
    const uint32_t row = first_free_;
    first_free_ = rows_[row].next;
    if (row == last_free_) first_free_ = last_free_ = kNone;
    return row;
  }
  new (&rows_[touched_rows_]) Row;
  return static_cast<uint32_t>(touched_rows_++);
}

uint32_t SegmentTable::TakeSegment() {
  if (free_segment_ == kNone) return static_cast<uint32_t>(touched_segments_++);
  return std::exchange(free_segment_, segments_[free_segment_].next);
}

void SegmentTable::LeaveLimbo() {
  while (!limbo_parts_.empty() &&
         (gathers_.empty() || gathers_.front() > limbo_parts_.front().gather)) {
    limbo_ -= limbo_parts_.front().rows;
    limbo_parts_.pop_front();
  }
}

}  // namespace cadre
