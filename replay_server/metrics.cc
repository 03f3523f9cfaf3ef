#include "replay_server/metrics.h"

#include <cstdint>
#include <utility>

#include "prometheus/client_metric.h"
#include "prometheus/metric_type.h"
#include "proto/experience.pb.h"

namespace cadre {
namespace {

struct Row {
  const char* name;
  const char* help;
  prometheus::MetricType type;
  int64_t (v1::QueueInfo::*value)() const;
};

constexpr auto kGauge = prometheus::MetricType::Gauge;
constexpr auto kCounter = prometheus::MetricType::Counter;
using Info = v1::QueueInfo;

constexpr Row kRows[] = {
    {"cadre_replay_waiting_rollouts", "Rollouts that wait", kGauge, &Info::waiting_rollouts},
    {"cadre_replay_waiting_steps", "Steps that wait", kGauge, &Info::waiting_steps},
    {"cadre_replay_waiting_bytes", "Bytes that wait", kGauge, &Info::waiting_bytes},
    {"cadre_replay_capacity_steps", "Steps that may wait", kGauge, &Info::capacity_steps},
    {"cadre_replay_capacity_bytes", "Bytes that may wait", kGauge, &Info::capacity_bytes},
    {"cadre_replay_leased_rollouts", "Rollouts at a consumer", kGauge, &Info::leased_rollouts},
    {"cadre_replay_blocked_writers", "Writers held back because the queue is full", kGauge,
     &Info::blocked_writers},
    {"cadre_replay_waiting_consumers", "Takes not yet answered", kGauge, &Info::waiting_consumers},
    {"cadre_replay_newest_version", "Newest parameters of a consumer", kGauge,
     &Info::newest_version},
    {"cadre_replay_appended_rollouts_total", "Rollouts admitted, or stale on arrival", kCounter,
     &Info::appended_rollouts},
    {"cadre_replay_appended_steps_total", "Steps of these", kCounter, &Info::appended_steps},
    {"cadre_replay_acknowledged_rollouts_total", "Rollouts consumed", kCounter,
     &Info::acknowledged_rollouts},
    {"cadre_replay_acknowledged_steps_total", "Steps of these", kCounter,
     &Info::acknowledged_steps},
    {"cadre_replay_dropped_stale_rollouts_total", "Rollouts dropped for their old parameters",
     kCounter, &Info::dropped_stale_rollouts},
    {"cadre_replay_dropped_stale_steps_total", "Steps of these", kCounter,
     &Info::dropped_stale_steps},
    {"cadre_replay_refused_rollouts_total", "Rollouts refused as bad data", kCounter,
     &Info::refused_rollouts},
    {"cadre_replay_duplicate_rollouts_total", "Rollouts ignored because they came before", kCounter,
     &Info::duplicate_rollouts},
    {"cadre_replay_returned_rollouts_total", "Rollouts that consumers which went away gave back",
     kCounter, &Info::returned_rollouts},
};

prometheus::ClientMetric Series(const Row& row, const v1::QueueInfo& info) {
  prometheus::ClientMetric metric;
  metric.label.push_back({"queue", info.name()});
  const auto value = static_cast<double>((info.*row.value)());
  if (row.type == kCounter) {
    metric.counter.value = value;
  } else {
    metric.gauge.value = value;
  }
  return metric;
}

}  // namespace

std::vector<prometheus::MetricFamily> ReplayMetrics::Collect() const {
  std::vector<prometheus::MetricFamily> families = prometheus::Registry::Collect();
  const v1::QueueInfo info = queue_->Info();
  for (const Row& row : kRows) {
    prometheus::MetricFamily family;
    family.name = row.name;
    family.help = row.help;
    family.type = row.type;
    family.metric.push_back(Series(row, info));
    families.push_back(std::move(family));
  }
  return families;
}

}  // namespace cadre
