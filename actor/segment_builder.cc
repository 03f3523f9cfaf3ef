#include "actor/segment_builder.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "common/check.h"
#include "common/experience/experience_spec.h"

namespace cadre {

SegmentBuilder::SegmentBuilder(const v1::ExperienceSpec& spec, int64_t environments, int64_t length)
    : environments_(environments), length_(length), open_(environments), ends_(environments) {
  for (int i = 0; i < spec.columns_size(); ++i) {
    if (spec.columns(i).per_observation()) CADRE_CHECK(shown_++ == i);
    row_bytes_.push_back(RowBytes(spec.columns(i)));
  }
  CADRE_CHECK(shown_ > 0);
  Allocate();
}

void SegmentBuilder::Allocate() {
  rollout_.Clear();
  capacity_ = length_;
  recorded_ = 0;
  any_skipped_ = false;
  for (int i = 0; i < static_cast<int>(row_bytes_.size()); ++i) {
    const int64_t rows = environments_ * (i < shown_ ? capacity_ + 1 : capacity_);
    rollout_.add_columns()->resize(rows * row_bytes_[i]);
  }
  for (std::vector<End>& ends : ends_) ends.clear();
  step_ = 0;
}

void SegmentBuilder::AddObservations(ShownBlocks observations) {
  CADRE_CHECK(static_cast<int>(observations.size()) == shown_);
  for (int c = 0; c < shown_; ++c) {
    const int64_t bytes = row_bytes_[c];
    const absl::Span<const std::byte> rows = observations[c];
    CADRE_CHECK(static_cast<int64_t>(rows.size()) == environments_ * bytes);
    char* column = rollout_.mutable_columns(c)->data();
    for (int64_t e = 0; e < environments_; ++e)
      std::memcpy(column + (e * (capacity_ + 1) + step_) * bytes, &rows[e * bytes], bytes);
  }
}

void SegmentBuilder::AddColumn(int index, absl::Span<const std::byte> rows) {
  CADRE_CHECK(index >= shown_ && index < static_cast<int>(row_bytes_.size()) && !full());
  const int64_t bytes = row_bytes_[index];
  CADRE_CHECK(static_cast<int64_t>(rows.size()) == environments_ * bytes);
  char* column = rollout_.mutable_columns(index)->data() + step_ * bytes;
  const int64_t stride = capacity_ * bytes;
  const std::byte* row = rows.data();
  for (int64_t e = 0; e < environments_; ++e) {
    // Constant sizes compile to one move each.
    if (bytes == 4)
      std::memcpy(column + e * stride, row + e * 4, 4);
    else if (bytes == 8)
      std::memcpy(column + e * stride, row + e * 8, 8);
    else
      std::memcpy(column + e * stride, row + e * bytes, bytes);
  }
}

void SegmentBuilder::EndStep(absl::Span<const uint8_t> terminated,
                             absl::Span<const uint8_t> truncated, ShownBlocks final_observations,
                             absl::Span<const uint8_t> skipped) {
  CADRE_CHECK(!full());
  recorded_ += environments_;
  for (int64_t e = 0; e < environments_; ++e) {
    if (!skipped.empty() && skipped[e]) {
      Skip(e);
      continue;
    }
    if (!(terminated[e] | truncated[e])) continue;
    End end{e, step_, terminated[e] ? v1::SEGMENT_END_TERMINATED : v1::SEGMENT_END_TRUNCATED, {}};
    for (int c = 0; c < shown_; ++c) {
      const int64_t bytes = row_bytes_[c];
      end.final_observation.emplace_back(
          reinterpret_cast<const char*>(&final_observations[c][e * bytes]), bytes);
    }
    ends_[e].push_back(std::move(end));
  }
  ++step_;
  if (step_ == capacity_ && !full()) Grow();
}

void SegmentBuilder::Skip(int64_t environment) {
  any_skipped_ = true;
  if (step_ > 0 || !open_[environment]) --recorded_;
  ends_[environment].push_back(
      {environment, step_, v1::SEGMENT_END_TRUNCATED, /*final_observation=*/{}, true});
}

void SegmentBuilder::Grow() {
  const int64_t missing = environments_ * length_ - recorded_;
  const int64_t larger =
      capacity_ + std::max((missing + environments_ - 1) / environments_, capacity_ / 8);
  for (size_t i = 0; i < row_bytes_.size(); ++i) {
    const int64_t extra = static_cast<int>(i) < shown_ ? 1 : 0;
    std::string& column = *rollout_.mutable_columns(static_cast<int>(i));
    const int64_t from = (capacity_ + extra) * row_bytes_[i], to = (larger + extra) * row_bytes_[i];
    column.resize(environments_ * to);
    for (int64_t e = environments_ - 1; e > 0; --e)
      std::memmove(column.data() + e * to, column.data() + e * from, from);
  }
  capacity_ = larger;
}

v1::Rollout SegmentBuilder::Finish(ShownBlocks observations) {
  CADRE_CHECK(full());
  AddObservations(observations);
  std::vector<std::vector<Piece>> pieces;
  for (int64_t e = 0; e < environments_; ++e) {
    for (const Piece& piece : pieces.emplace_back(PiecesOf(e))) {
      v1::Segment* segment = rollout_.add_segments();
      segment->set_length(static_cast<int32_t>(piece.end - piece.begin));
      segment->set_end(piece.kind);
      segment->set_environment(static_cast<int32_t>(e));
    }
    // Nothing at all is left of a row that was skipped throughout; no episode is open then.
    open_[e] = !pieces[e].empty() && pieces[e].back().kind == v1::SEGMENT_END_CUT;
  }
  if (any_skipped_)
    CopyPieces(pieces);
  else
    for (int c = 0; c < shown_; ++c) InsertFinalObservations(c);
  v1::Rollout rollout = std::move(rollout_);
  Allocate();
  return rollout;
}

std::vector<SegmentBuilder::Piece> SegmentBuilder::PiecesOf(int64_t environment) const {
  std::vector<Piece> pieces;
  int64_t begin = 0;
  for (const End& end : ends_[environment]) {
    if (!end.skipped)
      pieces.push_back({begin, end.step + 1, end.kind, &end});
    else if (begin < end.step)
      pieces.push_back({begin, end.step, end.kind});
    else if (end.step == 0 && open_[environment])
      pieces.push_back({0, 1, end.kind, &end});
    begin = end.step + 1;
  }
  if (begin < step_) pieces.push_back({begin, step_, v1::SEGMENT_END_CUT});
  return pieces;
}

void SegmentBuilder::CopyPieces(const std::vector<std::vector<Piece>>& pieces) {
  for (int c = 0; c < static_cast<int>(row_bytes_.size()); ++c) {
    const int64_t bytes = row_bytes_[c];
    const bool shown = c < shown_;
    std::string copied;
    copied.reserve(rollout_.columns(c).size());
    for (int64_t e = 0; e < environments_; ++e) {
      const char* const rows =
          rollout_.columns(c).data() + e * (shown ? capacity_ + 1 : capacity_) * bytes;
      for (const Piece& piece : pieces[e]) {
        copied.append(rows + piece.begin * bytes, (piece.end - piece.begin) * bytes);
        if (!shown) continue;
        if (piece.ended != nullptr && !piece.ended->skipped) {
          copied += piece.ended->final_observation[c];
        } else {
          const int64_t last = piece.ended != nullptr ? piece.ended->step : piece.end;
          copied.append(rows + last * bytes, bytes);
        }
      }
    }
    *rollout_.mutable_columns(c) = std::move(copied);
  }
}

void SegmentBuilder::InsertFinalObservations(int column_index) {
  const int64_t bytes = row_bytes_[column_index];
  int64_t inserted = 0;
  for (const std::vector<End>& ends : ends_)
    for (const End& end : ends) inserted += end.step + 1 < length_;
  std::string& column = *rollout_.mutable_columns(column_index);
  int64_t from = static_cast<int64_t>(column.size()) / bytes;  // Rows not yet moved.
  column.resize(column.size() + inserted * bytes);
  int64_t to = static_cast<int64_t>(column.size()) / bytes;
  char* data = column.data();
  for (int64_t e = environments_ - 1; e >= 0; --e) {
    for (auto end = ends_[e].rbegin(); end != ends_[e].rend(); ++end) {
      // The rows after the step that ended the episode move to their final place.
      const int64_t keep = e * (length_ + 1) + end->step + 1;
      const int64_t moved = from - keep;
      std::memmove(data + (to - moved) * bytes, data + keep * bytes, moved * bytes);
      to -= moved;
      // The row after the rollout's last step is a new episode's first: replaced.
      if (end->step + 1 < length_) --to;
      std::memcpy(data + to * bytes, end->final_observation[column_index].data(), bytes);
      from = keep;
    }
  }
  CADRE_CHECK(from == to);
}

}  // namespace cadre
