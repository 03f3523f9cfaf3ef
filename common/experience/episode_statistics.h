// Returns and lengths of the last 100 episodes. Plain data, not thread-safe. Its
// means are the same, bit for bit, after Save and Restore.
#pragma once

#include <cstdint>
#include <deque>
#include <limits>
#include <vector>

#include "absl/status/status.h"
#include "absl/types/span.h"

namespace cadre {

class EpisodeStatistics {
 public:
  static constexpr int64_t kWindow = 100;

  void Add(double total_reward, int64_t length);

  int64_t episodes() const { return episodes_; }  // All, not only those in the window.
  double mean_return() const;                     // NaN before the first episode.
  double mean_length() const;                     // Steps; NaN before the first episode.

  // [2n + 1]: all episodes, then (return, length) of the n in the window, oldest first.
  std::vector<double> Save() const;
  // DATA_LOSS, and nothing changed, for what Save cannot have written.
  absl::Status Restore(absl::Span<const double> saved);

 private:
  struct Episode {
    double total_reward;
    double length;
  };
  int64_t episodes_ = 0;
  std::deque<Episode> window_;
};

}  // namespace cadre
