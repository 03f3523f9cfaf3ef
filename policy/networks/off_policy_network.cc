#include "policy/networks/off_policy_network.h"

#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "common/status_macros.h"
#include "policy/acting/action_range.h"
#include "policy/networks/network_parts.h"

namespace cadre {
namespace {

absl::Status CheckSeparate(const ModelConfig& model, const ObservationSpace& observation) {
  if (model.mlp().shared_trunk())
    return absl::InvalidArgumentError(
        "model.mlp.shared_trunk: got true; off-policy algorithms want false, their networks are "
        "separate");
  return CheckModel(model, observation);
}

absl::Status CheckActions(const char* network, bool discrete, const ActionSpace& action) {
  // Of discrete ones a single choice: an output for each alternative.
  if (discrete ? action.kind == ActionSpace::Kind::kDiscrete : !action.discrete())
    return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat(
      network, " wants ", discrete ? "actions of one discrete choice" : "continuous actions",
      "; the environment has ", Describe(action)));
}

Network PolicyNetwork(const ModelConfig& model, const ObservationSpace& observation,
                      int64_t outputs) {
  NetworkBuilder builder;
  const std::vector<ValueId> features =
      AddFeatures(builder, "", model, observation, AddInputs(builder, model, observation));
  builder.AddHead("policy", AddMlp(builder, "policy", features, HiddenLayersOf(model), outputs));
  return std::move(builder).Build();
}

}  // namespace

absl::StatusOr<ActionValueNetwork> MakeActionValueNetwork(const ModelConfig& model,
                                                          const DqnConfig& config,
                                                          const ObservationSpace& observation,
                                                          const ActionSpace& action) {
  CADRE_RETURN_IF_ERROR(CheckSeparate(model, observation));
  CADRE_RETURN_IF_ERROR(CheckActions("an action-value network", /*discrete=*/true, action));
  ActionValueNetwork network;
  network.observation = observation;
  network.action = action;
  network.actions = action.alternatives();
  if (config.has_distributional()) {
    network.atoms = config.distributional().atoms();
    network.min_value = config.distributional().min_value();
    network.max_value = config.distributional().max_value();
  }
  HiddenLayers trunk = HiddenLayersOf(model);
  HiddenLayers stream{{}, trunk.activation, trunk.layer_norm};  // What each head has to itself.
  if (config.dueling() && !trunk.units.empty()) {
    stream.units.push_back(trunk.units.back());
    trunk.units.pop_back();
  }
  NetworkBuilder builder;
  const std::vector<ValueId> columns = AddInputs(builder, model, observation);
  const std::vector<ValueId> features =
      AddHidden(builder, "trunk", AddFeatures(builder, "", model, observation, columns), trunk);
  const auto add_stream = [&](const char* name, int64_t outputs) {
    return AddMlp(builder, name, features, stream, outputs);
  };
  const int64_t outputs = network.actions * network.atoms;
  ValueId values;
  if (config.dueling()) {
    const ValueId value = add_stream("value", network.atoms);
    values =
        builder.AddDueling(value, add_stream("advantage", outputs), network.actions, network.atoms);
  } else {
    values = add_stream("head", outputs);
  }
  builder.AddHead("values", values);
  network.network = std::move(builder).Build();
  return network;
}

absl::StatusOr<ContinuousPolicyNetwork> MakeContinuousPolicy(const ModelConfig& model,
                                                             bool gaussian,
                                                             const ObservationSpace& observation,
                                                             const ActionSpace& action) {
  CADRE_RETURN_IF_ERROR(CheckSeparate(model, observation));
  CADRE_RETURN_IF_ERROR(CheckActions("a continuous policy", /*discrete=*/false, action));
  ContinuousPolicyNetwork network;
  network.observation = observation;
  network.gaussian = gaussian;
  network.log_deviation = LogDeviationBoundsOf(model);
  network.action = action;
  network.network = PolicyNetwork(model, observation, (gaussian ? 2 : 1) * action.dimensions);
  return network;
}

absl::StatusOr<DiscretePolicyNetwork> MakeDiscretePolicy(const ModelConfig& model,
                                                         const ObservationSpace& observation,
                                                         const ActionSpace& action) {
  CADRE_RETURN_IF_ERROR(CheckSeparate(model, observation));
  CADRE_RETURN_IF_ERROR(CheckActions("a discrete policy", /*discrete=*/true, action));
  DiscretePolicyNetwork network;
  network.observation = observation;
  network.action = action;
  network.actions = action.alternatives();
  network.network = PolicyNetwork(model, observation, action.alternatives());
  return network;
}

absl::StatusOr<CriticNetworks> MakeCritics(const ModelConfig& model, int count,
                                           const ObservationSpace& observation,
                                           const ActionSpace& action) {
  CADRE_RETURN_IF_ERROR(CheckSeparate(model, observation));
  NetworkBuilder builder;
  const std::vector<ValueId> columns = AddInputs(builder, model, observation);
  std::vector<ValueId> actions;
  int action_input = -1;
  if (!action.discrete()) {
    action_input = static_cast<int>(columns.size());
    actions = {builder.AddInput("action", {action.dimensions})};
  }
  for (int i = 0; i < count; ++i) {
    const std::string name = absl::StrCat("critic.", i);
    std::vector<ValueId> features =
        AddFeatures(builder, absl::StrCat(name, "."), model, observation, columns);
    features.insert(features.end(), actions.begin(), actions.end());
    builder.AddHead(name, AddMlp(builder, name, features, HiddenLayersOf(model),
                                 action.discrete() ? action.alternatives() : 1));
  }
  return CriticNetworks{std::move(builder).Build(), action_input};
}

absl::StatusOr<ContinuousActorCritic> MakeContinuousActorCritic(const ModelConfig& model,
                                                                bool gaussian, int critics,
                                                                const ObservationSpace& observation,
                                                                const ActionSpace& action) {
  ContinuousActorCritic networks;
  CADRE_ASSIGN_OR_RETURN(networks.policy,
                         MakeContinuousPolicy(model, gaussian, observation, action));
  CADRE_RETURN_IF_ERROR(ActionRange::Create(action).status());
  CADRE_ASSIGN_OR_RETURN(networks.critics, MakeCritics(model, critics, observation, action));
  return networks;
}

}  // namespace cadre
