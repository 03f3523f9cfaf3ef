// Which settings have an effect in a given experiment. One that has none is refused, not
// ignored: whoever gives it expects something of it. The rules are the lines of a table in
// config_effects.cc; a new field that only some experiments look at gets a line there. Pure.
#pragma once

#include <optional>

#include "common/error_list.h"
#include "proto/config.pb.h"

namespace cadre {

// Adds an error for each field that is given, differs from its default and has no effect.
// Its default says nothing more than leaving it out does, and older runs' folders have it
// written out. `discrete`: the environment's actions; not set where nobody knows it, and then
// rules about them are left out.
void CheckEffects(const ExperimentConfig& config, std::optional<bool> discrete, ErrorList* errors);

// Leaves out what CheckEffects would look at, given or default. For a config that is valid.
void ClearWithoutEffect(std::optional<bool> discrete, ExperimentConfig* config);

}  // namespace cadre
