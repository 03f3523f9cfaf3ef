// What the tests of the algorithms that weigh steps by pi/mu share: an example, and a
// gradient through autograd to hold theirs against.
#pragma once

#include <map>
#include <string>
#include <utility>
#include <vector>

#include <torch/autograd.h>

#include "gtest/gtest.h"
#include "learner/algorithms/device/tensor_spans.h"
#include "learner/algorithms/optimization/gradient_algorithm.h"
#include "tests/learner/algorithms/example_batch.h"

namespace cadre {

inline std::vector<float> Numbers(const torch::Tensor& tensor) {
  const torch::Tensor plain = tensor.cpu().contiguous();
  const absl::Span<const float> values = Flat(plain);
  return {values.begin(), values.end()};
}

// A model, and a batch that another policy acted.
struct StaleExample {
  explicit StaleExample(const ActionSpace& action, double staleness = 0.5)
      : model(WithParameters(OnKernels(ExampleNetwork(MlpModelConfig({9}), 4, action)))) {
    Random random(2);
    batch = ExampleBatch(*model, {5, 8, 11}, random, staleness);
    const Heads heads = model->Forward(batch.observations);
    values = Numbers(heads.value);
    const Heads steps{.policy = heads.policy.index_select(0, batch.observation_rows),
                      .value = heads.value,
                      .log_std = heads.log_std};
    ratios = Numbers((LogProb(steps, batch.actions) - batch.log_probs).exp());
  }

  std::unique_ptr<ActorCritic> model;
  OnPolicyBatch batch;
  std::vector<float> values;  // [N + S], V of each observation row.
  std::vector<float> ratios;  // [N]
};

// The gradient with respect to all parameters of
//   mean(-w A log pi - c_entropy H + c_value (V - R)^2), through LibTorch alone.
inline torch::Tensor GradientByAutograd(const StaleExample& example,
                                        const std::vector<float>& weights,
                                        const std::vector<float>& advantages,
                                        const std::vector<float>& returns, double value,
                                        double entropy) {
  auto twin = OnGraph(example.model->network());
  twin->parameters().copy_(example.model->parameters());
  twin->ParametersChanged();
  const OnPolicyBatch& batch = example.batch;
  // Leaves in the place of the heads; the network below them is tested by itself.
  Heads heads = twin->Forward(batch.observations.only().index_select(0, batch.observation_rows));
  heads.policy = heads.policy.detach().clone().requires_grad_();
  heads.value = heads.value.detach().clone().requires_grad_();
  std::vector<torch::Tensor> leaves = {heads.policy, heads.value};
  torch::Tensor entropies;
  if (heads.log_std.defined()) {
    heads.log_std = heads.log_std.detach().clone().requires_grad_();
    leaves.push_back(heads.log_std);
    entropies = GaussianEntropy(heads.log_std);
  } else {
    entropies = CategoricalEntropy(heads.policy).mean();
  }
  const torch::Tensor loss =
      (-torch::tensor(weights) * torch::tensor(advantages) * LogProb(heads, batch.actions)).mean() -
      entropy * entropies + value * (heads.value - torch::tensor(returns)).square().mean();
  const auto gradients = torch::autograd::grad({loss}, leaves);
  Heads gradient{.policy = gradients[0], .value = gradients[1], .log_std = {}};
  if (heads.log_std.defined()) gradient.log_std = gradients[2];
  twin->Backward(gradient);
  return twin->gradient().clone();
}

inline std::map<std::string, double> ComputeGradient(GradientAlgorithm& algorithm,
                                                     const OnPolicyBatch& batch) {
  Diagnostics diagnostics;
  EXPECT_TRUE(algorithm.ComputeGradient(batch, 0, diagnostics).value());
  return {diagnostics.begin(), diagnostics.end()};
}

inline void ExpectSameGradient(const torch::Tensor& got, const torch::Tensor& wanted) {
  const double scale = wanted.abs().max().item<double>();
  ASSERT_GT(scale, 1e-3) << "nothing is tested";
  EXPECT_LT((got - wanted).abs().max().item<double>(), 1e-4 * scale);
}

}  // namespace cadre
