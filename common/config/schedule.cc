#include "common/config/schedule.h"

#include <algorithm>
#include <cmath>
#include <numbers>

namespace cadre {

double ScheduledValue(double initial, const ScheduleConfig& schedule, double progress) {
  progress = std::clamp(progress, 0.0, 1.0);
  const double warmup = schedule.warmup_share();
  if (progress < warmup) return initial * (progress / warmup);
  const double passed = (progress - warmup) / (1 - warmup);
  double left = 1;  // 1 at first, 0 at the end.
  if (schedule.shape() == ScheduleConfig::LINEAR) left = 1 - passed;
  if (schedule.shape() == ScheduleConfig::COSINE)
    left = (1 + std::cos(std::numbers::pi * passed)) / 2;
  return initial * (schedule.final_share() * (1 - left) + left);
}

}  // namespace cadre
