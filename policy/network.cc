#include "policy/network.h"

#include <cmath>

#include "common/check.h"
#include "common/status_macros.h"
#include "policy/mlp_layers.h"

namespace cadre {
namespace {

// Gaussian rows made orthonormal (modified Gram-Schmidt, twice, which keeps them
// orthogonal to rounding), times `gain`. W [outputs, inputs]: rows are orthonormal
// where outputs <= inputs, else columns are.
void FillOrthogonal(const DenseLayer& layer, double gain, Random& random,
                    absl::Span<float> parameters) {
  const bool rows_are_vectors = layer.outputs <= layer.inputs;
  const int64_t count = rows_are_vectors ? layer.outputs : layer.inputs;
  const int64_t length = rows_are_vectors ? layer.inputs : layer.outputs;
  std::vector<double> basis(count * length);
  for (double& x : basis) x = random.Normal();
  for (int64_t i = 0; i < count; ++i) {
    double* row = &basis[i * length];
    for (int pass = 0; pass < 2; ++pass) {
      for (int64_t j = 0; j < i; ++j) {
        const double* other = &basis[j * length];
        double dot = 0;
        for (int64_t k = 0; k < length; ++k) dot += row[k] * other[k];
        for (int64_t k = 0; k < length; ++k) row[k] -= dot * other[k];
      }
      double norm = 0;
      for (int64_t k = 0; k < length; ++k) norm += row[k] * row[k];
      norm = std::sqrt(norm);
      CADRE_CHECK(norm > 0);
      for (int64_t k = 0; k < length; ++k) row[k] /= norm;
    }
  }
  float* weight = &parameters[layer.weight];
  for (int64_t i = 0; i < count; ++i)
    for (int64_t k = 0; k < length; ++k)
      weight[rows_are_vectors ? i * length + k : k * count + i] =
          static_cast<float>(gain * basis[i * length + k]);
}

}  // namespace

absl::StatusOr<ActorCriticNetwork> MakeActorCritic(const ModelConfig& config,
                                                   const ObservationSpace& observation,
                                                   const ActionSpace& action) {
  CADRE_RETURN_IF_ERROR(CheckMlpObservation(observation));
  ActorCriticNetwork network;
  network.action = action;
  network.observation_size = observation.elements();
  network.policy_outputs = action.discrete() ? action.count : action.dimensions;
  network.initial_log_std = config.mlp().initial_log_std();
  network.log_std_bounds = LogDeviationBoundsOf(config);
  ParameterLayout& layout = network.layout;
  if (config.mlp().shared_trunk()) {
    network.trunk = AddHidden(layout, "trunk", network.observation_size, HiddenUnits(config.mlp()),
                              HiddenActivation(config.mlp()));
    const int64_t features = network.trunk.back().outputs;
    AddLayer(layout, "policy", features, network.policy_outputs, LayerActivation::kNone,
             network.policy);
    AddLayer(layout, "value", features, 1, LayerActivation::kNone, network.value);
  } else {
    network.policy =
        AddMlp(layout, "policy", network.observation_size, network.policy_outputs, config.mlp());
    network.value = AddMlp(layout, "value", network.observation_size, 1, config.mlp());
  }
  if (!action.discrete()) network.log_std = layout.Add("policy.log_std", {action.dimensions});
  return network;
}

std::vector<float> InitialParameters(const ActorCriticNetwork& network, Random& random) {
  std::vector<float> parameters(network.layout.size(), 0.0f);
  for (const Mlp* mlp : {&network.trunk, &network.policy, &network.value}) {
    for (const DenseLayer& layer : *mlp) {
      double gain = std::sqrt(2.0);
      if (layer.activation == LayerActivation::kNone) gain = mlp == &network.policy ? 0.01 : 1.0;
      FillOrthogonal(layer, gain, random, absl::MakeSpan(parameters));
    }
  }
  for (int64_t a = 0; network.log_std >= 0 && a < network.action.dimensions; ++a)
    parameters[network.log_std + a] = static_cast<float>(network.initial_log_std);
  return parameters;
}

}  // namespace cadre
