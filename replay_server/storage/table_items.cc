#include "replay_server/storage/table_items.h"

#include <algorithm>
#include <limits>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "absl/memory/memory.h"
#include "common/check.h"
#include "common/status_macros.h"

namespace cadre {
namespace {

SelectorConfig SamplerOf(const TableConfig& config) {
  SelectorConfig sampler = config.sampler();
  if (sampler.kind_case() == SelectorConfig::KIND_NOT_SET) sampler.mutable_uniform();
  return sampler;
}

SelectorConfig RemoverOf(const TableConfig& config) {
  SelectorConfig remover = config.remover();
  if (remover.kind_case() == SelectorConfig::KIND_NOT_SET) remover.mutable_fifo();
  return remover;
}

bool GoesByChance(const SelectorConfig& selector) {
  return selector.has_uniform() || selector.has_prioritized();
}

bool GoesByPriority(const SelectorConfig& selector) {
  return selector.has_prioritized() || selector.has_max_heap() || selector.has_min_heap();
}

uint64_t KeyOf(uint32_t generation, int64_t row) {
  return uint64_t{generation} << 32 | static_cast<uint64_t>(row);
}

}  // namespace

absl::StatusOr<std::unique_ptr<TableItems>> TableItems::Create(const TableConfig& config,
                                                               int64_t rows, uint64_t seed) {
  CADRE_ASSIGN_OR_RETURN(SegmentTable segments, SegmentTable::Create(rows));
  return absl::WrapUnique(new TableItems(config, std::move(segments), seed));
}

TableItems::TableItems(const TableConfig& config, SegmentTable segments, uint64_t seed)
    : shape_(WindowShapeOf(config)),
      single_rows_(shape_.length == 1 && !config.has_sequences()),
      capacity_items_(config.capacity_items()),
      max_times_sampled_(config.max_times_sampled()),
      sampled_singly_(max_times_sampled_ > 0 || !GoesByChance(SamplerOf(config))),
      removed_by_priority_(GoesByPriority(RemoverOf(config))),
      bytes_(segments.capacity() * TableRowBytes(config, /*column_bytes=*/0)),
      segments_(std::move(segments)),
      sampler_(MakeSelector(SamplerOf(config), segments_.capacity())),
      remover_(MakeSelector(RemoverOf(config), SegmentTable::MostSegments(segments_.capacity()))),
      removal_random_(seed),
      draws_left_(max_times_sampled_ > 0 ? 0 : std::numeric_limits<int64_t>::max()) {}

int64_t TableItems::CountItems(uint64_t writer, absl::Span<const v1::Segment> segments) const {
  int64_t items = 0;
  if (shape_.single_steps()) {
    for (const v1::Segment& segment : segments) items += segment.length();
    return items;
  }
  absl::flat_hash_map<int32_t, OpenWindows> episodes;
  for (const v1::Segment& segment : segments) {
    const auto [it, first] = episodes.try_emplace(segment.environment());
    if (first)
      if (const uint32_t track = tracks_.Find(writer, segment.environment()); track != kNone)
        it->second = tracks_[track].windows;
    items += CompleteWindows(shape_, segment.length(), segment.end() != v1::SEGMENT_END_CUT,
                             &it->second);
  }
  return items;
}

bool TableItems::MakeRoom(int64_t rows) {
  while (segments_.free_rows() < rows && remover_->size() > 0) RemoveSegment(NextToGo());
  return segments_.takable_rows() >= rows;
}

TakenRows TableItems::TakeRows(absl::Span<const v1::Segment> segments) {
  TakenRows taken;
  taken.segments.resize(segments.size());
  for (size_t i = 0; i < segments.size(); ++i)
    taken.ids.push_back(
        segments_.Take(static_cast<uint32_t>(segments[i].length()), &taken.segments[i]));
  return taken;
}

int64_t TableItems::Commit(const TakenRows& rows, uint64_t writer,
                           absl::Span<const v1::Segment> segments,
                           absl::Span<const float> priorities, int64_t first_step) {
  if (capacity_items_ > 0)
    RemoveItemsDownTo(std::max<int64_t>(0, capacity_items_ - CountItems(writer, segments)));
  for (const float priority : priorities) largest_priority_ = std::max(largest_priority_, priority);
  int64_t step = 0;
  int64_t added = 0;
  for (size_t i = 0; i < segments.size(); ++i) {
    Segment& segment = segments_.segment(rows.ids[i]);
    segment.first_step = first_step + step;
    segment.end = segments[i].end();
    uint32_t row = segment.first_row;
    for (uint32_t k = 0; k < segment.length; ++k, ++step) {
      Row& info = segments_.row(row);
      info.step = first_step + step;
      info.priority = priorities.empty() ? largest_priority_ : priorities[step];
      info.is_terminal = info.is_last_step && segment.end == v1::SEGMENT_END_TERMINATED;
      row = info.next;
    }
    remover_->Insert(rows.ids[i], 0);
    added += AddItems(rows.ids[i], writer, segments[i].environment());
  }
  // Where room was made in an episode that goes on, its items may now begin elsewhere.
  if (capacity_items_ > 0) RemoveItemsDownTo(capacity_items_);
  return added;
}

int64_t TableItems::AddItems(uint32_t id, uint64_t writer, int32_t environment) {
  Segment& segment = segments_.segment(id);
  if (shape_.single_steps()) {
    for (uint32_t row = segment.first_row; row != segment.last_row; row = segments_.row(row).next)
      AddItem(row);
    UpdateRemover(id);
    return segment.length;
  }
  const uint32_t track_id = tracks_.FindOrAdd(writer, environment);
  EpisodeTrack& track = tracks_[track_id];
  segment.track = track_id;
  segment.first_start =
      static_cast<uint32_t>(std::min<int64_t>(track.windows.until_start, segment.length));
  if (track.last_segment != kNone) segments_.Link(track.last_segment, id);
  uint32_t start = track.oldest_start;
  if (start == kNone && segment.first_start < segment.length)
    start = segments_.Ahead(segment.first_row, segment.first_start);
  const bool ended = segment.end != v1::SEGMENT_END_CUT;
  const int64_t items = CompleteWindows(shape_, segment.length, ended, &track.windows);
  for (int64_t i = 0; i < items; ++i) {
    AddItem(start);
    if (segments_.row(start).segment != id) UpdateRemover(segments_.row(start).segment);
    start = segments_.Ahead(start, shape_.period);
  }
  UpdateRemover(id);
  track.oldest_start = track.windows.open_steps > 0 ? start : kNone;
  track.last_segment = id;
  if (ended) tracks_.Remove(track_id);
  return items;
}

void TableItems::AddItem(uint32_t id) {
  Row& row = segments_.row(id);
  row.is_item = true;
  ++segments_.segment(row.segment).items;
  sampler_->Insert(id, row.priority);
  if (max_times_sampled_ > 0) draws_left_ += max_times_sampled_;
}

void TableItems::RemoveItem(uint32_t id) {
  Row& row = segments_.row(id);
  row.is_item = false;
  --segments_.segment(row.segment).items;
  sampler_->Remove(id);
  ++removed_;
  if (max_times_sampled_ > 0) draws_left_ -= max_times_sampled_ - row.times_sampled;
}

void TableItems::RemoveItemsDownTo(int64_t items) {
  while (size() > items) {
    const uint32_t id = NextToGo();
    const Segment& segment = segments_.segment(id);
    for (uint32_t row = segment.first_row; row != segment.last_row && size() > items;
         row = segments_.row(row).next)
      if (segments_.row(row).is_item) RemoveItem(row);
    if (segment.items == 0 && (size() > items || !HasOpenStarts(segment)))
      RemoveSegment(id);
    else
      UpdateRemover(id);
  }
}

void TableItems::RemoveSegment(uint32_t id) {
  while (true) {
    const Segment& segment = segments_.segment(id);
    for (uint32_t row = segment.first_row; row != segment.last_row; row = segments_.row(row).next)
      if (segments_.row(row).is_item) RemoveItem(row);
    LeaveTrack(id);
    remover_->Remove(id);
    const uint32_t next = segment.next;
    segments_.Free(id);
    // One that only carried on the items of this one goes with it.
    if (next == kNone || segments_.segment(next).items > 0 ||
        HasOpenStarts(segments_.segment(next)))
      return;
    id = next;
  }
}

uint32_t TableItems::NextToGo() {
  Selection selection;
  remover_->Select(removal_random_, absl::MakeSpan(&selection, 1));
  return static_cast<uint32_t>(selection.slot);
}

bool TableItems::HasOpenStarts(const Segment& segment) const {
  if (segment.track == kNone) return false;
  const uint32_t oldest = tracks_[segment.track].oldest_start;
  // A later episode may have the track now, but all of its segments came later too.
  return oldest != kNone &&
         segments_.segment(segments_.row(oldest).segment).first_step <= segment.first_step;
}

void TableItems::LeaveTrack(uint32_t id) {
  const Segment& segment = segments_.segment(id);
  if (segment.track == kNone) return;
  EpisodeTrack& track = tracks_[segment.track];
  if (HasOpenStarts(segment)) {
    uint32_t next = segment.next;
    while (next != kNone && segments_.segment(next).first_start >= segments_.segment(next).length)
      next = segments_.segment(next).next;
    track.oldest_start = kNone;
    track.windows.open_steps = 0;
    if (next != kNone) {
      const Segment& later = segments_.segment(next);
      track.oldest_start = segments_.Ahead(later.first_row, later.first_start);
      track.windows.open_steps -= later.first_start;
      for (; next != kNone; next = segments_.segment(next).next)
        track.windows.open_steps += segments_.segment(next).length;
    }
  }
  if (track.last_segment == id) tracks_.Remove(segment.track);
}

void TableItems::Select(Random& random, int64_t inserted_steps, SampledItems* out) {
  const auto items = static_cast<int64_t>(out->keys.size());
  out->windows.resize(items);
  out->runs.clear();
  out->run_ends.clear();
  if (sampled_singly_) {
    for (int64_t i = 0; i < items; ++i) SelectOne(random, inserted_steps, i, out);
    return;
  }
  selections_.resize(items);
  sampler_->Select(random, absl::MakeSpan(selections_));
  for (const Selection& selection : selections_) __builtin_prefetch(&segments_.row(selection.slot));
  for (int64_t i = 0; i < items; ++i) Describe(selections_[i], inserted_steps, i, out);
}

void TableItems::SelectOne(Random& random, int64_t inserted_steps, int64_t i, SampledItems* out) {
  Selection selection;
  sampler_->Select(random, absl::MakeSpan(&selection, 1));
  Describe(selection, inserted_steps, i, out);
  if (max_times_sampled_ == 0) return;
  const auto id = static_cast<uint32_t>(selection.slot);
  Row& row = segments_.row(id);
  ++row.times_sampled;
  --draws_left_;
  if (row.times_sampled < max_times_sampled_) return;
  RemoveItem(id);
  const Segment& segment = segments_.segment(row.segment);
  if (segment.items == 0 && segment.previous == kNone && !HasOpenStarts(segment))
    RemoveSegment(row.segment);
  else
    UpdateRemover(row.segment);
}

void TableItems::Describe(const Selection& selection, int64_t inserted_steps, int64_t i,
                          SampledItems* out) const {
  const auto id = static_cast<uint32_t>(selection.slot);
  const Row& row = segments_.row(id);
  out->keys[i] = KeyOf(row.generation, id);
  out->probabilities[i] = static_cast<float>(selection.probability);
  out->ages[i] = inserted_steps - 1 - row.step;
  if (single_rows_) {
    out->windows[i] = {id, row.next, 1, row.is_terminal != 0};
    return;
  }
  out->windows[i] = segments_.Walk(id, shape_.length, &out->runs);
  out->run_ends.push_back(static_cast<uint32_t>(out->runs.size()));
}

bool TableItems::SetPriority(uint64_t key, float priority) {
  const auto id = static_cast<uint32_t>(key);
  if (id >= segments_.touched_rows()) return false;
  Row& row = segments_.row(id);
  if (!row.is_item || row.generation != key >> 32) return false;
  largest_priority_ = std::max(largest_priority_, priority);
  row.priority = priority;
  sampler_->Update(id, priority);
  UpdateRemover(row.segment);
  return true;
}

void TableItems::Prefetch(uint64_t key) const {
  if (static_cast<uint32_t>(key) < segments_.touched_rows())
    __builtin_prefetch(&segments_.row(static_cast<uint32_t>(key)));
}

void TableItems::Clear() {
  while (remover_->size() > 0) RemoveSegment(NextToGo());
  tracks_.Clear();
  largest_priority_ = 1;
  removed_ = 0;
}

void TableItems::UpdateRemover(uint32_t segment) {
  if (removed_by_priority_) remover_->Update(segment, SegmentPriority(segment));
}

double TableItems::SegmentPriority(uint32_t id) const {
  const Segment& segment = segments_.segment(id);
  double largest = 0;
  for (uint32_t row = segment.first_row; row != segment.last_row; row = segments_.row(row).next)
    if (segments_.row(row).is_item)
      largest = std::max<double>(largest, segments_.row(row).priority);
  return largest;
}

}  // namespace cadre
