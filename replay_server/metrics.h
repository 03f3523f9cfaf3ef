// What the replay server shows Prometheus: cadre_replay_*, with the queue's name as
// label. The numbers are the queue's own, read when they are asked for, so that
// nothing is counted twice. Thread-safe.
#pragma once

#include <vector>

#include "prometheus/metric_family.h"
#include "prometheus/registry.h"
#include "replay_server/queue.h"

namespace cadre {

class ReplayMetrics final : public prometheus::Registry {
 public:
  // `queue` must outlive it.
  explicit ReplayMetrics(const Queue* queue) : queue_(queue) {}

  std::vector<prometheus::MetricFamily> Collect() const override;

 private:
  const Queue* const queue_;
};

}  // namespace cadre
