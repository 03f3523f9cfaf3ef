// What a run's folder says of its experiment:
//
//   config.textproto      as the user gave it: the file and its overrides, nothing else
//   resolved.textproto    the same with every default and derived value, for people to read
//
// Only the first is read back. Every process of a run resolves it for itself, and a resumed run
// derives afresh what follows from other settings, so that an override reaches everything that
// depends on it.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "envs/experiment.h"

namespace cadre {

// The experiment of the run in `run_folder` with `overrides` ("path=value") and `seed` applied
// to what was given. A folder without resolved.textproto is of a version that wrote the
// resolved config as config.textproto: what a user need not have written is taken out of it
// first. Errors as LoadExperiment's.
absl::StatusOr<Experiment> LoadRunExperiment(const std::string& run_folder,
                                             const std::vector<std::string>& overrides,
                                             std::optional<uint64_t> seed = std::nullopt);

// The same without changes, for those who only act with what the run learned: its settings of
// training may be ones that are refused by now.
absl::StatusOr<Experiment> LoadRunForActing(const std::string& run_folder);

}  // namespace cadre
