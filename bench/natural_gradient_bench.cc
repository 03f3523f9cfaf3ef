// One update of TRPO, and what it is made of: a product with the Fisher matrix, and the same
// by a plain double backward pass through the KL divergence, to compare. One batch, over
// and over, one thread.
#include <torch/autograd.h>
#include <torch/types.h>
#include <torch/utils.h>

#include "benchmark/benchmark.h"
#include "common/check.h"
#include "learner/algorithms/trust_region/fisher_vector.h"
#include "learner/algorithms/trust_region/surrogate.h"
#include "learner/algorithms/trust_region/trpo.h"
#include "policy/networks/model.h"
#include "policy/torch_distributions.h"

namespace cadre {
namespace {

// A Gaussian policy of 64 x 64 tanh units for Pendulum's or HalfCheetah's shapes.
std::unique_ptr<ActorCritic> Model(int64_t observation_size, int64_t action_dimensions) {
  torch::set_num_threads(1);
  torch::manual_seed(1);
  const ObservationSpace observation{{{.shape = {observation_size}}}};
  ActionSpace action;
  action.kind = ActionSpace::Kind::kContinuous;
  action.dimensions = action_dimensions;
  action.low.assign(action_dimensions, -2.0f);
  action.high.assign(action_dimensions, 2.0f);
  auto network = MakeActorCritic(ModelConfig(), observation, action);
  CADRE_CHECK(network.ok());
  Random random(1);
  const std::vector<float> initial = InitialParameters(*network, random);
  auto model = std::make_unique<ActorCritic>(*std::move(network), Runner::kKernels);
  model->parameters().copy_(torch::tensor(initial));
  model->ParametersChanged();
  return model;
}

void BM_FisherVector(benchmark::State& state) {
  auto model = Model(state.range(0), state.range(1));
  const torch::Tensor observations = torch::randn({state.range(2), state.range(0)});
  const FisherVectorProduct fisher(model->network(), model->parameters(), observations);
  const torch::Tensor vector = torch::randn({model->parameters().size(0)});
  for (auto _ : state) benchmark::DoNotOptimize(fisher(vector));
}

void BM_DoubleBackward(benchmark::State& state) {
  auto model = Model(state.range(0), state.range(1));
  const torch::Tensor observations = torch::randn({state.range(2), state.range(0)});
  const torch::Tensor parameters = model->parameters().detach().requires_grad_();
  const ActorCriticNetwork& network = model->network();
  const Heads heads{
      HeadsWithGraph(network.network, {ActorCriticNetwork::kPolicy}, parameters, {observations})[0],
      {},
      parameters.narrow(0, network.log_std, network.action.dimensions)};
  const Heads old{heads.policy.detach(), {}, heads.log_std.detach()};
  using torch::autograd::grad;
  const torch::Tensor gradient = grad({MeanKl(old, heads)}, {parameters}, {}, true, true)[0];
  const torch::Tensor vector = torch::randn({parameters.size(0)});
  for (auto _ : state)
    benchmark::DoNotOptimize(grad({gradient.dot(vector)}, {parameters}, {}, true)[0]);
}

void BM_Update(benchmark::State& state) {
  auto model = Model(state.range(0), state.range(1));
  const int64_t steps = state.range(2);
  OnPolicyBatch batch;
  batch.observations = torch::randn({steps + 1, state.range(0)});
  batch.observation_rows = torch::arange(steps);
  const Heads heads = model->Forward(batch.observations.only().narrow(0, 0, steps));
  batch.actions = heads.policy + torch::randn({steps, state.range(1)});
  batch.log_probs = GaussianLogProb(heads.policy, heads.log_std, batch.actions);
  batch.rewards = torch::randn({steps});
  batch.segments = {{0, steps, false}};
  auto trpo = MakeTrpo(TrpoConfig(), std::move(model), Random(1));
  for (auto _ : state) CADRE_CHECK(trpo->Update(batch, 0).ok());
}

// Observation, action, steps.
#define CADRE_SHAPES ->Args({3, 1, 2048})->Args({17, 6, 2048})->Unit(benchmark::kMicrosecond)
BENCHMARK(BM_FisherVector) CADRE_SHAPES;
BENCHMARK(BM_DoubleBackward) CADRE_SHAPES;
BENCHMARK(BM_Update) CADRE_SHAPES;

}  // namespace
}  // namespace cadre
