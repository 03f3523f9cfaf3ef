// What the tests of DDPG, TD3 and SAC share: batches, saved state, networks as a notebook
// would have them, and what every one of the algorithms must do.
#pragma once

#include <cmath>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <torch/autograd.h>
#include <torch/optim/adam.h>

#include "gtest/gtest.h"
#include "learner/algorithms/device/tensor_spans.h"
#include "learner/algorithms/off_policy.h"
#include "policy/networks/off_policy_network.h"
#include "tests/learner/algorithms/example_transitions.h"
#include "tests/policy/example_networks.h"

namespace cadre {

inline ActionSpace BoundedActions(const std::vector<float>& low, const std::vector<float>& high) {
  ActionSpace space = ContinuousActions(static_cast<int64_t>(low.size()));
  space.low = low;
  space.high = high;
  return space;
}

// ExampleTransitions with actions anywhere in their space.
inline OffPolicyBatch TransitionsIn(const ActionSpace& action, int64_t size,
                                    int64_t observation_size, Random& random) {
  OffPolicyBatch batch = ExampleTransitions(size, observation_size,
                                            action.discrete() ? action.alternatives() : 1, random);
  if (action.masked) {
    batch.observations.mask = RandomMask(action, size, random);
    batch.next_observations.mask = RandomMask(action, size, random);
    batch.actions = RandomActions(action, size, random, batch.observations.mask);
  }
  if (action.discrete()) return batch;
  batch.actions = torch::empty({size, action.dimensions});
  const absl::Span<float> actions = Flat(batch.actions);
  for (size_t i = 0; i < actions.size(); ++i) {
    const size_t a = i % action.low.size();
    actions[i] = static_cast<float>(random.Uniform(action.low[a], action.high[a]));
  }
  return batch;
}

inline TensorMap SavedState(const OffPolicyAlgorithm& algorithm) {
  TensorMap state;
  algorithm.Save(state);
  return state;
}

inline torch::Tensor SavedFloats(const OffPolicyAlgorithm& algorithm, const std::string& name) {
  const TensorMap state = SavedState(algorithm);
  const NamedTensor* tensor = state.Find(name);
  CADRE_CHECK(tensor != nullptr);
  torch::Tensor values = torch::empty({static_cast<int64_t>(tensor->bytes.size() / 4)});
  CADRE_CHECK(state.Read(name, Flat(values)).ok());
  return values;
}

inline double Diagnostic(const OffPolicyAlgorithm& algorithm, const std::string& name) {
  for (const auto& [key, value] : algorithm.diagnostics())
    if (key == name) return value;
  ADD_FAILURE() << "no diagnostic '" << name << "'";
  return 0;
}

// Networks with LibTorch's autograd and Adam, in float64.
class Notebook {
 public:
  // Each head of `network` is a chain of layers.
  Notebook(Network network, const torch::Tensor& parameters, double learning_rate,
           double adam_epsilon)
      : network_(std::move(network)),
        online_(parameters.to(torch::kFloat64).clone().requires_grad_()),
        target_(parameters.to(torch::kFloat64).clone()),
        adam_({online_}, torch::optim::AdamOptions(learning_rate).eps(adam_epsilon)) {}

  // `x` is all inputs side by side.
  torch::Tensor Run(int head, const torch::Tensor& x) const { return Run(head, online_, x); }
  torch::Tensor RunTarget(int head, const torch::Tensor& x) const { return Run(head, target_, x); }
  torch::Tensor LeastTarget(const torch::Tensor& x) const {
    return torch::min(RunTarget(0, x), RunTarget(1, x));
  }
  torch::Tensor Least(const torch::Tensor& x) const { return torch::min(Run(0, x), Run(1, x)); }

  // Returns the gradient's norm.
  double Descend(const torch::Tensor& loss) {
    adam_.zero_grad();
    const torch::Tensor gradient = torch::autograd::grad({loss}, {online_})[0];
    online_.mutable_grad() = gradient;
    adam_.step();
    return gradient.norm().item<double>();
  }
  void MoveTarget(double rate) { target_ = (1 - rate) * target_ + rate * online_.detach(); }

  torch::Tensor online() const { return online_.detach(); }
  torch::Tensor target() const { return target_; }

 private:
  torch::Tensor Run(int head, const torch::Tensor& flat, torch::Tensor x) const {
    for (const ValueId value : network_.ValuesFor({head})) {
      const auto& layer = std::get<Dense>(network_.OperationOf(value)->kind);
      const torch::Tensor weight = flat.narrow(0, layer.weight, layer.inputs * layer.outputs)
                                       .view({layer.outputs, layer.inputs});
      x = torch::matmul(x, weight.t()) + flat.narrow(0, layer.bias, layer.outputs);
      if (layer.activation == LayerActivation::kTanh) x = torch::tanh(x);
      if (layer.activation == LayerActivation::kRelu) x = torch::relu(x);
    }
    return x;
  }

  const Network network_;
  torch::Tensor online_, target_;
  torch::optim::Adam adam_;
};

inline void ExpectClose(const torch::Tensor& got, const torch::Tensor& wanted,
                        const std::string& what, double tolerance = 1e-5) {
  ASSERT_EQ(got.sizes(), wanted.sizes()) << what;
  const torch::Tensor wide = wanted.to(torch::kFloat64);
  const double scale = wide.abs().max().item<double>();
  EXPECT_GT(scale, 0) << what << " is all zeros: nothing is tested";
  EXPECT_LE((got.to(torch::kFloat64) - wide).abs().max().item<double>(), tolerance * scale) << what;
}

// Makes the algorithm under test from a seed.
using OffPolicyFactory = std::function<std::unique_ptr<OffPolicyAlgorithm>(uint64_t)>;

inline void Train(OffPolicyAlgorithm& algorithm, int updates, const ActionSpace& action,
                  uint64_t seed) {
  Random random(seed);
  const int64_t observation_size = algorithm.acting_layout().blocks().front().shape.at(1);
  for (int i = 0; i < updates; ++i)
    EXPECT_TRUE(algorithm.Update(TransitionsIn(action, 16, observation_size, random), 0, {}).ok());
}

// Another one, restored from the first one's state, goes on with the same bits.
inline void ExpectRestoreContinues(const OffPolicyFactory& make, const ActionSpace& action) {
  const auto first = make(1);
  Train(*first, 5, action, 11);
  const auto second = make(2);
  ASSERT_FALSE(torch::equal(first->acting_parameters(), second->acting_parameters()));
  second->acting_parameters().copy_(first->acting_parameters());
  second->ActingParametersChanged();
  ASSERT_TRUE(second->Restore(SavedState(*first)).ok());
  Train(*first, 5, action, 12);
  Train(*second, 5, action, 12);
  EXPECT_TRUE(torch::equal(first->acting_parameters(), second->acting_parameters()));
  const TensorMap wanted = SavedState(*first), got = SavedState(*second);
  for (const NamedTensor& tensor : wanted.tensors()) {
    ASSERT_NE(got.Find(tensor.name), nullptr) << tensor.name;
    EXPECT_EQ(got.Find(tensor.name)->bytes, tensor.bytes) << tensor.name;
  }
}

// Whatever tensor is missing, Restore says which.
inline void ExpectMissingTensorsAreDataLoss(const OffPolicyFactory& make) {
  const TensorMap state = SavedState(*make(1));
  ASSERT_FALSE(state.empty());
  for (const NamedTensor& left_out : state.tensors()) {
    TensorMap rest;
    for (const NamedTensor& tensor : state.tensors())
      if (tensor.name != left_out.name) rest.Add(tensor);
    const absl::Status status = make(1)->Restore(rest);
    EXPECT_TRUE(absl::IsDataLoss(status)) << left_out.name << ": " << status;
    EXPECT_NE(std::string(status.message()).find(left_out.name), std::string::npos) << status;
  }
}

// One-step episodes: the state is one number s in [-1, 1], the reward -(a - best(s))^2.
inline OffPolicyBatch BanditBatch(int64_t size, const ActionSpace& action,
                                  const std::function<double(double)>& best, Random& random) {
  OffPolicyBatch batch = TransitionsIn(action, size, 1, random);
  batch.discounts.zero_();
  batch.weights.fill_(1);
  for (int64_t b = 0; b < size; ++b) {
    const double s = random.Uniform(-1, 1);
    const double miss = Flat(batch.actions)[b] - best(s);
    Flat(batch.observations.only())[b] = static_cast<float>(s);
    Flat(batch.rewards)[b] = static_cast<float>(-miss * miss);
  }
  return batch;
}

// The greedy action of a policy whose head's first output is the mean, in the bounds.
inline double GreedyAction(OffPolicyAlgorithm& algorithm, const ContinuousPolicyNetwork& network,
                           double s) {
  const absl::Span<const float> flat = Flat(algorithm.acting_parameters());
  const double u = NaiveHead(network.network, 0, {flat.begin(), flat.end()}, {{s}})[0];
  const double low = network.action.low[0], high = network.action.high[0];
  return low + (std::tanh(u) + 1) / 2 * (high - low);
}

}  // namespace cadre
