// Which settings have an effect in a given experiment. One that has none is refused, not
// ignored: a user who sets it expects it to do something. The rules are the lines of a table
// in config_effects.cc; a new field that only some experiments read gets a line there. Pure.
#pragma once

#include <optional>

#include "common/config/error_list.h"
#include "proto/config.pb.h"

namespace cadre {

// Adds an error for each field that is set to something other than its default and has no
// effect. A default is accepted: it means the same as leaving the field out, and the folders of
// runs have defaults written out. `discrete`: whether the environment's actions are. Not set if
// that is unknown; rules about actions then do not apply.
void CheckEffects(const ExperimentConfig& config, std::optional<bool> discrete, ErrorList* errors);

// Removes every field that has no effect, whatever its value.
void ClearWithoutEffect(std::optional<bool> discrete, ExperimentConfig* config);

}  // namespace cadre
