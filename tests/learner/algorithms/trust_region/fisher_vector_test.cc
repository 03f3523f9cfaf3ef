#include "learner/algorithms/trust_region/fisher_vector.h"

#include <string>
#include <vector>

#include "gtest/gtest.h"
#include "tests/learner/algorithms/example_batch.h"
#include "tests/learner/algorithms/trust_region/dense_fisher.h"

namespace cadre {
namespace {

constexpr int64_t kObservation = 3;

struct Example {
  std::string name;
  ActorCriticNetwork network;
  torch::Tensor parameters, observations;  // Float64.

  torch::Tensor RandomVector(Random& random) const {
    return RandomTensor({parameters.size(0)}, random).to(torch::kFloat64);
  }
};

std::vector<Example> Examples() {
  std::vector<Example> examples;
  Random random(1);
  const auto add = [&](const std::string& name, const ModelConfig& model,
                       const ActionSpace& action) {
    Example example{name, ExampleNetwork(model, kObservation, action), {}, {}};
    example.parameters =
        RandomTensor({example.network.layout().size()}, random, 0.5).to(torch::kFloat64);
    example.observations = RandomTensor({13, kObservation}, random).to(torch::kFloat64);
    examples.push_back(std::move(example));
  };
  add("discrete", MlpModelConfig({6, 5}), DiscreteActions(4));
  add("discrete, relu", MlpModelConfig({6}, RELU), DiscreteActions(2));
  add("Gaussian", MlpModelConfig({6, 5}), ContinuousActions(2));
  add("Gaussian, relu", MlpModelConfig({7}, RELU), ContinuousActions(1));
  add("Gaussian, shared trunk", MlpModelConfig({6, 5}, TANH, true), ContinuousActions(3));
  ModelConfig model = WithStateDependentLogStd(MlpModelConfig({6, 5}));
  model.mutable_mlp()->set_max_log_std(0.3);  // Some rows are clamped.
  add("Gaussian, a deviation for each state", model, ContinuousActions(2));
  return examples;
}

double RelativeError(const torch::Tensor& got, const torch::Tensor& wanted) {
  return ((got - wanted).norm() / wanted.norm()).item<double>();
}

TEST(FisherVectorTest, EqualsFiniteDifferencesOfTheKlGradient) {
  constexpr double kStep = 1e-5;
  for (const Example& example : Examples()) {
    const FisherVectorProduct fisher(example.network, example.parameters, example.observations);
    Random random(2);
    const auto gradient_at = [&](const torch::Tensor& parameters) {
      return KlGradient(example.network, example.parameters, parameters.detach().requires_grad_(),
                        example.observations)
          .detach();
    };
    for (int i = 0; i < 5; ++i) {
      const torch::Tensor v = example.RandomVector(random);
      const torch::Tensor difference =
          gradient_at(example.parameters + kStep * v) - gradient_at(example.parameters - kStep * v);
      EXPECT_LT(RelativeError(fisher(v), difference / (2 * kStep)), 1e-6) << example.name;
    }
  }
}

TEST(FisherVectorTest, EqualsTheHessianOfTheKl) {
  for (const Example& example : Examples()) {
    const FisherVectorProduct fisher(example.network, example.parameters, example.observations);
    const torch::Tensor dense =
        DenseFisher(example.network, example.parameters, example.observations);
    EXPECT_LT(RelativeError(dense, dense.t()), 1e-10) << example.name;
    Random random(3);
    for (int i = 0; i < 5; ++i) {
      const torch::Tensor v = example.RandomVector(random);
      EXPECT_LT(RelativeError(fisher(v), dense.mv(v)), 1e-10) << example.name;
    }
  }
}

TEST(FisherVectorTest, SinglePrecisionIsEnough) {
  for (const Example& example : Examples()) {
    const FisherVectorProduct wide(example.network, example.parameters, example.observations);
    const FisherVectorProduct fisher(example.network, example.parameters.to(torch::kFloat32),
                                     example.observations.to(torch::kFloat32));
    Random random(4);
    const torch::Tensor v = example.RandomVector(random);
    const torch::Tensor product = fisher(v.to(torch::kFloat32));
    EXPECT_EQ(product.scalar_type(), torch::kFloat32);
    EXPECT_LT(RelativeError(product.to(torch::kFloat64), wide(v)), 1e-5) << example.name;
  }
}

TEST(FisherVectorTest, TheValuesParametersPlayNoPart) {
  for (const Example& example : Examples()) {
    const FisherVectorProduct fisher(example.network, example.parameters, example.observations);
    const Network& network = example.network.network;
    const auto& head =
        std::get<Dense>(network.OperationOf(network.heads[ActorCriticNetwork::kValue].value)->kind);
    torch::Tensor v = torch::zeros_like(example.parameters);
    v.narrow(0, head.weight, head.inputs * head.outputs).fill_(1);
    EXPECT_EQ(fisher(v).abs().max().item<double>(), 0) << example.name;
    v.fill_(1);
    EXPECT_EQ(fisher(v)[head.bias].item<double>(), 0) << example.name;
  }
}

}  // namespace
}  // namespace cadre
