// Saving and restoring what a table holds: the bookkeeping as it stands in memory, so
// that a table that goes on and one that was restored choose the same rows. What is
// read is checked before it is used: it must never lead out of bounds.
#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "replay_server/storage/segment_table.h"
#include "replay_server/storage/table_items.h"

namespace cadre {
namespace {

void PutSlots(const Selector& selector, StateWriter& writer) {
  writer.Put<int64_t>(selector.size());
  selector.ForEach([&writer](int64_t slot) { writer.Put(static_cast<uint32_t>(slot)); });
}

// As many as PutSlots has put, below `end`, each once.
std::vector<uint32_t> GetSlots(int64_t end, StateReader& reader) {
  std::vector<uint32_t> slots = reader.GetVector<uint32_t>(end);
  std::vector<bool> seen(end);
  for (const uint32_t slot : slots) {
    if (!reader.Check(slot < end && !seen[slot])) return {};
    seen[slot] = true;
  }
  return slots;
}

}  // namespace

void SegmentTable::SaveScalars(StateWriter& writer) const {
  writer.Put(capacity_);
  writer.Put(free_);
  writer.Put(touched_rows_);
  writer.Put(first_free_);
  writer.Put(last_free_);
  writer.Put(touched_segments_);
  writer.Put(free_segment_);
  writer.Put(generation_);
}

void SegmentTable::SaveRows(StateWriter& writer) const {
  writer.PutArray(rows_, touched_rows_);
  writer.PutArray(segments_, touched_segments_);
}

void SegmentTable::RestoreScalars(StateReader& reader) {
  const auto capacity = reader.Get<int64_t>();
  if (reader.status().ok() && capacity != capacity_)
    reader.Fail(absl::FailedPreconditionError(absl::StrCat(
        "the saved table has ", capacity, " rows; wanted ", capacity_, ", as this one has")));
  free_ = reader.GetCount(capacity_);
  touched_rows_ = reader.GetCount(capacity_);
  first_free_ = reader.Get<uint32_t>();
  last_free_ = reader.Get<uint32_t>();
  touched_segments_ = reader.GetCount(MostSegments(capacity_));
  free_segment_ = reader.Get<uint32_t>();
  generation_ = reader.Get<uint32_t>();
}

void SegmentTable::RestoreRows(StateReader& reader) {
  reader.GetArray(rows_, touched_rows_);
  reader.GetArray(segments_, touched_segments_);
  CheckSegments(reader);
}

void SegmentTable::CheckSegments(StateReader& reader) const {
  int64_t rows = 0, segments = 0;
  for (uint32_t id = 0; id < touched_segments_ && reader.status().ok(); ++id) {
    if (segments_[id].length == 0) continue;
    rows += CheckSegment(id, reader);
    ++segments;
  }
  CheckFree(rows, segments, reader);
}

int64_t SegmentTable::CheckSegment(uint32_t id, StateReader& reader) const {
  const Segment& segment = segments_[id];
  const auto links_back = [this](uint32_t other, uint32_t Segment::*back, uint32_t id) {
    return other == kNone || (other < touched_segments_ && segments_[other].length > 0 &&
                              segments_[other].*back == id);
  };
  reader.Check(segment.end >= v1::SEGMENT_END_CUT && segment.end <= v1::SEGMENT_END_TRUNCATED);
  reader.Check(links_back(segment.next, &Segment::previous, id) &&
               links_back(segment.previous, &Segment::next, id));
  uint32_t row = segment.first_row;
  uint32_t items = 0;
  for (uint32_t i = 0; i <= segment.length; ++i) {
    if (!reader.Check(row < touched_rows_ && rows_[row].segment == id)) return 0;
    const Row& info = rows_[row];
    const bool last = i == segment.length;
    reader.Check(last == (row == segment.last_row) && !(last && info.is_item));
    reader.Check(info.is_item <= 1 && info.is_terminal <= info.is_last_step);
    reader.Check(info.is_last_step == (i + 1 == segment.length));
    if (!reader.Check(std::isfinite(info.priority) && info.priority >= 0)) return 0;
    items += info.is_item;
    row = info.next;
  }
  reader.Check(items == segment.items);
  return int64_t{segment.length} + 1;
}

void SegmentTable::CheckFree(int64_t used_rows, int64_t used_segments, StateReader& reader) const {
  reader.Check(used_rows + free_ == capacity_);
  const int64_t free_touched = touched_rows_ - used_rows;
  uint32_t row = first_free_, last = kNone;
  for (int64_t i = 0; i < free_touched; ++i, last = std::exchange(row, rows_[row].next))
    if (!reader.Check(row < touched_rows_)) return;
  reader.Check(last == last_free_ && (free_touched > 0 || first_free_ == kNone));
  uint32_t segment = free_segment_;
  for (int64_t i = used_segments; i < touched_segments_; ++i, segment = segments_[segment].next)
    if (!reader.Check(segment < touched_segments_ && segments_[segment].length == 0)) return;
  reader.Check(segment == kNone);
}

void TableItems::SaveScalars(StateWriter& writer) const {
  segments_.SaveScalars(writer);
  writer.Put(largest_priority_);
  writer.Put(draws_left_);
  writer.Put(removed_);
  writer.Put(removal_random_.state());
  tracks_.Save(writer);
}

void TableItems::SaveRows(StateWriter& writer) const {
  segments_.SaveRows(writer);
  PutSlots(*sampler_, writer);
  PutSlots(*remover_, writer);
}

void TableItems::CheckTracks(StateReader& reader) const {
  if (!reader.status().ok()) return;
  const auto in_use = [this](uint32_t segment) {
    return segment < segments_.touched_segments() && segments_.segment(segment).length > 0;
  };
  for (uint32_t i = 0; i < tracks_.slots(); ++i) {
    const EpisodeTrack& track = tracks_[i];
    if (track.last_segment == kNone) {
      reader.Check(track.oldest_start == kNone);
      continue;
    }
    reader.Check(in_use(track.last_segment));
    if (track.oldest_start != kNone)
      reader.Check(track.oldest_start < segments_.touched_rows() &&
                   in_use(segments_.row(track.oldest_start).segment));
  }
  for (uint32_t id = 0; id < segments_.touched_segments(); ++id) {
    const Segment& segment = segments_.segment(id);
    if (segment.length == 0) continue;
    reader.Check(segment.track == kNone || segment.track < tracks_.slots());
    reader.Check(segment.first_start <= segment.length);
  }
}

void TableItems::Restore(StateReader& reader) {
  segments_.RestoreScalars(reader);
  largest_priority_ = reader.Get<float>();
  draws_left_ = reader.GetCount(std::numeric_limits<int64_t>::max());
  removed_ = reader.GetCount(std::numeric_limits<int64_t>::max());
  removal_random_.set_state(reader.Get<Random::State>());
  tracks_.Restore(reader, SegmentTable::MostSegments(segments_.capacity()));
  segments_.RestoreRows(reader);
  CheckTracks(reader);
  const std::vector<uint32_t> items = GetSlots(segments_.touched_rows(), reader);
  const std::vector<uint32_t> segments = GetSlots(segments_.touched_segments(), reader);
  if (!reader.status().ok()) return;
  int64_t items_of_segments = 0;
  for (const uint32_t id : segments) {
    if (!reader.Check(segments_.segment(id).length > 0)) return;
    items_of_segments += segments_.segment(id).items;
    remover_->Insert(id, removed_by_priority_ ? SegmentPriority(id) : 0);
  }
  for (const uint32_t id : items) {
    if (!reader.Check(segments_.row(id).is_item)) return;
    sampler_->Insert(id, segments_.row(id).priority);
  }
  reader.Check(items_of_segments == size());
}

}  // namespace cadre
