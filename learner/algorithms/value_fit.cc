#include "learner/algorithms/value_fit.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "common/check.h"
#include "common/status_macros.h"
#include "learner/algorithms/collective_sums.h"
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

absl::StatusOr<double> ValueFit::Fit(torch::Tensor parameters, const torch::Tensor& observations,
                                     const torch::Tensor& returns, Collective* collective) {
  torch::NoGradGuard no_graph;
  torch::Tensor own = parameters.narrow(0, begin_, size_);
  model_->parameters().copy_(own);
  model_->ParametersChanged();
  const int64_t steps = returns.size(0);
  // As many minibatches as who has most steps needs.
  CADRE_ASSIGN_OR_RETURN(const int64_t most, MostOverLearners(collective, steps));
  const int64_t learners = collective == nullptr ? 1 : collective->size();
  const int64_t share = std::max<int64_t>(1, config_.minibatch_size() / learners);
  const int64_t size = std::min(share, most);
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
    for (int64_t next = 0; next < most; next += size) {
      const int64_t begin = std::min(next, steps);
      const int64_t count = std::min(size, steps - begin);
      CADRE_ASSIGN_OR_RETURN(const double sum, Step(inputs.narrow(0, begin, count),
                                                    targets.narrow(0, begin, count), collective));
      squares += sum;
    }
  }
  own.copy_(model_->parameters());
  double sums[] = {squares, static_cast<double>(steps)};
  CADRE_RETURN_IF_ERROR(SumOverLearners(collective, absl::MakeSpan(sums)));
  return sums[0] / sums[1];
}

absl::StatusOr<double> ValueFit::Step(const torch::Tensor& observations,
                                      const torch::Tensor& returns, Collective* collective) {
  const int64_t count = returns.size(0);
  const double squares = count > 0 ? ComputeGradient(observations, returns) : 0;
  if (collective != nullptr)
    CADRE_RETURN_IF_ERROR(
        AverageOverSteps(*collective, count, model_->gradient(), {}, shared_).status());
  adam_.Step(model_->parameters(), model_->gradient(), config_.learning_rate());
  model_->ParametersChanged();
  return squares;
}

double ValueFit::ComputeGradient(const torch::Tensor& observations, const torch::Tensor& returns) {
  const torch::Tensor error = model_->Forward(0, observations).view({-1}) - returns;
  model_->gradient().zero_();
  model_->Backward(0, (error * (2.0 / static_cast<double>(error.numel()))).view({-1, 1}),
                   /*parameter_gradient=*/true, /*input_gradient=*/false);
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
