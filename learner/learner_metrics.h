// What a learner shows Prometheus: cadre_learner_*. Update() belongs to the training
// thread; collecting is thread-safe.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "learner/loop/trainer.h"
#include "learner/run_folder/non_finite_updates.h"
#include "learner/run_folder/progress.h"
#include "prometheus/registry.h"

namespace cadre {

class LearnerMetrics final : public prometheus::Registry {
 public:
  struct Options {
    const LearnTimes* times = nullptr;         // Must outlive it.
    std::optional<int64_t> version_lag_bound;  // Not shown where there is none.
    NonFiniteUpdates non_finite_updates;       // Of the run, so far.
  };
  explicit LearnerMetrics(const Options& options) : options_(options) {}

  // Counters begin with the first update of this process, wherever the run was: a learner
  // that goes on from a checkpoint would else look like a very fast one.
  void Update(const Progress& progress);

  std::vector<prometheus::MetricFamily> Collect() const override;

 private:
  const Options options_;
  mutable absl::Mutex mutex_;
  std::optional<Progress> first_ ABSL_GUARDED_BY(mutex_);
  Progress progress_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace cadre
