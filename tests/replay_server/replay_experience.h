// Experience for tests of replay tables: episodes whose every value tells which step of
// which one it is.
#pragma once

#include <cstdint>
#include <cstring>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/string_view.h"
#include "absl/synchronization/notification.h"
#include "common/experience/rollout_view.h"
#include "proto/config.pb.h"
#include "proto/experience.pb.h"
#include "replay_server/storage/table.h"

namespace cadre {

constexpr char kReplayRun[] = "run-1";

// obs float32[2] per observation, action int32[], reward float32[].
inline v1::ExperienceSpec ReplaySpec() {
  v1::ExperienceSpec spec;
  const auto add = [&spec](const char* name, v1::DType dtype) {
    v1::ColumnSpec* column = spec.add_columns();
    column->set_name(name);
    column->set_dtype(dtype);
    return column;
  };
  v1::ColumnSpec* obs = add("obs", v1::DTYPE_FLOAT32);
  obs->add_shape(2);
  obs->set_per_observation(true);
  add("action", v1::DTYPE_INT32);
  add("reward", v1::DTYPE_FLOAT32);
  return spec;
}

template <typename T>
void AppendValue(std::string* column, T value) {
  column->append(reinterpret_cast<const char*>(&value), sizeof value);
}

// Observation t of an episode is (episode, t); action t is t; reward t is episode + t / 1000.
inline float ReplayReward(int episode, int64_t t) {
  return static_cast<float>(episode) + static_cast<float>(t) / 1000.0f;
}

inline v1::Rollout EmptyReplayRollout() {
  v1::Rollout rollout;
  for (int i = 0; i < ReplaySpec().columns_size(); ++i) rollout.add_columns();
  return rollout;
}

// Adds steps `begin` to `begin + length - 1` of an episode.
inline void AddSegment(v1::Rollout* rollout, int episode, int64_t begin, int64_t length,
                       v1::SegmentEnd end, int32_t environment = 0) {
  v1::Segment* segment = rollout->add_segments();
  segment->set_length(static_cast<int32_t>(length));
  segment->set_end(end);
  segment->set_environment(environment);
  for (int64_t t = begin; t <= begin + length; ++t) {
    AppendValue(rollout->mutable_columns(0), static_cast<float>(episode));
    AppendValue(rollout->mutable_columns(0), static_cast<float>(t));
    if (t == begin + length) break;
    AppendValue(rollout->mutable_columns(1), static_cast<int32_t>(t));
    AppendValue(rollout->mutable_columns(2), ReplayReward(episode, t));
  }
}

// One segment from an episode's start.
inline v1::Rollout ReplayRollout(int episode, int64_t length,
                                 v1::SegmentEnd end = v1::SEGMENT_END_CUT,
                                 int32_t environment = 0) {
  v1::Rollout rollout = EmptyReplayRollout();
  AddSegment(&rollout, episode, 0, length, end, environment);
  return rollout;
}

// A writer as the tests need it: gives its rollouts their numbers.
class TestWriter {
 public:
  TestWriter(Table* table, uint64_t id, v1::ExperienceSpec spec = ReplaySpec())
      : table_(table), id_(id), spec_(std::move(spec)) {
    Open();
  }

  void Open() {
    stream_ = table_
                  ->OpenWriter(kReplayRun, id_, spec_, /*first_sequence=*/0,
                               [this](uint64_t sequence) { settled_.push_back(sequence); })
                  ->id;
  }

  // What Append has answered; nothing yet where the rollout is parked.
  using Answer = std::shared_ptr<std::vector<absl::Status>>;
  Answer Append(v1::Rollout rollout) { return Append(std::move(rollout), ++sequence_); }
  Answer Append(v1::Rollout rollout, uint64_t sequence) {
    const auto owned = std::make_shared<v1::Rollout>(std::move(rollout));
    owned->set_run_id(kReplayRun);
    owned->set_writer_id(id_);
    owned->set_sequence(sequence);
    auto answer = std::make_shared<std::vector<absl::Status>>();
    table_->Append(stream_, ViewOf(owned),
                   [answer](absl::Status status) { answer->push_back(std::move(status)); });
    return answer;
  }

  uint64_t stream() const { return stream_; }
  const std::vector<uint64_t>& settled() const { return settled_; }

 private:
  Table* const table_;
  const uint64_t id_;
  const v1::ExperienceSpec spec_;
  uint64_t stream_ = 0;
  uint64_t sequence_ = 0;
  std::vector<uint64_t> settled_;
};

// The limiter lets everything through.
inline TableOptions ReplayTableOptions() {
  TableOptions options;
  options.config.set_name("replay");
  options.config.set_capacity_bytes(1 << 20);
  options.run_id = kReplayRun;
  return options;
}

}  // namespace cadre
