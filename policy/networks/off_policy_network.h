// The networks of the off-policy algorithms. What actors run has a parameter vector of its
// own, so that no critic is ever published. The first inputs of each are the columns of the
// observation.
#pragma once

#include <cstdint>
#include <vector>

#include "absl/status/statusor.h"
#include "common/spaces.h"
#include "policy/log_deviation.h"
#include "policy/networks/layout.h"
#include "policy/networks/network.h"
#include "proto/config.pb.h"

namespace cadre {

// Action values of every discrete action; C51: a categorical distribution over
// `atoms` returns for each (Bellemare et al. 2017), otherwise atoms is 1. One head,
// [n * atoms], an action's atoms together. Dueling networks have two streams after the trunk,
// with the last hidden layer each.
struct ActionValueNetwork {
  Network network;
  ObservationSpace observation;
  ActionSpace action;
  int64_t actions = 0;  // n
  int64_t atoms = 1;
  double min_value = 0, max_value = 0;  // Of the first and the last atom.

  const ParameterLayout& layout() const { return network.layout; }
};

// A policy over continuous actions, in [-1, 1]^A before it is scaled to the bounds.
//   deterministic  tanh(head), head [A]
//   Gaussian       head = mean [A], log deviation [A] before clamping to its bounds; the
//                  action is tanh of a sample (Haarnoja et al. 2018)
struct ContinuousPolicyNetwork {
  Network network;
  ObservationSpace observation;
  bool gaussian = false;
  LogDeviationBounds log_deviation;  // Gaussian alone.
  ActionSpace action;

  const ParameterLayout& layout() const { return network.layout; }
};

// Logits of discrete actions, for SAC; one head, [n].
struct DiscretePolicyNetwork {
  Network network;
  ObservationSpace observation;
  ActionSpace action;
  int64_t actions = 0;

  const ParameterLayout& layout() const { return network.layout; }
};

// Separate critics of the same shape over one vector, a head of each: of the observation and
// the action in [-1, 1]^A, the last input, [1]; or of the observation, [n].
struct CriticNetworks {
  Network network;
  int action_input = -1;  // The action's; -1 without one.

  const ParameterLayout& layout() const { return network.layout; }
};

// Of DDPG, TD3 and SAC of continuous actions.
struct ContinuousActorCritic {
  ContinuousPolicyNetwork policy;
  CriticNetworks critics;
};

// INVALID_ARGUMENT where the model does not fit the spaces or the algorithm.
absl::StatusOr<ActionValueNetwork> MakeActionValueNetwork(const ModelConfig& model,
                                                          const DqnConfig& config,
                                                          const ObservationSpace& observation,
                                                          const ActionSpace& action);
absl::StatusOr<ContinuousPolicyNetwork> MakeContinuousPolicy(const ModelConfig& model,
                                                             bool gaussian,
                                                             const ObservationSpace& observation,
                                                             const ActionSpace& action);
absl::StatusOr<DiscretePolicyNetwork> MakeDiscretePolicy(const ModelConfig& model,
                                                         const ObservationSpace& observation,
                                                         const ActionSpace& action);
absl::StatusOr<CriticNetworks> MakeCritics(const ModelConfig& model, int count,
                                           const ObservationSpace& observation,
                                           const ActionSpace& action);
// And where the actions' bounds are not those of an ActionRange.
absl::StatusOr<ContinuousActorCritic> MakeContinuousActorCritic(const ModelConfig& model,
                                                                bool gaussian, int critics,
                                                                const ObservationSpace& observation,
                                                                const ActionSpace& action);

}  // namespace cadre
