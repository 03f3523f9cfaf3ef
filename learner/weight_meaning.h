// The settings that give weights their meaning: which function of an observation a network
// computes, and how its outputs are read. The same weights under another activation, another
// normalization or other bounds are another policy. A checkpoint keeps these settings in its
// manifest and is used only with the same ones. Settings of how it learns (rates, discount,
// exploration, replay) are not among them: a run may be resumed with others. Pure.
#pragma once

#include <vector>

#include "absl/status/status.h"
#include "envs/environment.h"
#include "proto/config.pb.h"

namespace cadre {

// `config` is resolved. By field path, "model.mlp.activation", or what stands for several:
// "algorithm", "environment.action".
std::vector<CheckpointManifest::Meaning> WeightMeaning(const ExperimentConfig& config,
                                                       const EnvironmentSpec& environment);

// FAILED_PRECONDITION, naming each field that differs, what it is now and what the checkpoint
// was learned with. A field that the checkpoint does not know, as an older version wrote it,
// is not compared.
absl::Status CheckWeightMeaning(const CheckpointManifest& manifest,
                                const std::vector<CheckpointManifest::Meaning>& now);

}  // namespace cadre
