// Batches for the tests of algorithms: random numbers of the right shapes.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include <torch/types.h>

#include "learner/algorithms/policy_gradient/on_policy_batch.h"
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

inline ActionSpace MaskedActions(ActionSpace action) {
  action.masked = true;
  return action;
}

// Rows of MaskColumn: of each choice the first alternative is always allowed, the last never, the
// others at random.
inline torch::Tensor RandomMask(const ActionSpace& action, int64_t rows, Random& random) {
  std::vector<uint8_t> mask;
  for (int64_t r = 0; r < rows; ++r)
    for (const int64_t count : action.counts)
      for (int64_t i = 0; i < count; ++i)
        mask.push_back(i == 0 || (i + 1 < count && random.Below(2) == 0));
  return torch::tensor(mask, torch::kUInt8).view({rows, action.alternatives()});
}

// Those that `mask` allows, if it is defined.
inline torch::Tensor RandomActions(const ActionSpace& space, int64_t steps, Random& random,
                                   const torch::Tensor& mask = {}) {
  if (!space.discrete()) return RandomTensor({steps, space.dimensions}, random);
  std::vector<int64_t> actions;
  for (int64_t i = 0; i < steps; ++i) {
    int64_t first = 0;
    for (const int64_t count : space.counts) {
      int64_t choice = 0;
      do {
        choice = static_cast<int64_t>(random.Below(static_cast<uint64_t>(count)));
      } while (mask.defined() && mask[i][first + choice].item<uint8_t>() == 0);
      actions.push_back(choice);
      first += count;
    }
  }
  const torch::Tensor tensor = torch::tensor(actions, torch::kInt64);
  return space.kind == ActionSpace::Kind::kDiscrete ? tensor
                                                    : tensor.view({steps, space.choices()});
}

inline torch::Tensor LogProb(const Heads& heads, const torch::Tensor& actions) {
  return heads.log_std.defined() ? GaussianLogProb(heads.policy, heads.log_std, actions)
                                 : CategoricalLogProb(heads.policy, actions, heads.counts);
}

inline ObservationBatch ObservationsOn(torch::Device device, const ObservationBatch& batch) {
  ObservationBatch out;
  for (const torch::Tensor& column : batch.columns) out.columns.push_back(column.to(device));
  if (batch.mask.defined()) out.mask = batch.mask.to(device);
  return out;
}

// The rows of a named block in a flat vector.
inline torch::Tensor Part(const ParameterLayout& layout, const std::string& name,
                          const torch::Tensor& flat) {
  for (const ParameterBlock& block : layout.blocks())
    if (block.name == name) return flat.narrow(0, block.offset, block.size).view(block.shape);
  CADRE_CHECK(false);
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
  batch.observations = RandomTensor({observations, model.network().observation.elements()}, random);
  batch.observations.only().select(1, 0).copy_(torch::arange(observations) * 0.01);
  batch.observation_rows = torch::tensor(rows, torch::kInt64);
  const ActionSpace& action = model.network().action;
  torch::Tensor step_mask;  // Of the steps alone.
  if (action.masked) {
    batch.observations.mask = RandomMask(action, observations, random);
    step_mask = batch.observations.mask.index_select(0, batch.observation_rows);
  }
  batch.actions = RandomActions(action, steps, random, step_mask);
  batch.rewards = RandomTensor({steps}, random);
  const Heads heads = model.Forward(batch.observations.Select(batch.observation_rows));
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
