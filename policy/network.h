// What a network is: plain lists of dense layers over one flat parameter vector,
// without code that runs them. FusedActorCritic (CPU kernels) and
// AutogradActorCritic (LibTorch) both run these; which one is a matter of speed.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "common/random.h"
#include "common/spaces.h"
#include "policy/layout.h"
#include "policy/log_deviation.h"
#include "proto/config.pb.h"

namespace cadre {

enum class LayerActivation { kNone, kTanh, kRelu };

// y = activation(x W^T + b); x [B, inputs], W [outputs, inputs], y [B, outputs].
struct DenseLayer {
  int64_t inputs;
  int64_t outputs;
  int64_t weight;  // Offset of W in the flat vector.
  int64_t bias;    // Offset of b.
  LayerActivation activation;
};

// Layers applied one after the other. Empty: the identity.
using Mlp = std::vector<DenseLayer>;

// A policy and a value function of the same observation:
//   h = trunk(observation);  heads = policy(h), value(h).
// Without a shared trunk, `trunk` is empty and h is the observation.
struct ActorCriticNetwork {
  ParameterLayout layout;
  Mlp trunk, policy, value;
  int64_t observation_size = 0;  // O
  // D outputs of the policy: a logit for each action, or the mean of each
  // dimension of the action.
  int64_t policy_outputs = 0;
  // Continuous actions: offset of the state-independent log deviations [A]; else -1.
  int64_t log_std = -1;
  double initial_log_std = 0;
  LogDeviationBounds log_std_bounds;
  ActionSpace action;

  bool discrete() const { return action.discrete(); }
};

// INVALID_ARGUMENT where the model does not fit the spaces.
absl::StatusOr<ActorCriticNetwork> MakeActorCritic(const ModelConfig& config,
                                                   const ObservationSpace& observation,
                                                   const ActionSpace& action);

// Orthogonal weights (Saxe et al. 2014), gain sqrt(2) for hidden layers, 0.01 for
// the policy's head and 1 for the value's, zero biases. Returns [P].
std::vector<float> InitialParameters(const ActorCriticNetwork& network, Random& random);

}  // namespace cadre
