#include "learner/algorithms/value_fit.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "common/check.h"
#include "common/status_macros.h"
#include "learner/algorithms/optimizer_state.h"

namespace cadre {
namespace {

constexpr double kAdamEpsilon = 1e-8;  // Kingma and Ba 2015.

// Floats from the first to the last of `mlp`, which has them all.
int64_t SizeOf(const Mlp& mlp) {
  int64_t size = 0;
  for (const DenseLayer& layer : mlp) size += (layer.inputs + 1) * layer.outputs;
  CADRE_CHECK(mlp.back().bias + mlp.back().outputs - mlp.front().weight == size);
  return size;
}

// As if the vector began where `mlp` does.
Mlp Shifted(Mlp mlp) {
  const int64_t begin = mlp.front().weight;
  for (DenseLayer& layer : mlp) {
    layer.weight -= begin;
    layer.bias -= begin;
  }
  return mlp;
}

std::unique_ptr<MlpModel> ValueModel(const Mlp& value, torch::Device device) {
  std::vector<Mlp> networks{Shifted(value)};
  return device.is_cpu() ? MakeFusedMlpModel(std::move(networks), SizeOf(value))
                         : MakeAutogradMlpModel(std::move(networks), SizeOf(value), device);
}

}  // namespace

ValueFit::ValueFit(const ValueFitConfig& config, const ActorCriticNetwork& network,
                   torch::Device device, Random random)
    : config_(config),
      begin_(network.value.front().weight),
      size_(SizeOf(network.value)),
      model_(ValueModel(network.value, device)),
      adam_(size_, kAdamEpsilon, device),
      random_(random) {
  CADRE_CHECK(network.trunk.empty());
}

double ValueFit::Fit(torch::Tensor parameters, const torch::Tensor& observations,
                     const torch::Tensor& returns) {
  torch::NoGradGuard no_graph;
  torch::Tensor own = parameters.narrow(0, begin_, size_);
  model_->parameters().copy_(own);
  model_->ParametersChanged();
  const int64_t steps = returns.size(0);
  const int64_t size = std::min<int64_t>(config_.minibatch_size(), steps);
  torch::Tensor order = torch::arange(steps);
  int64_t* shuffled = order.data_ptr<int64_t>();
  double squares = 0;
  for (int epoch = 0; epoch < config_.epochs(); ++epoch) {
    for (int64_t i = steps - 1; i > 0; --i) std::swap(shuffled[i], shuffled[random_.Below(i + 1)]);
    // Gathered once, so that minibatches are slices.
    const torch::Tensor rows = order.to(returns.device());
    const torch::Tensor inputs = observations.index_select(0, rows);
    const torch::Tensor targets = returns.index_select(0, rows);
    squares = 0;
    for (int64_t begin = 0; begin < steps; begin += size) {
      const int64_t count = std::min(size, steps - begin);
      squares += Step(inputs.narrow(0, begin, count), targets.narrow(0, begin, count));
    }
  }
  own.copy_(model_->parameters());
  return squares / static_cast<double>(steps);
}

double ValueFit::Step(const torch::Tensor& observations, const torch::Tensor& returns) {
  const torch::Tensor error = model_->Forward(0, observations).view({-1}) - returns;
  model_->gradient().zero_();
  model_->Backward(0, (error * (2.0 / static_cast<double>(error.numel()))).view({-1, 1}),
                   /*parameter_gradient=*/true, /*input_gradient=*/false);
  adam_.Step(model_->parameters(), model_->gradient(), config_.learning_rate());
  model_->ParametersChanged();
  return error.dot(error).item<double>();
}

void ValueFit::Save(TensorMap& state) const {
  adam_.Save("value_fit.adam", state);
  SaveRandom("value_fit.random", random_, state);
}

absl::Status ValueFit::Restore(const TensorMap& state) {
  CADRE_RETURN_IF_ERROR(adam_.Restore("value_fit.adam", state));
  return RestoreRandom("value_fit.random", state, random_);
}

}  // namespace cadre
