// What the parameter server shows of the run: cadre_param_run_state, 1 for the state it is
// in. Read from the store when asked for. Thread-safe.
#pragma once

#include <vector>

#include "param_server/parameter_store.h"
#include "prometheus/collectable.h"
#include "prometheus/metric_family.h"

namespace cadre {

class RunMetrics final : public prometheus::Collectable {
 public:
  // `store` must outlive it.
  explicit RunMetrics(const ParameterStore* store) : store_(store) {}

  std::vector<prometheus::MetricFamily> Collect() const override;

 private:
  const ParameterStore* const store_;
};

}  // namespace cadre
