#include "policy/actor_critic_network.h"

#include <algorithm>
#include <utility>

#include "common/status_macros.h"
#include "policy/log_deviation.h"
#include "policy/mlp_layers.h"
#include "policy/observation_inputs.h"

namespace cadre {
namespace {

constexpr double kPolicyGain = 0.01, kValueGain = 1;

}  // namespace

absl::StatusOr<ActorCriticNetwork> MakeActorCritic(const ModelConfig& config,
                                                   const ObservationSpace& observation,
                                                   const ActionSpace& action) {
  CADRE_RETURN_IF_ERROR(CheckMlpObservation(observation));
  const MlpConfig& mlp = config.mlp();
  ActorCriticNetwork network;
  network.action = action;
  network.shared_trunk = mlp.shared_trunk();
  network.observation = observation;
  network.policy_outputs = action.discrete() ? action.alternatives() : action.dimensions;
  network.initial_log_std = mlp.initial_log_std();

  NetworkBuilder builder;
  std::vector<ValueId> features = AddInputs(builder, observation);
  if (mlp.shared_trunk())
    features = AddHidden(builder, "trunk", features, HiddenUnits(mlp), HiddenActivation(mlp));
  // What each head has to itself.
  const std::vector<int64_t> units = mlp.shared_trunk() ? std::vector<int64_t>() : HiddenUnits(mlp);
  const auto add_head = [&](const char* name, int64_t outputs, double gain) {
    builder.AddHead(name,
                    AddMlp(builder, name, features, units, HiddenActivation(mlp), outputs, gain));
  };
  add_head("policy", network.policy_outputs, kPolicyGain);
  add_head("value", 1, kValueGain);
  if (!action.discrete()) {
    const LogDeviationBounds bounds = LogDeviationBoundsOf(config);
    network.log_std =
        builder.AddBounded("policy.log_std", action.dimensions, bounds.min, bounds.max);
  }
  network.network = std::move(builder).Build();
  return network;
}

std::vector<float> InitialParameters(const ActorCriticNetwork& network, Random& random) {
  std::vector<float> parameters = OrthogonalParameters(network.network, random);
  if (network.log_std >= 0)
    std::fill_n(parameters.begin() + network.log_std, network.action.dimensions,
                static_cast<float>(network.initial_log_std));
  return parameters;
}

}  // namespace cadre
