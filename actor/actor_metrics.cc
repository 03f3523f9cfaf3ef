#include "actor/actor_metrics.h"

#include <utility>

#include "prometheus/metric_family.h"

namespace cadre {
namespace {

prometheus::MetricFamily Counter(const char* name, const char* help) {
  prometheus::MetricFamily family;
  family.name = name;
  family.help = help;
  family.type = prometheus::MetricType::Counter;
  return family;
}

prometheus::ClientMetric Value(double value) {
  prometheus::ClientMetric metric;
  metric.counter.value = value;
  return metric;
}

}  // namespace

std::vector<prometheus::MetricFamily> ActorMetrics::Collect() const {
  std::vector<prometheus::MetricFamily> families = prometheus::Registry::Collect();
  prometheus::MetricFamily steps =
      Counter("cadre_actor_env_steps_total", "Steps of all environments");
  steps.metric.push_back(Value(static_cast<double>(loop_->steps())));
  families.push_back(std::move(steps));

  prometheus::MetricFamily restarts =
      Counter("cadre_actor_environment_restarts_total", "Environments that broke, replaced");
  restarts.metric.push_back(Value(static_cast<double>(loop_->restarts())));
  families.push_back(std::move(restarts));

  prometheus::MetricFamily seconds =
      Counter("cadre_actor_stage_seconds_total", "Where the time goes");
  for (const auto& [stage, name] : kActStageNames) {
    prometheus::ClientMetric metric = Value(loop_->times().seconds(stage));
    metric.label.push_back({"stage", name});
    seconds.metric.push_back(std::move(metric));
  }
  families.push_back(std::move(seconds));

  prometheus::MetricFamily version;
  version.name = "cadre_actor_version";
  version.help = "Version of the parameters in use";
  version.type = prometheus::MetricType::Gauge;
  prometheus::ClientMetric gauge;
  gauge.gauge.value = static_cast<double>(loop_->version());
  version.metric.push_back(gauge);
  families.push_back(std::move(version));
  return families;
}

}  // namespace cadre
