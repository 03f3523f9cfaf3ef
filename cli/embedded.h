// A whole run in this process: the ports are bound straight to Queues or a Table and a
// ParameterStore, and each actor is a thread, as is each learner but the first.
#pragma once

#include <string>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/types/span.h"
#include "cli/replay_tables.h"
#include "common/process/shutdown.h"
#include "learner/loop/trainer.h"
#include "proto/config.pb.h"

namespace cadre {

// Trains until the config's stop condition, an error, or a shutdown request, which
// ends it after the current update. Unless it failed it is saved then, a replay table included.
// `from`: the checkpoint that the trainers continue from. `begin` is called before anybody
// acts or learns, once everything that could fail is made.
// `trainers`, by rank, are all of the config's learners; the first runs on the calling thread.
absl::Status TrainEmbedded(const ExperimentConfig& config, absl::Span<Trainer* const> trainers,
                           const std::string& run_folder, const ResumedCheckpoint& from,
                           absl::FunctionRef<absl::Status()> begin, ShutdownSignal& shutdown);

}  // namespace cadre
