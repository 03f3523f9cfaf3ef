#include "policy/off_policy_network.h"

#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "common/status_macros.h"
#include "policy/action_range.h"
#include "policy/mlp_layers.h"
#include "policy/observation_inputs.h"

namespace cadre {
namespace {

absl::Status CheckModel(const ModelConfig& model, const ObservationSpace& observation) {
  if (model.mlp().shared_trunk())
    return absl::InvalidArgumentError(
        "model.mlp.shared_trunk: got true; off-policy algorithms want false, their networks are "
        "separate");
  return CheckMlpObservation(observation);
}

absl::Status CheckActions(const char* network, bool discrete, const ActionSpace& action) {
  // Of discrete ones a single choice: an output for each alternative.
  if (discrete ? action.kind == ActionSpace::Kind::kDiscrete : !action.discrete())
    return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat(
      network, " wants ", discrete ? "actions of one discrete choice" : "continuous actions",
      "; the environment has ", Describe(action)));
}

Network PolicyNetwork(const MlpConfig& mlp, const ObservationSpace& observation, int64_t outputs) {
  NetworkBuilder builder;
  builder.AddHead("policy", AddMlp(builder, "policy", AddInputs(builder, observation),
                                   HiddenUnits(mlp), HiddenActivation(mlp), outputs));
  return std::move(builder).Build();
}

}  // namespace

absl::StatusOr<ActionValueNetwork> MakeActionValueNetwork(const ModelConfig& model,
                                                          const DqnConfig& config,
                                                          const ObservationSpace& observation,
                                                          const ActionSpace& action) {
  CADRE_RETURN_IF_ERROR(CheckModel(model, observation));
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
  const LayerActivation activation = HiddenActivation(model.mlp());
  std::vector<int64_t> trunk = HiddenUnits(model.mlp());
  std::vector<int64_t> stream;  // Hidden units of each stream of its own.
  if (config.dueling()) {
    stream.push_back(trunk.back());
    trunk.pop_back();
  }
  NetworkBuilder builder;
  const std::vector<ValueId> features =
      AddHidden(builder, "trunk", AddInputs(builder, observation), trunk, activation);
  const auto add_stream = [&](const char* name, int64_t outputs) {
    return AddMlp(builder, name, features, stream, activation, outputs);
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
  CADRE_RETURN_IF_ERROR(CheckModel(model, observation));
  CADRE_RETURN_IF_ERROR(CheckActions("a continuous policy", /*discrete=*/false, action));
  ContinuousPolicyNetwork network;
  network.observation = observation;
  network.gaussian = gaussian;
  network.log_deviation = LogDeviationBoundsOf(model);
  network.action = action;
  network.network = PolicyNetwork(model.mlp(), observation, (gaussian ? 2 : 1) * action.dimensions);
  return network;
}

absl::StatusOr<DiscretePolicyNetwork> MakeDiscretePolicy(const ModelConfig& model,
                                                         const ObservationSpace& observation,
                                                         const ActionSpace& action) {
  CADRE_RETURN_IF_ERROR(CheckModel(model, observation));
  CADRE_RETURN_IF_ERROR(CheckActions("a discrete policy", /*discrete=*/true, action));
  DiscretePolicyNetwork network;
  network.observation = observation;
  network.action = action;
  network.actions = action.alternatives();
  network.network = PolicyNetwork(model.mlp(), observation, action.alternatives());
  return network;
}

absl::StatusOr<CriticNetworks> MakeCritics(const ModelConfig& model, int count,
                                           const ObservationSpace& observation,
                                           const ActionSpace& action) {
  CADRE_RETURN_IF_ERROR(CheckModel(model, observation));
  NetworkBuilder builder;
  std::vector<ValueId> inputs = AddInputs(builder, observation);
  int action_input = -1;
  if (!action.discrete()) {
    action_input = static_cast<int>(inputs.size());
    inputs.push_back(builder.AddInput("action", {action.dimensions}));
  }
  for (int i = 0; i < count; ++i) {
    const std::string name = absl::StrCat("critic.", i);
    builder.AddHead(
        name, AddMlp(builder, name, inputs, HiddenUnits(model.mlp()), HiddenActivation(model.mlp()),
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
