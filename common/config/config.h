// Experiments: reading, overriding, completing and writing ExperimentConfig
// (proto/config.proto). Nothing here knows environments, flags or processes.
// Pure functions apart from LoadConfig's read; any thread may call them.
//
// The usual way: LoadConfig, ValidateConfig (config_validation.h), ResolveConfig.
// Errors come all at once, one line each in the status message: INVALID_ARGUMENT,
// or NOT_FOUND / PERMISSION_DENIED where the file cannot be read.
#pragma once

#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "proto/config.pb.h"

namespace cadre {

// Reads `path` and applies each "path=value" of `overrides` in order; see
// config_overrides.h. Not validated: a range or a cross-field rule may be broken.
absl::StatusOr<ExperimentConfig> LoadConfig(const std::string& path,
                                            absl::Span<const std::string> overrides);

// `source_name` stands in the messages: "configs/a.textproto:3:5: ...".
absl::StatusOr<ExperimentConfig> ParseConfig(absl::string_view text, absl::string_view source_name);

// Text format that parses back, under a header that tells editors the schema.
std::string ConfigText(const ExperimentConfig& config);

// Name of the field that holds the algorithm's settings: "ppo". Empty: none is set.
std::string AlgorithmName(const ExperimentConfig& config);

// Environment steps of one update: actors x environments x segment length.
int64_t StepsPerUpdate(const ExperimentConfig& config);

// Steps by which actors and learner may be apart where replay.slack_steps does not say.
int64_t DefaultSlackSteps(const ExperimentConfig& config);

// Whether hidden layers that are not given are [64, 64], not none.
bool HasDefaultHidden(const ModelConfig& model);

// Elements of the recurrent state that actors send with each step, of all memories of the network;
// 0 without one.
int64_t RecurrentStateSize(const ExperimentConfig& config);

// The same experiment with everything said: defaults and derived values are
// written out (hidden layers, queue capacity, lockstep's version lag). What
// has no default, or no effect in this experiment, stays unset. Resolving twice changes nothing.
ExperimentConfig ResolveConfig(ExperimentConfig config);

// The other way round: a resolved config without what a user need not have written for it,
// which is what equals its default or is derived from other fields. ResolveConfig gives the
// same config back.
ExperimentConfig WithoutDefaults(ExperimentConfig config);

}  // namespace cadre
