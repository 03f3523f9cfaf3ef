#include "common/experience/episode_statistics.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

#include "absl/strings/str_cat.h"

namespace cadre {
namespace {

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();
constexpr double kMostEpisodes = 0x1p53;  // Doubles count no further.

bool IsCount(double value) {
  return value >= 0 && value <= kMostEpisodes && value == std::trunc(value);
}

}  // namespace

void EpisodeStatistics::Add(double total_reward, int64_t length) {
  ++episodes_;
  window_.push_back({total_reward, static_cast<double>(length)});
  if (window_.size() > kWindow) window_.pop_front();
}

double EpisodeStatistics::mean_return() const {
  if (window_.empty()) return kNaN;
  double sum = 0;
  for (const Episode& episode : window_) sum += episode.total_reward;
  return sum / static_cast<double>(window_.size());
}

double EpisodeStatistics::mean_length() const {
  if (window_.empty()) return kNaN;
  double sum = 0;
  for (const Episode& episode : window_) sum += episode.length;
  return sum / static_cast<double>(window_.size());
}

std::vector<double> EpisodeStatistics::Save() const {
  std::vector<double> saved = {static_cast<double>(episodes_)};
  for (const Episode& episode : window_) {
    saved.push_back(episode.total_reward);
    saved.push_back(episode.length);
  }
  return saved;
}

absl::Status EpisodeStatistics::Restore(absl::Span<const double> saved) {
  const size_t window = saved.size() / 2;
  bool sound = saved.size() % 2 == 1 && window <= kWindow && IsCount(saved[0]) &&
               window == std::min<double>(saved[0], kWindow);
  for (size_t i = 2; sound && i < saved.size(); i += 2) sound = IsCount(saved[i]);
  if (!sound)
    return absl::DataLossError(absl::StrCat("episode statistics: got ", saved.size(),
                                            " numbers that fit no saved window of ", kWindow,
                                            " episodes"));
  episodes_ = static_cast<int64_t>(saved[0]);
  window_.clear();
  for (size_t i = 1; i < saved.size(); i += 2) window_.push_back({saved[i], saved[i + 1]});
  return absl::OkStatus();
}

}  // namespace cadre
