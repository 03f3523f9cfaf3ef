// Who works with whom in a run of several learners: which learner an actor works for,
// which queue its experience goes to, and which model it follows. Of resolved or
// unresolved configs; pure.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "proto/config.pb.h"

namespace cadre {

// The on-policy queue of a run with one learner.
inline constexpr char kOnPolicyQueue[] = "on_policy";

// A queue or a table of a replay server.
struct ExperiencePlace {
  std::string address;  // host:port
  std::string target;   // Its name there.
};

int32_t LearnerCount(const ExperimentConfig& config);

// Whether learners push gradients to the parameter server, which moves the model, instead
// of moving it themselves: a3c, n_step_q, n_step_sarsa.
bool PushesGradients(const ExperimentConfig& config);

// Whether several learners move one model together, gradients averaged.
bool DataParallel(const ExperimentConfig& config);

// Of actor `actor`.
int32_t LearnerOf(const ExperimentConfig& config, int32_t actor);

// The on-policy queue that learner `learner` takes from: "on_policy", or "on_policy/2"
// where there are several.
std::string QueueName(const ExperimentConfig& config, int32_t learner);

// The model of the experiment: what evaluations and checkpoints are of.
std::string ModelName(const ExperimentConfig& config);

// The model that the actors of `learner` follow. Where learners push gradients each has a
// copy of its own, "<name>/2"; otherwise it is the experiment's.
std::string ActingModelName(const ExperimentConfig& config, int32_t learner);

// The steps that may wait in each learner's queue: its share of the config's.
int64_t StepsPerQueue(const ExperimentConfig& config);

// The most versions by which what a learner uses may be behind; none where nothing bounds
// it: replay, whole episodes that span many updates, and pushed gradients without
// learners.max_gradient_lag.
std::optional<int64_t> VersionLagBound(const ExperimentConfig& config);

// A learner's actors, and the environment steps in each of its updates.
int32_t ActorsPerLearner(const ExperimentConfig& config);
int64_t StepsPerLearnerUpdate(const ExperimentConfig& config);

}  // namespace cadre
