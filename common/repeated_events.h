// Keeps a log readable when the same thing happens over and over: each kind of event is
// logged when it first happens, then at most once a minute with how often it did. Pure: time
// is an argument. Not thread-safe.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
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
  // With more sources those that were quiet for `kInterval` are forgotten.
  static constexpr size_t kMostSources = 1024;

  // One event now, of the kind that `text` is but for the numbers in it; those of different
  // sources are different. Returns how many there were since one was logged last, this one
  // included, for it to be logged; 0: it is not to be logged.
  int64_t Count(uint64_t source, absl::string_view text, Time now);

  // What has not been logged of a source; from here on it has.
  struct Unlogged {
    std::string kind;  // The text, with '#' for its numbers.
    int64_t count = 0;
  };
  std::vector<Unlogged> TakeUnlogged(uint64_t source);

 private:
  struct Kind {
    Time logged;
    int64_t since = 0;
  };
  using Kinds = absl::flat_hash_map<std::string, Kind>;

  void ForgetQuiet(Time now);

  absl::flat_hash_map<uint64_t, Kinds> sources_;
};

// " (3 times since it was last logged)", or "" for one.
std::string TimesText(int64_t count);

}  // namespace cadre
