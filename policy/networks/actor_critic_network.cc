#include "policy/networks/actor_critic_network.h"

#include <algorithm>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/check.h"
#include "common/status_macros.h"
#include "policy/log_deviation.h"
#include "policy/networks/initial_parameters.h"
#include "policy/networks/network_parts.h"

namespace cadre {
namespace {

constexpr double kPolicyGain = 0.01, kValueGain = 1;

// Offset of the log deviations among the biases of the policy's head, which is the last layer of
// its name.
int64_t LogDeviationBias(const ActorCriticNetwork& network) {
  int64_t offset = -1;
  for (const ParameterBlock& block : network.layout().blocks())
    if (absl::StartsWith(block.name, "policy.") && absl::EndsWith(block.name, ".bias"))
      offset = block.offset + block.size - network.action.dimensions;
  CADRE_CHECK(offset >= 0);
  return offset;
}

}  // namespace

absl::StatusOr<ActorCriticNetwork> MakeActorCritic(const ModelConfig& config,
                                                   const ObservationSpace& observation,
                                                   const ActionSpace& action) {
  CADRE_RETURN_IF_ERROR(CheckModel(config, observation));
  const MlpConfig& mlp = config.mlp();
  ActorCriticNetwork network;
  network.action = action;
  const bool encodes = !config.encoder().empty() || config.has_memory();
  network.shared_trunk = mlp.shared_trunk() || (encodes && !config.separate_encoders());
  network.observation = observation;
  network.policy_outputs = action.discrete() ? action.alternatives() : action.dimensions;
  network.initial_log_std = mlp.initial_log_std();
  network.log_deviation = LogDeviationBoundsOf(config);
  network.state_dependent_log_std = !action.discrete() && mlp.state_dependent_log_std();

  NetworkBuilder builder;
  const std::vector<ValueId> columns = AddInputs(builder, config, observation);
  const auto add_features = [&](absl::string_view prefix) {
    return AddFeatures(builder, prefix, config, observation, columns);
  };
  std::vector<ValueId> shared;  // Empty if the heads have nothing in common.
  HiddenLayers layers = HiddenLayersOf(config);
  if (network.shared_trunk) shared = add_features("");
  if (mlp.shared_trunk()) {
    shared = AddHidden(builder, "trunk", shared, layers);
    layers.units.clear();
  }
  const auto add_head = [&](const char* name, int64_t outputs, double gain) {
    const std::vector<ValueId> features =
        network.shared_trunk ? shared : add_features(absl::StrCat(name, "."));
    builder.AddHead(name, AddMlp(builder, name, features, layers, outputs, gain));
  };
  add_head("policy", network.policy_head(), kPolicyGain);
  add_head("value", 1, kValueGain);
  if (!action.discrete() && !network.state_dependent_log_std)
    network.log_std = builder.AddBounded("policy.log_std", action.dimensions,
                                         network.log_deviation.min, network.log_deviation.max);
  network.network = std::move(builder).Build();
  return network;
}

std::vector<float> InitialParameters(const ActorCriticNetwork& network, Random& random) {
  std::vector<float> parameters = OrthogonalParameters(network.network, random);
  if (!network.discrete())
    std::fill_n(parameters.begin() +
                    (network.state_dependent_log_std ? LogDeviationBias(network) : network.log_std),
                network.action.dimensions, static_cast<float>(network.initial_log_std));
  return parameters;
}

}  // namespace cadre
