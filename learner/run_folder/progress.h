// What a training run tells about itself after an update. Plain data: the run's
// folder, the live display and the metrics all read it.
#pragma once

#include <cstdint>
#include <limits>
#include <string>
#include <utility>
#include <vector>

namespace cadre {

struct Progress {
  int64_t env_steps = 0;  // Consumed since the run began (resumes included).
  int64_t updates = 0;    // Batches learned from.
  int64_t version = 0;    // Newest published.
  int64_t episodes = 0;   // Finished training episodes.
  double mean_return = std::numeric_limits<double>::quiet_NaN();  // Last 100 episodes.
  double mean_length = std::numeric_limits<double>::quiet_NaN();  // Steps, likewise.
  double wall_seconds = 0;                                        // Of training, resumes included.
  double steps_per_second = 0;                                    // Since the previous report.
  int64_t version_lag = 0;      // Largest of the last batch's steps.
  int64_t max_version_lag = 0;  // Largest of the run.
  // Items or rollouts left out because they had numbers that are not finite, or actions that
  // there are not; of this process.
  int64_t dropped_experience = 0;
  // Share of the learner's time, since the previous report, spent waiting for
  // experience; the rest is learning.
  double waiting_share = 0;
  // The algorithm's own numbers: "policy_loss", "approx_kl", ...
  std::vector<std::pair<std::string, double>> diagnostics;
};

}  // namespace cadre
