// What a learner shows Prometheus: cadre_learner_*. Update() belongs to the training
// thread; collecting is thread-safe.
#pragma once

#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "learner/progress.h"
#include "learner/trainer.h"
#include "prometheus/registry.h"

namespace cadre {

class LearnerMetrics final : public prometheus::Registry {
 public:
  // `times` must outlive it.
  explicit LearnerMetrics(const LearnTimes* times) : times_(times) {}

  void Update(const Progress& progress);

  std::vector<prometheus::MetricFamily> Collect() const override;

 private:
  const LearnTimes* const times_;
  mutable absl::Mutex mutex_;
  Progress progress_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace cadre
