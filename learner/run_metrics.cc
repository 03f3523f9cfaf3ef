#include "learner/run_metrics.h"

#include "absl/time/time.h"
#include "common/config/run_topology.h"
#include "common/status_macros.h"
#include "learner/run_folder/non_finite_updates.h"

namespace cadre {

absl::StatusOr<std::unique_ptr<RunMetrics>> RunMetrics::Create(TrainingRun& run,
                                                               const std::string& address) {
  const Trainer& trainer = run.trainer();
  LearnerMetrics::Options options;
  options.times = &trainer.times();
  options.version_lag_bound = VersionLagBound(trainer.config());
  if (!run.folder().empty()) {
    CADRE_ASSIGN_OR_RETURN(options.non_finite_updates, ReadNonFiniteUpdates(run.folder()));
  }
  auto process = std::make_shared<ProcessMetrics>("learner");
  if (run.saves())
    process->SavesTo(run.folder(), absl::Seconds(trainer.config().checkpoint().every_seconds()));
  run.set_save_listener([process] { process->CheckpointSaved(); });
  auto metrics = std::unique_ptr<RunMetrics>(
      new RunMetrics(std::make_shared<LearnerMetrics>(options), std::move(process)));
  if (address.empty()) return metrics;
  CADRE_ASSIGN_OR_RETURN(metrics->server_, MetricsServer::Create(address, metrics->learner_,
                                                                 nullptr, {metrics->process_}));
  return metrics;
}

}  // namespace cadre
