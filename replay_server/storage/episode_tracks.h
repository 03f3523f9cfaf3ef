// The episodes that go on: for each environment of each writer the newest segment, if
// it was cut, and the items that the next one may complete. One is kept as long as
// that segment is in the table, so there are never more than segments. Pure; not
// thread-safe.
#pragma once

#include <algorithm>
#include <cstdint>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "replay_server/storage/item_windows.h"
#include "replay_server/storage/segment_table.h"

namespace cadre {

struct EpisodeTrack {
  uint64_t writer = 0;
  int32_t environment = 0;
  uint32_t last_segment = kNone;  // kNone: not in use, or just added.
  uint32_t oldest_start = kNone;  // Row of the oldest start of an incomplete item.
  OpenWindows windows;
};

class EpisodeTracks {
 public:
  // kNone if there is none.
  uint32_t Find(uint64_t writer, int32_t environment) const {
    const auto it = by_environment_.find({writer, environment});
    return it == by_environment_.end() ? kNone : it->second;
  }
  uint32_t FindOrAdd(uint64_t writer, int32_t environment) {
    const auto [it, added] = by_environment_.try_emplace({writer, environment}, kNone);
    if (!added) return it->second;
    if (free_.empty()) {
      free_.push_back(static_cast<uint32_t>(tracks_.size()));
      tracks_.emplace_back();
    }
    it->second = free_.back();
    free_.pop_back();
    tracks_[it->second] = {.writer = writer, .environment = environment};
    return it->second;
  }
  void Remove(uint32_t track) {
    by_environment_.erase({tracks_[track].writer, tracks_[track].environment});
    tracks_[track] = {};
    free_.push_back(track);
  }
  void RemoveAllOf(uint64_t writer) {
    std::vector<uint32_t> of_writer;
    for (const auto& [key, track] : by_environment_)
      if (key.first == writer) of_writer.push_back(track);
    std::sort(of_writer.begin(), of_writer.end());  // Slots are used again in the same order.
    for (const uint32_t track : of_writer) Remove(track);
  }
  void Clear() { *this = {}; }

  void Save(StateWriter& writer) const {
    writer.PutVector(tracks_);
    writer.PutVector(free_);
  }
  // At most so many tracks.
  void Restore(StateReader& reader, int64_t most) {
    tracks_ = reader.GetVector<EpisodeTrack>(most);
    free_ = reader.GetVector<uint32_t>(static_cast<int64_t>(tracks_.size()));
    by_environment_.clear();
    for (uint32_t i = 0; i < tracks_.size(); ++i) {
      const EpisodeTrack& track = tracks_[i];
      if (track.last_segment == kNone) continue;
      reader.Check(track.windows.open_steps >= 0 && track.windows.until_start >= 0);
      reader.Check(by_environment_.insert({{track.writer, track.environment}, i}).second);
    }
    for (const uint32_t track : free_)
      if (reader.Check(track < tracks_.size())) reader.Check(tracks_[track].last_segment == kNone);
    reader.Check(free_.size() + by_environment_.size() == tracks_.size());
  }

  int64_t size() const { return static_cast<int64_t>(by_environment_.size()); }
  // How many there are of each writer.
  absl::flat_hash_map<uint64_t, int64_t> ByWriter() const {
    absl::flat_hash_map<uint64_t, int64_t> counts;
    for (const auto& [key, track] : by_environment_) ++counts[key.first];
    return counts;
  }

  EpisodeTrack& operator[](uint32_t track) { return tracks_[track]; }
  const EpisodeTrack& operator[](uint32_t track) const { return tracks_[track]; }
  // Those in use are among the first so many; of the others, last_segment is kNone.
  size_t slots() const { return tracks_.size(); }

 private:
  absl::flat_hash_map<std::pair<uint64_t, int32_t>, uint32_t> by_environment_;
  std::vector<EpisodeTrack> tracks_;
  std::vector<uint32_t> free_;
};

}  // namespace cadre
