#include "actor/segment_builder.h"

#include <cstring>
#include <utility>

#include "common/check.h"
#include "common/experience/experience_spec.h"

namespace cadre {

SegmentBuilder::SegmentBuilder(const v1::ExperienceSpec& spec, int64_t environments, int64_t length)
    : environments_(environments), length_(length), ends_(environments) {
  for (int i = 0; i < spec.columns_size(); ++i) {
    if (spec.columns(i).per_observation()) CADRE_CHECK(shown_++ == i);
    row_bytes_.push_back(RowBytes(spec.columns(i)));
  }
  CADRE_CHECK(shown_ > 0);
  Allocate();
}

void SegmentBuilder::Allocate() {
  rollout_.Clear();
  for (int i = 0; i < static_cast<int>(row_bytes_.size()); ++i) {
    const int64_t rows = environments_ * (i < shown_ ? length_ + 1 : length_);
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
      std::memcpy(column + (e * (length_ + 1) + step_) * bytes, &rows[e * bytes], bytes);
  }
}

void SegmentBuilder::AddColumn(int index, absl::Span<const std::byte> rows) {
  CADRE_CHECK(index >= shown_ && index < static_cast<int>(row_bytes_.size()) && !full());
  const int64_t bytes = row_bytes_[index];
  CADRE_CHECK(static_cast<int64_t>(rows.size()) == environments_ * bytes);
  char* column = rollout_.mutable_columns(index)->data() + step_ * bytes;
  const int64_t stride = length_ * bytes;
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
                             absl::Span<const uint8_t> truncated, ShownBlocks final_observations) {
  CADRE_CHECK(!full());
  for (int64_t e = 0; e < environments_; ++e) {
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
}

v1::Rollout SegmentBuilder::Finish(ShownBlocks observations) {
  CADRE_CHECK(full());
  AddObservations(observations);
  for (int c = 0; c < shown_; ++c) InsertFinalObservations(c);
  for (int64_t e = 0; e < environments_; ++e) {
    int64_t begin = 0;
    const auto add_segment = [&](int64_t end, v1::SegmentEnd kind) {
      v1::Segment* segment = rollout_.add_segments();
      segment->set_length(static_cast<int32_t>(end - begin));
      segment->set_end(kind);
      segment->set_environment(static_cast<int32_t>(e));
      begin = end;
    };
    for (const End& end : ends_[e]) add_segment(end.step + 1, end.kind);
    if (begin < length_) add_segment(length_, v1::SEGMENT_END_CUT);
  }
  v1::Rollout rollout = std::move(rollout_);
  Allocate();
  return rollout;
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
