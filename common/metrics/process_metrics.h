// What every process shows of itself, whatever it does, read when it is asked for:
//
//   cadre_<process>_start_time_seconds             Unix time; changes with each restart
//   cadre_<process>_cpu_seconds_total
//   cadre_<process>_resident_memory_bytes
//   cadre_<process>_last_checkpoint_time_seconds   these of a process that saves:
//   cadre_<process>_checkpoint_period_seconds
//   cadre_<process>_disk_free_bytes
//   cadre_<process>_disk_size_bytes
//
// Thread-safe.
#pragma once

#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "prometheus/collectable.h"
#include "prometheus/metric_family.h"

namespace cadre {

class ProcessMetrics final : public prometheus::Collectable {
 public:
  // `process`: "learner" for cadre_learner_*. `start`: of the process.
  explicit ProcessMetrics(std::string process, absl::Time start = absl::Now());

  // It saves in `folder`, which need not be there yet, every `period`. Infinite: only when
  // asked, and no period is shown. Before the first CheckpointSaved the process's start
  // stands for the last checkpoint: so old it is at most.
  void SavesTo(std::string folder, absl::Duration period);
  void CheckpointSaved(absl::Time when = absl::Now());

  std::vector<prometheus::MetricFamily> Collect() const override;

 private:
  const std::string prefix_;
  const absl::Time start_;
  mutable absl::Mutex mutex_;
  std::string folder_ ABSL_GUARDED_BY(mutex_);  // Empty: it saves nothing.
  absl::Duration period_ ABSL_GUARDED_BY(mutex_);
  absl::Time last_checkpoint_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace cadre
