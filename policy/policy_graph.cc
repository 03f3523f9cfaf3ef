#include "policy/policy_graph.h"

namespace cadre {
namespace {

torch::Tensor Run(const Mlp& mlp, const torch::Tensor& parameters, torch::Tensor x) {
  for (const DenseLayer& layer : mlp) {
    const torch::Tensor weight = parameters.narrow(0, layer.weight, layer.outputs * layer.inputs)
                                     .view({layer.outputs, layer.inputs});
    x = torch::addmm(parameters.narrow(0, layer.bias, layer.outputs), x, weight.t());
    if (layer.activation == LayerActivation::kTanh) x = torch::tanh(x);
    if (layer.activation == LayerActivation::kRelu) x = torch::relu(x);
  }
  return x;
}

}  // namespace

Heads PolicyWithGraph(const ActorCriticNetwork& network, const torch::Tensor& parameters,
                      const torch::Tensor& observations) {
  torch::AutoGradMode with_graph(true);
  Heads heads;
  heads.policy = Run(network.policy, parameters, Run(network.trunk, parameters, observations));
  if (network.log_std >= 0)
    heads.log_std = parameters.narrow(0, network.log_std, network.action.dimensions);
  return heads;
}

}  // namespace cadre
