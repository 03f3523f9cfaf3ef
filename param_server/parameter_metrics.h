// What the parameter server counts, under cadre_param_. Thread-safe.
#pragma once

#include <memory>
#include <string>

#include "prometheus/counter.h"
#include "prometheus/family.h"
#include "prometheus/gauge.h"
#include "prometheus/registry.h"

namespace cadre {

struct ParameterMetrics {
  // Registers with `registry`, which must outlive it.
  explicit ParameterMetrics(prometheus::Registry* registry);

  prometheus::Family<prometheus::Gauge>& version;         // Newest, by `model`.
  prometheus::Family<prometheus::Counter>& publications;  // By `model`, retries included.
  prometheus::Counter& refused_publications;
  prometheus::Gauge& watchers;
  prometheus::Counter& sent_bytes;  // Of responses with parameters in them.
};

}  // namespace cadre
