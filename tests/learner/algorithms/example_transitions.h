// Batches for the tests of off-policy algorithms with discrete actions.
#pragma once

#include <cstdint>
#include <vector>

#include <torch/types.h>

#include "common/random.h"
#include "learner/algorithms/off_policy.h"
#include "tests/learner/algorithms/example_batch.h"

namespace cadre {

// Random transitions, every fourth one terminal, with weights in (0, 1].
inline OffPolicyBatch ExampleTransitions(int64_t items, int64_t observation_size, int64_t actions,
                                         Random& random) {
  OffPolicyBatch batch;
  batch.observations = RandomTensor({items, observation_size}, random);
  batch.next_observations = RandomTensor({items, observation_size}, random);
  batch.rewards = RandomTensor({items}, random);
  std::vector<int64_t> taken(items);
  std::vector<float> discounts(items), weights(items);
  for (int64_t b = 0; b < items; ++b) {
    taken[b] = static_cast<int64_t>(random.Below(actions));
    discounts[b] = b % 4 == 3 ? 0.0f : 0.9f;
    weights[b] = 1 - random.UniformFloat();
  }
  batch.actions = torch::tensor(taken, torch::kInt64);
  batch.discounts = torch::tensor(discounts);
  batch.weights = torch::tensor(weights);
  return batch;
}

}  // namespace cadre
