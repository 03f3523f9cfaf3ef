// Keeps a log readable when the same thing happens over and over: each kind of event is
// logged when it first happens, then at most once a minute with how often it did. Pure: time
// is an argument. Not thread-safe.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/string_view.h"

namespace cadre {

class RepeatedEvents {
 public:
  using Time = std::chrono::steady_clock::time_point;
  static constexpr std::chrono::minutes kInterval{1};
  // Further kinds of a source are one, so that texts which always differ are no flood either.
  static constexpr size_t kMostKinds = 32;
  static constexpr size_t kLongestKind = 256;  // Texts that begin alike are one kind.
  // With more sources those that were quiet for `kInterval` are forgotten. Further ones than that
  // are one source, so that new ones are no flood.
  static constexpr size_t kMostSources = 64;

  // One event now, of the kind that `text` is but for the numbers in it; those of different
  // sources are different. Returns how many there were since one was logged last, this one
  // included, for it to be logged; 0: it is not to be logged.
  int64_t Count(uint64_t source, absl::string_view text, Time now);

  // What has not been logged of a source; from here on it has. Nothing if it was taken within
  // `kInterval`: then it is counted on.
  struct Unlogged {
    std::string kind;  // The text, with '#' for its numbers.
    int64_t count = 0;
  };
  std::vector<Unlogged> TakeUnlogged(uint64_t source, Time now);

  size_t sources() const { return sources_.size(); }

 private:
  struct Kind {
    Time logged;
    int64_t since = 0;
  };
  struct Source {
    absl::flat_hash_map<std::string, Kind> kinds;
    std::optional<Time> taken;  // By TakeUnlogged.
  };

  Source& SourceOf(uint64_t source, Time now);
  void ForgetQuiet(Time now);

  absl::flat_hash_map<uint64_t, Source> sources_;
  Source others_;  // Those for which there is no room.
};

// " (3 times since it was last logged)", or "" for one.
std::string TimesText(int64_t count);

}  // namespace cadre
