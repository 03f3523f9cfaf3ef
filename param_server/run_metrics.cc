#include "param_server/run_metrics.h"

#include <utility>

#include "prometheus/client_metric.h"
#include "prometheus/metric_type.h"

namespace cadre {
namespace {

constexpr std::pair<v1::RunState, const char*> kStates[] = {
    {v1::RUN_STATE_RUNNING, "running"},
    {v1::RUN_STATE_PAUSED, "paused"},
    {v1::RUN_STATE_FINISHED, "finished"},
};

}  // namespace

std::vector<prometheus::MetricFamily> RunMetrics::Collect() const {
  const v1::RunState now = store_->Read("").run_state;
  prometheus::MetricFamily family{"cadre_param_run_state",
                                  "1: the state that the run is in",
                                  prometheus::MetricType::Gauge,
                                  {}};
  for (const auto& [state, name] : kStates) {
    prometheus::ClientMetric metric;
    metric.label.push_back({"state", name});
    metric.gauge.value = state == now ? 1 : 0;
    family.metric.push_back(std::move(metric));
  }
  return {std::move(family)};
}

}  // namespace cadre
