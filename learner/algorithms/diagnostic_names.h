// The names of the diagnostics of algorithms that have a twin on other devices: both report
// the same.
#pragma once

#include "learner/algorithms/diagnostics.h"
#include "proto/config.pb.h"

namespace cadre {

DiagnosticNames PpoDiagnosticNames(const PpoConfig& config);
DiagnosticNames DqnDiagnosticNames();
DiagnosticNames SacDiagnosticNames();
// Of DDPG and TD3.
DiagnosticNames DeterministicDiagnosticNames();

}  // namespace cadre
