// The networks of the off-policy algorithms, as plain lists of dense layers over flat
// parameter vectors. What actors run has a vector of its own, so that no critic is
// ever published.
#pragma once

#include <cstdint>
#include <vector>

#include "absl/status/statusor.h"
#include "common/random.h"
#include "common/spaces.h"
#include "policy/layout.h"
#include "policy/log_deviation.h"
#include "policy/network.h"
#include "proto/config.pb.h"

namespace cadre {

// Action values of every discrete action; C51: a categorical distribution over
// `atoms` returns for each (Bellemare et al. 2017), otherwise atoms is 1.
//   plain    q = head(trunk(observation)), [n * atoms], an action's atoms together
//   dueling  q = v + a - mean over actions of a (Wang et al. 2016, eq. 9), of v [atoms]
//            and a [n * atoms], two streams after the trunk; the mean for each atom
struct ActionValueNetwork {
  ParameterLayout layout;
  // Plain: `value` is empty. Dueling: the last hidden layer is each stream's own.
  Mlp trunk, value, advantage;
  int64_t observation_size = 0;  // O
  int64_t actions = 0;           // n
  int64_t atoms = 1;
  double min_value = 0, max_value = 0;  // Of the first and the last atom.

  bool dueling() const { return !value.empty(); }
};

// A policy over continuous actions, in [-1, 1]^A before it is scaled to the bounds.
//   deterministic  tanh(policy(observation)), [A]
//   Gaussian       policy(observation) = mean [A], log deviation [A] before clamping
//                  to its bounds; the action is tanh of a sample (Haarnoja et al. 2018)
struct ContinuousPolicyNetwork {
  ParameterLayout layout;
  Mlp policy;
  int64_t observation_size = 0;  // O
  bool gaussian = false;
  LogDeviationBounds log_deviation;  // Gaussian alone.
  ActionSpace action;
};

// Logits of discrete actions, for SAC.
struct DiscretePolicyNetwork {
  ParameterLayout layout;
  Mlp policy;  // [n]
  int64_t observation_size = 0;
  int64_t actions = 0;
};

// `count` separate critics of the same shape over one vector: of observation and
// action, [O + A] -> [1], or of the observation, [O] -> [n].
struct CriticNetworks {
  ParameterLayout layout;
  std::vector<Mlp> critics;
  int64_t input_size = 0;
  int64_t outputs = 0;
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

// Uniform in +-1/sqrt(inputs) for weights and biases of every layer (LeCun et al. 1998;
// what LibTorch's Linear does too), in the layers' order. Returns [size].
std::vector<float> UniformInitialParameters(const std::vector<Mlp>& networks, int64_t size,
                                            Random& random);

}  // namespace cadre
