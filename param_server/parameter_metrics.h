// What the parameter server counts, under cadre_param_. Thread-safe.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "common/metrics/bottleneck.h"
#include "prometheus/counter.h"
#include "prometheus/family.h"
#include "prometheus/gauge.h"
#include "prometheus/histogram.h"
#include "prometheus/metric_family.h"
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

  // Pushed gradients, by `model` and `outcome`: applied, too_old, duplicate, broken. From the
  // first of a model on there are all four.
  void CountGradient(const std::string& model, const char* outcome);
  // Versions made since a gradient's own, by `model`; of those that were not duplicates.
  prometheus::Histogram& GradientLag(const std::string& model);

  prometheus::Counter& snapshots;
  prometheus::Counter& failed_snapshots;

 private:
  prometheus::Family<prometheus::Counter>& gradients_;
  prometheus::Family<prometheus::Histogram>& gradient_lag_;
};

// A registry that also shows what holds the run back, as it is when it is asked:
// cadre_param_bottleneck and cadre_param_actors_to_add.
class ParameterRegistry final : public prometheus::Registry {
 public:
  // Before anything collects.
  void set_bottleneck(std::function<Bottleneck()> find) { find_ = std::move(find); }

  std::vector<prometheus::MetricFamily> Collect() const override;

 private:
  std::function<Bottleneck()> find_;
};

}  // namespace cadre
