// A whole run in this process: the ports are bound straight to a Queue and a
// ParameterStore, and each actor is a thread.
#pragma once

#include "absl/status/status.h"
#include "common/shutdown.h"
#include "learner/trainer.h"
#include "proto/config.pb.h"

namespace cadre {

// Trains until the config's stop condition, an error, or a shutdown request, which
// ends it after the update at hand, saved. The trainer runs on the calling thread.
absl::Status TrainEmbedded(const ExperimentConfig& config, Trainer& trainer,
                           ShutdownSignal& shutdown);

}  // namespace cadre
