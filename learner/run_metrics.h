// What a run shows Prometheus from the process of its learner: learner_metrics.h and
// process_metrics.h on one port.
#pragma once

#include <memory>
#include <string>
#include <utility>

#include "absl/status/statusor.h"
#include "common/metrics/metrics.h"
#include "common/metrics/process_metrics.h"
#include "learner/learner_metrics.h"
#include "learner/loop/training_run.h"
#include "learner/run_folder/progress.h"

namespace cadre {

class RunMetrics {
 public:
  // `address` as MetricsServer's; empty: nothing is served. Listens to what `run`, which must
  // outlive it, saves.
  static absl::StatusOr<std::unique_ptr<RunMetrics>> Create(TrainingRun& run,
                                                            const std::string& address);

  // On the training thread.
  void Update(const Progress& progress) { learner_->Update(progress); }

 private:
  RunMetrics(std::shared_ptr<LearnerMetrics> learner, std::shared_ptr<ProcessMetrics> process)
      : learner_(std::move(learner)), process_(std::move(process)) {}

  const std::shared_ptr<LearnerMetrics> learner_;
  const std::shared_ptr<ProcessMetrics> process_;
  std::unique_ptr<MetricsServer> server_;
};

}  // namespace cadre
