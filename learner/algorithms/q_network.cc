#include "learner/algorithms/q_network.h"

#include <utility>
#include <vector>

#include "learner/algorithms/dueling.h"
#include "learner/algorithms/tensor_spans.h"
#include "policy/tensor_models.h"

namespace cadre {
namespace {

std::vector<Mlp> Networks(const ActionValueNetwork& network) {
  if (network.dueling()) return {network.trunk, network.value, network.advantage};
  Mlp whole = network.trunk;
  whole.insert(whole.end(), network.advantage.begin(), network.advantage.end());
  return {whole};
}

std::unique_ptr<MlpModel> MakeModel(const ActionValueNetwork& network, torch::Device device,
                                    bool closed_form) {
  if (closed_form) return MakeFusedMlpModel(Networks(network), network.layout.size());
  return MakeTensorMlpModel(Networks(network), network.layout.size(), device);
}

}  // namespace

QNetwork::QNetwork(ActionValueNetwork network, torch::Device device, bool tensor_operations)
    : network_(std::move(network)),
      closed_form_(device.is_cpu() && !tensor_operations),
      model_(MakeModel(network_, device, closed_form_)) {}

torch::Tensor QNetwork::Forward(const torch::Tensor& observations) {
  if (!network_.dueling()) return model_->Forward(kWhole, observations);
  const torch::Tensor features = model_->Forward(kTrunk, observations);
  const torch::Tensor value = model_->Forward(kValue, features);
  const torch::Tensor advantage = model_->Forward(kAdvantage, features);
  if (!closed_form_) return CombineDueling(value, advantage);
  Reserve(values_, advantage.sizes());
  CombineDueling({observations.size(0), network_.actions, network_.atoms}, Flat(value),
                 Flat(advantage), Flat(values_));
  return values_;
}

void QNetwork::Backward(torch::Tensor output_gradient) {
  if (!network_.dueling()) {
    model_->Backward(kWhole, output_gradient, /*parameter_gradient=*/true,
                     /*input_gradient=*/false);
    return;
  }
  DuelingGradient gradient;
  if (closed_form_) {
    const int64_t batch = output_gradient.size(0);
    Reserve(value_gradient_, {batch, network_.atoms});
    DuelingBackward({batch, network_.actions, network_.atoms}, Flat(output_gradient),
                    Flat(value_gradient_), Flat(output_gradient));
    gradient = {value_gradient_, output_gradient};
  } else {
    gradient = DuelingBackward(output_gradient, network_.atoms);
  }
  const bool below = !network_.trunk.empty();
  torch::Tensor features = model_->Backward(kValue, gradient.value, true, below);
  const torch::Tensor by_advantage = model_->Backward(kAdvantage, gradient.advantage, true, below);
  if (below) model_->Backward(kTrunk, features.add_(by_advantage), true, false);
}

}  // namespace cadre
