#include "param_server/parameter_metrics.h"

#include "absl/strings/string_view.h"

namespace cadre {
namespace {

prometheus::Family<prometheus::Gauge>& Gauges(prometheus::Registry* registry, const char* name,
                                              const char* help) {
  return prometheus::BuildGauge().Name(name).Help(help).Register(*registry);
}

prometheus::Family<prometheus::Counter>& Counters(prometheus::Registry* registry, const char* name,
                                                  const char* help) {
  return prometheus::BuildCounter().Name(name).Help(help).Register(*registry);
}

}  // namespace

ParameterMetrics::ParameterMetrics(prometheus::Registry* registry)
    : version(Gauges(registry, "cadre_param_version", "Newest version of each model")),
      publications(Counters(registry, "cadre_param_publications_total",
                            "Publications accepted, retries included")),
      refused_publications(
          Counters(registry, "cadre_param_refused_publications_total", "Publications refused")
              .Add({})),
      watchers(Gauges(registry, "cadre_param_watchers", "Watch streams open now").Add({})),
      sent_bytes(Counters(registry, "cadre_param_sent_bytes_total",
                          "Bytes of responses that carry parameters")
                     .Add({})),
      snapshots(Counters(registry, "cadre_param_snapshots_total", "Snapshots written").Add({})),
      failed_snapshots(Counters(registry, "cadre_param_failed_snapshots_total",
                                "Snapshots that could not be written")
                           .Add({})),
      gradients_(Counters(registry, "cadre_param_gradients_total",
                          "Pushed gradients: applied, too_old, duplicate or broken")),
      gradient_lag_(prometheus::BuildHistogram()
                        .Name("cadre_param_gradient_lag_versions")
                        .Help("Versions made since the one a gradient was computed at")
                        .Register(*registry)) {}

void ParameterMetrics::CountGradient(const std::string& model, const char* outcome) {
  for (const char* each : {"applied", "too_old", "duplicate", "broken"}) {
    prometheus::Counter& counter = gradients_.Add({{"model", model}, {"outcome", each}});
    if (absl::string_view(each) == outcome) counter.Increment();
  }
}

prometheus::Histogram& ParameterMetrics::GradientLag(const std::string& model) {
  return gradient_lag_.Add({{"model", model}}, prometheus::Histogram::BucketBoundaries{
                                                   0, 1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024});
}

std::vector<prometheus::MetricFamily> ParameterRegistry::Collect() const {
  std::vector<prometheus::MetricFamily> families = prometheus::Registry::Collect();
  if (!find_) return families;
  const Bottleneck found = find_();
  prometheus::MetricFamily verdicts{"cadre_param_bottleneck",
                                    "1: what holds the run back, as its workers report",
                                    prometheus::MetricType::Gauge,
                                    {}};
  for (const Verdict verdict : kVerdicts) {
    prometheus::ClientMetric series;
    series.label.push_back({"verdict", VerdictName(verdict)});
    series.gauge.value = verdict == found.verdict ? 1 : 0;
    verdicts.metric.push_back(std::move(series));
  }
  prometheus::MetricFamily actors{"cadre_param_actors_to_add",
                                  "With which the learner would not wait; 0 unless actor-bound",
                                  prometheus::MetricType::Gauge,
                                  {}};
  prometheus::ClientMetric series;
  series.gauge.value = static_cast<double>(found.actors_to_add);
  actors.metric.push_back(std::move(series));
  families.push_back(std::move(verdicts));
  families.push_back(std::move(actors));
  return families;
}

}  // namespace cadre
