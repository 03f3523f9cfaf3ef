// The networks of the on-policy algorithms: a policy and a value function of the same
// observation.
#pragma once

#include <cstdint>
#include <vector>

#include "absl/status/statusor.h"
#include "common/random.h"
#include "common/spaces.h"
#include "policy/log_deviation.h"
#include "policy/networks/network.h"
#include "proto/config.pb.h"

namespace cadre {

// Inputs: the columns of the observation. Heads: kPolicy [D], a logit for each alternative of
// each choice or the mean of each dimension of the action, and kValue [1]. If the deviation depends
// on the state, kPolicy is [2 A]: the means, then the log deviations before they are clamped.
struct ActorCriticNetwork {
  enum Head { kPolicy = 0, kValue = 1 };

  Network network;
  bool shared_trunk = false;   // The heads have layers in common.
  int64_t policy_outputs = 0;  // D
  // Continuous actions: offset of the log deviations [A] if they do not depend on the
  // observation; they stay within their bounds. Else -1.
  int64_t log_std = -1;
  double initial_log_std = 0;
  bool state_dependent_log_std = false;
  LogDeviationBounds log_deviation;  // Continuous actions alone.
  ObservationSpace observation;
  ActionSpace action;

  bool discrete() const { return action.discrete(); }
  // Width of kPolicy.
  int64_t policy_head() const {
    return state_dependent_log_std ? 2 * policy_outputs : policy_outputs;
  }
  const ParameterLayout& layout() const { return network.layout; }
};

// INVALID_ARGUMENT where the model does not fit the spaces.
absl::StatusOr<ActorCriticNetwork> MakeActorCritic(const ModelConfig& config,
                                                   const ObservationSpace& observation,
                                                   const ActionSpace& action);

// Orthogonal, with gain sqrt(2) for hidden layers, 0.01 for the policy's head and 1 for the
// value's. Log deviations begin at initial_log_std, or around it if they depend on the state.
// Returns [P].
std::vector<float> InitialParameters(const ActorCriticNetwork& network, Random& random);

}  // namespace cadre
