// What the replay server shows Prometheus: cadre_replay_* with the queue's name as label
// and cadre_replay_table_* with the table's. The numbers are their own, read when they
// are asked for, so that nothing is counted twice. Thread-safe.
#pragma once

#include <utility>
#include <vector>

#include "prometheus/counter.h"
#include "prometheus/gauge.h"
#include "prometheus/metric_family.h"
#include "prometheus/registry.h"
#include "replay_server/storage/queue.h"
#include "replay_server/storage/table.h"

namespace cadre {

// Of the tables' checkpoints since the server started. The references are the registry's.
struct CheckpointMetrics {
  explicit CheckpointMetrics(prometheus::Registry* registry);

  prometheus::Counter& saved;
  prometheus::Counter& failed;
  prometheus::Gauge& bytes;    // Of the last.
  prometheus::Gauge& seconds;  // That it took.
};

class ReplayMetrics final : public prometheus::Registry {
 public:
  // They must outlive it.
  ReplayMetrics(std::vector<Queue*> queues, std::vector<Table*> tables)
      : queues_(std::move(queues)), tables_(std::move(tables)) {}

  std::vector<prometheus::MetricFamily> Collect() const override;

 private:
  const std::vector<Queue*> queues_;
  const std::vector<Table*> tables_;
};

}  // namespace cadre
