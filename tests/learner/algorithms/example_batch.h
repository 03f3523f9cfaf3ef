// Batches for the tests of algorithms: random numbers of the right shapes.
#pragma once

#include <cstdint>
#include <vector>

#include <torch/types.h>

#include "learner/algorithms/on_policy_batch.h"
#include "policy/actor_critic.h"
#include "policy/torch_distributions.h"
#include "tests/policy/example_networks.h"

namespace cadre {

inline torch::Tensor RandomTensor(const std::vector<int64_t>& shape, Random& random,
                                  double scale = 1) {
  int64_t size = 1;
  for (const int64_t dimension : shape) size *= dimension;
  return torch::tensor(RandomFloats(size, random, scale)).view(shape);
}

inline torch::Tensor RandomActions(const ActorCriticNetwork& network, int64_t steps,
                                   Random& random) {
  if (!network.discrete()) return RandomTensor({steps, network.action.dimensions}, random);
  std::vector<int64_t> actions(steps);
  for (int64_t& action : actions)
    action = static_cast<int64_t>(random.Below(static_cast<uint64_t>(network.action.counts[0])));
  return torch::tensor(actions, torch::kInt64);
}

inline torch::Tensor LogProb(const Heads& heads, const torch::Tensor& actions) {
  return heads.log_std.defined() ? GaussianLogProb(heads.policy, heads.log_std, actions)
                                 : CategoricalLogProb(heads.policy, actions);
}

// Segments of these lengths, every other one terminated. The log probabilities are
// `model`'s, plus noise of this deviation: as if an earlier policy had acted. The
// first element of each observation is its row, scaled.
inline OnPolicyBatch ExampleBatch(ActorCritic& model, const std::vector<int64_t>& lengths,
                                  Random& random, double staleness = 0) {
  OnPolicyBatch batch;
  int64_t steps = 0;
  std::vector<int64_t> rows;
  for (const int64_t length : lengths) {
    const int64_t index = static_cast<int64_t>(batch.segments.size());
    batch.segments.push_back({steps, length, index % 2 == 0});
    for (int64_t t = 0; t < length; ++t) rows.push_back(steps + index + t);
    steps += length;
  }
  const int64_t observations = steps + static_cast<int64_t>(lengths.size());
  batch.observations = RandomTensor({observations, model.network().observation_size}, random);
  batch.observations.select(1, 0).copy_(torch::arange(observations) * 0.01);
  batch.observation_rows = torch::tensor(rows, torch::kInt64);
  batch.actions = RandomActions(model.network(), steps, random);
  batch.rewards = RandomTensor({steps}, random);
  const Heads heads = model.Forward(batch.observations.index_select(0, batch.observation_rows));
  batch.log_probs = LogProb(heads, batch.actions) + RandomTensor({steps}, random, staleness);
  return batch;
}

inline std::unique_ptr<ActorCritic> OnKernels(ActorCriticNetwork network) {
  return std::make_unique<ActorCritic>(std::move(network), Runner::kKernels);
}
inline std::unique_ptr<ActorCritic> OnGraph(ActorCriticNetwork network,
                                            torch::Device device = torch::kCPU) {
  return std::make_unique<ActorCritic>(std::move(network), Runner::kGraph, device);
}

// Random parameters that depend on the seed alone.
inline std::unique_ptr<ActorCritic> WithParameters(std::unique_ptr<ActorCritic> model,
                                                   uint64_t seed = 1) {
  Random random(seed);
  model->parameters().copy_(
      torch::tensor(RandomFloats(model->network().layout().size(), random, 0.3)));
  model->ParametersChanged();
  return model;
}

}  // namespace cadre
