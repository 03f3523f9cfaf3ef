#include "policy/off_policy_network.h"

#include <cmath>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "common/status_macros.h"
#include "policy/action_range.h"
#include "policy/mlp_layers.h"

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
  if (action.discrete() == discrete) return absl::OkStatus();
  const std::string got = action.discrete() ? absl::StrCat(action.count, " discrete ones")
                                            : absl::StrCat(action.dimensions, " continuous ones");
  return absl::InvalidArgumentError(absl::StrCat(network, " wants ",
                                                 discrete ? "discrete" : "continuous",
                                                 " actions; the environment has ", got));
}

}  // namespace

absl::StatusOr<ActionValueNetwork> MakeActionValueNetwork(const ModelConfig& model,
                                                          const DqnConfig& config,
                                                          const ObservationSpace& observation,
                                                          const ActionSpace& action) {
  CADRE_RETURN_IF_ERROR(CheckModel(model, observation));
  CADRE_RETURN_IF_ERROR(CheckActions("an action-value network", /*discrete=*/true, action));
  ActionValueNetwork network;
  network.observation_size = observation.elements();
  network.actions = action.count;
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
  ParameterLayout& layout = network.layout;
  network.trunk = AddHidden(layout, "trunk", network.observation_size, trunk, activation);
  const int64_t features = trunk.empty() ? network.observation_size : trunk.back();
  const auto add_stream = [&](const std::string& name, int64_t outputs) {
    Mlp mlp = AddHidden(layout, name, features, stream, activation);
    AddLayer(layout, name, stream.empty() ? features : stream.back(), outputs,
             LayerActivation::kNone, mlp);
    return mlp;
  };
  if (config.dueling()) network.value = add_stream("value", network.atoms);
  network.advantage =
      add_stream(config.dueling() ? "advantage" : "head", network.actions * network.atoms);
  return network;
}

absl::StatusOr<ContinuousPolicyNetwork> MakeContinuousPolicy(const ModelConfig& model,
                                                             bool gaussian,
                                                             const ObservationSpace& observation,
                                                             const ActionSpace& action) {
  CADRE_RETURN_IF_ERROR(CheckModel(model, observation));
  CADRE_RETURN_IF_ERROR(CheckActions("a continuous policy", /*discrete=*/false, action));
  ContinuousPolicyNetwork network;
  network.observation_size = observation.elements();
  network.gaussian = gaussian;
  network.log_deviation = LogDeviationBoundsOf(model);
  network.action = action;
  network.policy = AddMlp(network.layout, "policy", network.observation_size,
                          (gaussian ? 2 : 1) * action.dimensions, model.mlp());
  return network;
}

absl::StatusOr<DiscretePolicyNetwork> MakeDiscretePolicy(const ModelConfig& model,
                                                         const ObservationSpace& observation,
                                                         const ActionSpace& action) {
  CADRE_RETURN_IF_ERROR(CheckModel(model, observation));
  CADRE_RETURN_IF_ERROR(CheckActions("a discrete policy", /*discrete=*/true, action));
  DiscretePolicyNetwork network;
  network.observation_size = observation.elements();
  network.actions = action.count;
  network.policy =
      AddMlp(network.layout, "policy", network.observation_size, action.count, model.mlp());
  return network;
}

absl::StatusOr<CriticNetworks> MakeCritics(const ModelConfig& model, int count,
                                           const ObservationSpace& observation,
                                           const ActionSpace& action) {
  CADRE_RETURN_IF_ERROR(CheckModel(model, observation));
  CriticNetworks networks;
  networks.input_size = observation.elements() + (action.discrete() ? 0 : action.dimensions);
  networks.outputs = action.discrete() ? action.count : 1;
  for (int i = 0; i < count; ++i)
    networks.critics.push_back(AddMlp(networks.layout, absl::StrCat("critic.", i),
                                      networks.input_size, networks.outputs, model.mlp()));
  return networks;
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

std::vector<float> UniformInitialParameters(const std::vector<Mlp>& networks, int64_t size,
                                            Random& random) {
  std::vector<float> parameters(size, 0.0f);
  for (const Mlp& mlp : networks) {
    for (const DenseLayer& layer : mlp) {
      const double bound = 1 / std::sqrt(static_cast<double>(layer.inputs));
      const auto fill = [&](int64_t offset, int64_t count) {
        for (int64_t i = 0; i < count; ++i)
          parameters[offset + i] = static_cast<float>(random.Uniform(-bound, bound));
      };
      fill(layer.weight, layer.inputs * layer.outputs);
      fill(layer.bias, layer.outputs);
    }
  }
  return parameters;
}

}  // namespace cadre
