// A whole run in this process: the ports are bound straight to Queues or a Table and a
// ParameterStore, and each actor is a thread, as is each learner but the first.
#pragma once

#include <string>

#include "absl/status/status.h"
#include "absl/types/span.h"
#include "common/shutdown.h"
#include "learner/trainer.h"
#include "proto/config.pb.h"

namespace cadre {

// Trains until the config's stop condition, an error, or a shutdown request, which
// ends it after the update at hand, saved, a replay table in `run_folder` among it.
// `trainers`, by rank, are all of the config's learners; the first runs on the calling thread.
absl::Status TrainEmbedded(const ExperimentConfig& config, absl::Span<Trainer* const> trainers,
                           const std::string& run_folder, ShutdownSignal& shutdown);

}  // namespace cadre
