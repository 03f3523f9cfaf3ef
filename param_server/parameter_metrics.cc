#include "param_server/parameter_metrics.h"

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
                     .Add({})) {}

}  // namespace cadre
