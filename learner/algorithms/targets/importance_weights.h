// How far the policy that learns is from the one that acted, in numbers for people. Pure.
#pragma once

#include <cstdint>

#include "absl/types/span.h"
#include "learner/algorithms/diagnostics.h"

namespace cadre {

// pi/mu is bounded by e to this power: it is a number even if mu is next to nothing.
inline constexpr float kMaxLogRatio = 20;

struct WeightSummary {
  double mean = 0;           // Of pi/mu, unbounded. 1 in expectation.
  double clipped_share = 0;  // Of the steps whose pi/mu is above the bound.
};

inline void Report(const WeightSummary& summary, Diagnostics& diagnostics) {
  diagnostics.emplace_back("importance_weight", summary.mean);
  diagnostics.emplace_back("clipped_share", summary.clipped_share);
}

// `ratios` [N] are pi/mu.
inline WeightSummary Summarize(absl::Span<const float> ratios, double bound) {
  double sum = 0;
  int64_t above = 0;
  for (const float ratio : ratios) {
    sum += ratio;
    above += ratio > bound;
  }
  const double n = static_cast<double>(ratios.size());
  return {.mean = sum / n, .clipped_share = static_cast<double>(above) / n};
}

}  // namespace cadre
