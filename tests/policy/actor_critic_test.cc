// A policy and its value on both runners, held against each other.
#include "policy/actor_critic.h"

#include <algorithm>
#include <cmath>
#include <memory>
#include <string>
#include <vector>

#include "gtest/gtest.h"
#include "policy/acting/on_policy_acting.h"
#include "policy/networks/bounded_parameters.h"
#include "policy/torch_distributions.h"
#include "tests/policy/example_networks.h"

namespace cadre {
namespace {

struct Example {
  std::string name;
  ModelConfig model;
  int64_t observation_size;
  ActionSpace action;
  int64_t batch;
};

std::vector<Example> Examples() {
  return {
      {"SeparateTanh", MlpModelConfig({64, 64}), 4, DiscreteActions(2), 256},
      {"SharedTanh", MlpModelConfig({64, 64}, TANH, true), 4, DiscreteActions(2), 256},
      {"SeparateRelu", MlpModelConfig({31, 17}, RELU), 7, DiscreteActions(5), 33},
      {"SharedRelu", MlpModelConfig({31, 17}, RELU, true), 7, DiscreteActions(5), 33},
      {"SeparateContinuous", MlpModelConfig({13}), 3, ContinuousActions(1), 19},
      {"SharedContinuous", MlpModelConfig({13, 9, 5}, TANH, true), 11, ContinuousActions(3), 19},
      {"DeviationOfTheState", WithStateDependentLogStd(MlpModelConfig({13})), 3,
       ContinuousActions(2), 19},
      {"SharedDeviationOfTheState", WithStateDependentLogStd(MlpModelConfig({13, 9}, RELU, true)),
       5, ContinuousActions(1), 8},
      {"BatchOfOne", MlpModelConfig({5}), 1, DiscreteActions(3), 1},
      {"SharedBatchOfOne", MlpModelConfig({1}, RELU, true), 2, ContinuousActions(2), 1},
  };
}

void SetParameters(ActorCritic& model, const std::vector<float>& values) {
  model.parameters().copy_(torch::tensor(values));
  model.ParametersChanged();
}

// Equal to 1e-5 of the largest magnitude.
void ExpectClose(const torch::Tensor& got, const torch::Tensor& wanted, const char* what) {
  ASSERT_EQ(got.defined(), wanted.defined()) << what;
  if (!wanted.defined()) return;
  ASSERT_EQ(got.sizes(), wanted.sizes()) << what;
  const double scale = wanted.abs().max().item<double>();
  EXPECT_GT(scale, 0) << what << " is all zeros: nothing is tested";
  EXPECT_LE((got - wanted).abs().max().item<double>(), 1e-5 * scale) << what;
}

class ActorCriticTest : public testing::TestWithParam<Example> {
 protected:
  void SetUp() override {
    const Example& example = GetParam();
    const ActorCriticNetwork network =
        ExampleNetwork(example.model, example.observation_size, example.action);
    const std::vector<float> parameters = RandomFloats(network.layout().size(), random_, 0.3);
    kernels_ = std::make_unique<ActorCritic>(network, Runner::kKernels);
    graph_ = std::make_unique<ActorCritic>(network, Runner::kGraph);
    SetParameters(*kernels_, parameters);
    SetParameters(*graph_, parameters);
  }
  torch::Tensor Observations(int64_t batch) {
    return torch::tensor(RandomFloats(batch * GetParam().observation_size, random_))
        .view({batch, GetParam().observation_size});
  }
  torch::Tensor RandomLike(const torch::Tensor& tensor) {
    return torch::tensor(RandomFloats(tensor.numel(), random_)).view(tensor.sizes());
  }

  Random random_{7};
  std::unique_ptr<ActorCritic> kernels_, graph_;
};

INSTANTIATE_TEST_SUITE_P(Networks, ActorCriticTest, testing::ValuesIn(Examples()),
                         [](const auto& info) { return info.param.name; });

TEST_P(ActorCriticTest, HeadsValuesAndGradientsAreTheSame) {
  // The second round is a smaller batch after a step: nothing may be left of the first.
  for (const int64_t batch : {GetParam().batch, (GetParam().batch + 1) / 2}) {
    const torch::Tensor observations = Observations(batch);
    ExpectClose(kernels_->Values(observations), graph_->Values(observations), "values");
    const Heads kernels = kernels_->Forward(observations);
    const Heads graph = graph_->Forward(observations);
    // Of a longer batch, after Forward: what Backward needs is left alone.
    const torch::Tensor more = Observations(batch + 3);
    ExpectClose(kernels_->Values(more), graph_->Values(more), "values");
    ASSERT_EQ(kernels.policy.sizes(),
              (std::vector<int64_t>{batch, kernels_->network().policy_outputs}));
    ASSERT_EQ(kernels.value.sizes(), std::vector<int64_t>{batch});
    EXPECT_FALSE(graph.policy.requires_grad() || graph.value.requires_grad());
    ExpectClose(kernels.policy, graph.policy, "policy");
    ExpectClose(kernels.value, graph.value, "value");
    ExpectClose(kernels.log_std, graph.log_std, "log_std");

    const Heads gradient{RandomLike(kernels.policy), RandomLike(kernels.value),
                         kernels.log_std.defined() ? RandomLike(kernels.log_std) : torch::Tensor()};
    graph_->Backward(gradient);
    kernels_->Backward({gradient.policy.clone(), gradient.value.clone(), gradient.log_std});
    ExpectClose(kernels_->gradient(), graph_->gradient(), "gradient");

    const torch::Tensor step = kernels_->parameters() - 0.1 * kernels_->gradient();
    const std::vector<float> next(step.data_ptr<float>(), step.data_ptr<float>() + step.numel());
    SetParameters(*kernels_, next);
    SetParameters(*graph_, next);
  }
}

TEST_P(ActorCriticTest, TheGradientReachesEveryBlock) {
  const torch::Tensor observations = Observations(GetParam().batch);
  for (ActorCritic* model : {kernels_.get(), graph_.get()}) {
    const Heads heads = model->Forward(observations);
    model->Backward({RandomLike(heads.policy), RandomLike(heads.value),
                     heads.log_std.defined() ? RandomLike(heads.log_std) : torch::Tensor()});
    for (const ParameterBlock& block : model->layout().blocks()) {
      // One unit may happen to be off.
      if (model->layout().size() < 20) continue;
      const torch::Tensor part = model->gradient().narrow(0, block.offset, block.size);
      EXPECT_GT(part.abs().max().item<double>(), 0) << block.name;
    }
  }
}

TEST_P(ActorCriticTest, ActingGivesTheLogProbOfTheTorchTwins) {
  const ActorCriticNetwork& network = graph_->network();
  v1::Parameters parameters;
  parameters.set_version(1);
  parameters.set_layout_fingerprint(network.layout().fingerprint());
  const torch::Tensor flat = graph_->parameters();
  parameters.set_values(flat.data_ptr<float>(), flat.numel() * sizeof(float));
  OnPolicyActing acting(network, {});
  ASSERT_TRUE(acting.Load(parameters).ok());

  const int64_t batch = GetParam().batch;
  const torch::Tensor observations = Observations(batch);
  std::vector<std::byte> actions(batch * network.action.bytes());
  std::vector<float> log_probs(batch);
  acting.Act({Block({observations.data_ptr<float>(), static_cast<size_t>(observations.numel())})},
             ActMode{}, random_, absl::MakeSpan(actions), absl::MakeSpan(log_probs));

  const Heads heads = graph_->Forward(observations);
  const torch::Tensor expected =
      network.discrete()
          ? CategoricalLogProb(
                heads.policy,
                torch::from_blob(actions.data(), {batch}, torch::kInt32).to(torch::kInt64))
          : GaussianLogProb(heads.policy, heads.log_std,
                            torch::from_blob(actions.data(), {batch, network.action.dimensions},
                                             torch::kFloat32));
  EXPECT_LE((torch::tensor(log_probs) - expected).abs().max().item<double>(), 2e-5);
}

constexpr float kMinLogStd = -1.5f, kMaxLogStd = 0.25f;

ActorCriticNetwork BoundedNetwork() {
  ModelConfig model = MlpModelConfig({5});
  model.mutable_mlp()->set_min_log_std(kMinLogStd);
  model.mutable_mlp()->set_max_log_std(kMaxLogStd);
  return ExampleNetwork(model, 3, ContinuousActions(3));
}

// Random ones, but for the log deviations.
std::vector<float> WithLogStd(const ActorCriticNetwork& network, const std::vector<float>& values,
                              Random& random) {
  std::vector<float> parameters = RandomFloats(network.layout().size(), random, 0.3);
  std::copy(values.begin(), values.end(), parameters.begin() + network.log_std);
  return parameters;
}

TEST(BoundedLogStdTest, EveryRunnerKeepsItWithinItsBoundsAndLetsItBackInside) {
  const ActorCriticNetwork network = BoundedNetwork();
  Random random(1);
  for (const Runner runner : {Runner::kKernels, Runner::kGraph}) {
    auto model = std::make_unique<ActorCritic>(network, runner);
    SetParameters(*model, WithLogStd(network, {3, -7, 0.125f}, random));
    const torch::Tensor bounded = torch::tensor({kMaxLogStd, kMinLogStd, 0.125f});
    const torch::Tensor log_std = model->parameters().narrow(0, network.log_std, 3);
    EXPECT_TRUE(torch::equal(log_std, bounded)) << log_std;
    const torch::Tensor observations = torch::tensor(RandomFloats(6, random)).view({2, 3});
    const Heads heads = model->Forward(observations);
    EXPECT_TRUE(torch::equal(heads.log_std, bounded)) << heads.log_std;
    model->Backward({torch::ones({2, 3}), torch::ones({2}), torch::tensor({1.0f, -1.0f, 1.0f})});
    model->parameters().sub_(model->gradient(), 0.5);
    model->ParametersChanged();
    EXPECT_TRUE(torch::allclose(log_std, torch::tensor({-0.25f, -1.0f, -0.375f}))) << log_std;
  }
}

TEST(StateDependentLogStdTest, IsClampedAndLetBackInsideOnly) {
  ModelConfig model = WithStateDependentLogStd(MlpModelConfig({}));
  model.mutable_mlp()->set_linear(true);
  model.mutable_mlp()->set_min_log_std(kMinLogStd);
  model.mutable_mlp()->set_max_log_std(kMaxLogStd);
  const ActorCriticNetwork network = ExampleNetwork(model, 1, ContinuousActions(1));
  for (const Runner runner : {Runner::kKernels, Runner::kGraph}) {
    ActorCritic policy(network, runner);
    // A policy of one observation x: mean x, log deviation x before it is clamped.
    std::vector<float> parameters(network.layout().size(), 0.0f);
    parameters[0] = parameters[1] = 1;
    SetParameters(policy, parameters);
    const torch::Tensor x = torch::tensor({-3.0f, -1.0f, 0.1f, 2.0f}).view({4, 1});
    for (const float slope : {1.0f, -1.0f}) {
      const Heads heads = policy.Forward(x);
      EXPECT_TRUE(torch::equal(heads.policy, x));
      EXPECT_TRUE(torch::equal(heads.log_std, x.clamp(kMinLogStd, kMaxLogStd)));
      policy.Backward({torch::zeros({4, 1}), {}, torch::full({4, 1}, slope)});
      // The bias has the sum of the slopes that pass: descent raises what is below the minimum,
      // and lowers what is above the maximum.
      const torch::Tensor bias = policy.gradient().narrow(0, 2, 2);
      EXPECT_TRUE(torch::equal(bias, torch::tensor({0.0f, 3 * slope}))) << bias;
    }
  }
}

TEST(BoundedLogStdTest, WhatAnotherDescendsHasNoSlopeOutOfTheBounds) {
  const ActorCriticNetwork network = BoundedNetwork();
  Random random(1);
  const torch::Tensor parameters =
      torch::tensor(WithLogStd(network, {kMaxLogStd, kMinLogStd, 0}, random));
  for (const float slope : {1.0f, -1.0f}) {
    const torch::Tensor gradient = torch::full({network.layout().size()}, slope);
    StopAtBounds(network.network, parameters, gradient);
    const torch::Tensor log_std = gradient.narrow(0, network.log_std, 3);
    EXPECT_TRUE(torch::equal(log_std, slope > 0 ? torch::tensor({1.0f, 0.0f, 1.0f})
                                                : torch::tensor({0.0f, -1.0f, -1.0f})))
        << log_std;
    EXPECT_EQ(gradient.abs().sum().item<float>(), network.layout().size() - 1) << "elsewhere, too";
  }
}

TEST(BoundedLogStdTest, ActorsClampWhatTheyAreSent) {
  const ActorCriticNetwork network = BoundedNetwork();
  Random random(1);
  const std::vector<float> flat = WithLogStd(network, {200, 200, 200}, random);
  v1::Parameters parameters;
  parameters.set_version(1);
  parameters.set_layout_fingerprint(network.layout().fingerprint());
  parameters.set_values(flat.data(), flat.size() * sizeof(float));
  OnPolicyActing acting(network, {});
  ASSERT_TRUE(acting.Load(parameters).ok());
  const std::vector<float> observations = RandomFloats(3000, random);
  std::vector<float> actions(3000), log_probs(1000);
  acting.Act({Block(observations)}, ActMode{}, random,
             absl::MakeSpan(reinterpret_cast<std::byte*>(actions.data()), 4 * actions.size()),
             absl::MakeSpan(log_probs));
  const double largest = 6 * std::exp(kMaxLogStd);
  for (const float action : actions) EXPECT_LT(std::abs(action), largest);
}

}  // namespace
}  // namespace cadre
