#include "policy/network.h"

#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/policy/example_networks.h"

namespace cadre {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

std::vector<std::string> BlockNames(const ActorCriticNetwork& network) {
  std::vector<std::string> names;
  for (const ParameterBlock& block : network.layout.blocks()) names.push_back(block.name);
  return names;
}

// The rows of W, or its columns where there are fewer, are orthogonal and `gain` long.
void ExpectOrthogonal(const DenseLayer& layer, const std::vector<float>& parameters, double gain) {
  const float* w = &parameters[layer.weight];
  const bool rows = layer.outputs <= layer.inputs;
  const int64_t count = std::min(layer.outputs, layer.inputs);
  const int64_t length = std::max(layer.outputs, layer.inputs);
  const auto at = [&](int64_t vector, int64_t k) -> double {
    return rows ? w[vector * layer.inputs + k] : w[k * layer.inputs + vector];
  };
  for (int64_t i = 0; i < count; ++i)
    for (int64_t j = 0; j <= i; ++j) {
      double dot = 0;
      for (int64_t k = 0; k < length; ++k) dot += at(i, k) * at(j, k);
      ASSERT_NEAR(dot, i == j ? gain * gain : 0, 1e-6 * gain * gain) << i << ", " << j;
    }
}

TEST(ActorCriticNetworkTest, SeparateNetworksForCartPoleHave9155Parameters) {
  const ActorCriticNetwork network = ExampleNetwork({}, 4, DiscreteActions(2));
  // 64 x 4 + 64 + 64 x 64 + 64 twice, then 2 x 64 + 2 and 64 + 1.
  EXPECT_EQ(network.layout.size(), 9155);
  EXPECT_TRUE(network.trunk.empty());
  EXPECT_EQ(network.policy_outputs, 2);
  EXPECT_EQ(network.log_std, -1);
  EXPECT_THAT(BlockNames(network),
              ElementsAre("policy.0.weight", "policy.0.bias", "policy.1.weight", "policy.1.bias",
                          "policy.2.weight", "policy.2.bias", "value.0.weight", "value.0.bias",
                          "value.1.weight", "value.1.bias", "value.2.weight", "value.2.bias"));
}

TEST(ActorCriticNetworkTest, ASharedTrunkHasTwoHeads) {
  const ActorCriticNetwork network =
      ExampleNetwork(MlpModelConfig({7, 5}, RELU, true), 3, ContinuousActions(2));
  EXPECT_THAT(BlockNames(network), ElementsAre("trunk.0.weight", "trunk.0.bias", "trunk.1.weight",
                                               "trunk.1.bias", "policy.0.weight", "policy.0.bias",
                                               "value.0.weight", "value.0.bias", "policy.log_std"));
  ASSERT_EQ(network.trunk.size(), 2);
  EXPECT_EQ(network.trunk[1].activation, LayerActivation::kRelu);
  ASSERT_EQ(network.policy.size(), 1);
  EXPECT_EQ(network.policy[0].inputs, 5);
  EXPECT_EQ(network.policy[0].activation, LayerActivation::kNone);
  EXPECT_EQ(network.value[0].outputs, 1);
  EXPECT_EQ(network.log_std, network.layout.size() - 2);
}

TEST(ActorCriticNetworkTest, ObservationsThatAreNotFloatsAreRefused) {
  ObservationSpace pixels = VectorSpace(4);
  pixels.dtype = v1::DTYPE_UINT8;
  const auto network = MakeActorCritic({}, pixels, DiscreteActions(2));
  EXPECT_EQ(network.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(network.status().message()), HasSubstr("DTYPE_UINT8"));
}

TEST(InitialParametersTest, WeightsAreOrthogonalWithTheGainOfTheirPlace) {
  for (const bool shared : {false, true}) {
    const ActorCriticNetwork network =
        ExampleNetwork(MlpModelConfig({33, 20}, TANH, shared), 5, DiscreteActions(3));
    Random random(1);
    const std::vector<float> parameters = InitialParameters(network, random);
    for (const Mlp* mlp : {&network.trunk, &network.policy, &network.value})
      for (const DenseLayer& layer : *mlp) {
        const bool head = layer.activation == LayerActivation::kNone;
        const double gain = !head ? std::sqrt(2.0) : mlp == &network.policy ? 0.01 : 1.0;
        ExpectOrthogonal(layer, parameters, gain);
        for (int64_t o = 0; o < layer.outputs; ++o) EXPECT_EQ(parameters[layer.bias + o], 0);
      }
  }
}

TEST(InitialParametersTest, TheDeviationIsWhatTheConfigSays) {
  ModelConfig model = MlpModelConfig({4});
  model.mutable_mlp()->set_initial_log_std(-0.5);
  const ActorCriticNetwork network = ExampleNetwork(model, 3, ContinuousActions(2));
  Random random(1);
  const std::vector<float> parameters = InitialParameters(network, random);
  EXPECT_EQ(parameters[network.log_std], -0.5f);
  EXPECT_EQ(parameters[network.log_std + 1], -0.5f);
}

TEST(InitialParametersTest, FollowFromTheSeed) {
  const ActorCriticNetwork network = ExampleNetwork(MlpModelConfig({8}), 4, DiscreteActions(2));
  Random a(1), b(1), c(2);
  const std::vector<float> first = InitialParameters(network, a);
  EXPECT_EQ(first, InitialParameters(network, b));
  EXPECT_NE(first, InitialParameters(network, c));
}

}  // namespace
}  // namespace cadre
