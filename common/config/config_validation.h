// Is a whole experiment sound? Checks every field by its schema (field_validation.h), then the
// rules between fields: of the policy and its environment here, of training in training_rules.h.
// All errors at once, one line each: field path, what was given, what is allowed. Pure.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "common/config/error_list.h"
#include "common/config/run_feasibility.h"
#include "proto/config.pb.h"

namespace cadre {

// The environments there are, as much as validation needs of them, so that this
// room need not know the environments themselves.
struct EnvironmentCatalog {
  struct Entry {
    std::string id;         // "CartPole-v1"
    bool discrete = false;  // Its actions; else they are continuous.
    // The bytes of what is shown at one step and one action. 0: not known; memory is not checked.
    StepBytes bytes;
    bool several_choices = false;  // Discrete actions of several choices at once.
    bool floats = true;            // It has a float32 observation.
  };
  std::vector<Entry> entries;  // The native ones.
  // The environment of the config that is checked, or why there is none, if it is not a native
  // one. Null: nobody has looked.
  std::optional<absl::StatusOr<Entry>> other;

  const Entry* Find(absl::string_view id) const;  // Null where there is none.
};

// INVALID_ARGUMENT unless a policy that was learned with `config` can act: there is such an
// environment, its actions are of the algorithm's kind, and its network makes sense. How it was
// trained does not matter: a folder of an older version may have what is refused by now.
absl::Status ValidateForActing(const ExperimentConfig& config, const EnvironmentCatalog& catalog);

// INVALID_ARGUMENT unless `config` can be run.
absl::Status ValidateConfig(const ExperimentConfig& config, const EnvironmentCatalog& catalog);

}  // namespace cadre
