#include "policy/networks/network.h"

#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "policy/networks/network_builder.h"
#include "tests/policy/example_networks.h"

namespace cadre {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

std::vector<std::string> BlockNames(const ActorCriticNetwork& network) {
  std::vector<std::string> names;
  for (const ParameterBlock& block : network.layout().blocks()) names.push_back(block.name);
  return names;
}

// The rows of W, or its columns where there are fewer, are orthogonal and `gain` long.
void ExpectOrthogonal(const Dense& layer, const std::vector<float>& parameters, double gain) {
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
  EXPECT_EQ(network.layout().size(), 9155);
  EXPECT_FALSE(network.shared_trunk);
  EXPECT_THAT(ShapeOf(network.network),
              ElementsAre("4>64*", "64>64*", "64>2", "4>64*", "64>64*", "64>1"));
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
  EXPECT_TRUE(network.shared_trunk);
  EXPECT_THAT(ShapeOf(network.network), ElementsAre("3>7*", "7>5*", "5>2", "5>1"));
  const auto& layer = std::get<Dense>(network.network.operations[1].kind);
  EXPECT_EQ(layer.activation, LayerActivation::kRelu);
  EXPECT_EQ(network.log_std, network.layout().size() - 2);
}

TEST(ActorCriticNetworkTest, ObservationsThatAreNeitherFloatsNorBytesAreRefused) {
  ObservationSpace pixels = VectorSpace(4);
  pixels.columns[0].dtype = v1::DTYPE_INT64;
  const auto network = MakeActorCritic({}, pixels, DiscreteActions(2));
  EXPECT_EQ(network.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(network.status().message()), HasSubstr("DTYPE_INT64"));
}

TEST(InitialParametersTest, WeightsAreOrthogonalWithTheGainOfTheirPlace) {
  for (const bool shared : {false, true}) {
    const ActorCriticNetwork network =
        ExampleNetwork(MlpModelConfig({33, 20}, TANH, shared), 5, DiscreteActions(3));
    Random random(1);
    const std::vector<float> parameters = InitialParameters(network, random);
    for (const Operation& operation : network.network.operations) {
      const auto& layer = std::get<Dense>(operation.kind);
      const bool head = layer.activation == LayerActivation::kNone;
      ExpectOrthogonal(layer, parameters, !head ? std::sqrt(2.0) : layer.outputs == 1 ? 1.0 : 0.01);
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

TEST(InitialParametersTest, ADeviationOfTheStateBeginsAroundWhatTheConfigSays) {
  ModelConfig model = MlpModelConfig({4});
  model.mutable_mlp()->set_initial_log_std(-0.5);
  model.mutable_mlp()->set_state_dependent_log_std(true);
  const ActorCriticNetwork network = ExampleNetwork(model, 3, ContinuousActions(2));
  EXPECT_EQ(network.log_std, -1);
  EXPECT_THAT(ShapeOf(network.network), ElementsAre("3>4*", "4>4", "3>4*", "4>1"));
  Random random(1);
  const std::vector<float> parameters = InitialParameters(network, random);
  const auto& head = std::get<Dense>(network.network.operations[1].kind);
  EXPECT_THAT(
      std::vector<float>(parameters.begin() + head.bias, parameters.begin() + head.bias + 4),
      ElementsAre(0, 0, -0.5f, -0.5f));
}

TEST(InitialParametersTest, FollowFromTheSeed) {
  const ActorCriticNetwork network = ExampleNetwork(MlpModelConfig({8}), 4, DiscreteActions(2));
  Random a(1), b(1), c(2);
  const std::vector<float> first = InitialParameters(network, a);
  EXPECT_EQ(first, InitialParameters(network, b));
  EXPECT_NE(first, InitialParameters(network, c));
}

// a, b -> p = a; q = (p, b), both of which r reads; s = q.
Network Branching() {
  NetworkBuilder builder;
  const ValueId a = builder.AddInput("a", {2}), b = builder.AddInput("b", {3});
  const ValueId p = builder.AddDense("p", {a}, 4, LayerActivation::kTanh, 1);
  const ValueId q = builder.AddDense("q", {p, b}, 5, LayerActivation::kTanh, 1);
  builder.AddHead("r", builder.AddDense("r", {q, p}, 6, LayerActivation::kNone, 1));
  builder.AddHead("s", builder.AddDense("s", {q}, 7, LayerActivation::kNone, 1));
  builder.AddHead("p", p);
  builder.AddBounded("free", 2, -1, 1);
  return std::move(builder).Build();
}

TEST(NetworkTest, OperandsStandSideBySide) {
  const Network network = Branching();
  EXPECT_THAT(ShapeOf(network), ElementsAre("2>4*", "7>5*", "9>6", "5>7"));
  EXPECT_EQ(network.layout.size(), 3 * 4 + 8 * 5 + 10 * 6 + 6 * 7 + 2);
  EXPECT_EQ(network.RowSize(1), 3);
  EXPECT_EQ(network.RowSize(3), 5);
}

TEST(NetworkTest, AHeadDependsOnWhatLeadsToItAlone) {
  const Network network = Branching();
  EXPECT_THAT(network.ValuesFor({network.Head("p")}), ElementsAre(2));
  EXPECT_THAT(network.ValuesFor({network.Head("s")}), ElementsAre(2, 3, 5));
  EXPECT_THAT(network.ValuesFor({0, 1, 2}), ElementsAre(2, 3, 4, 5));
}

TEST(NetworkTest, AHeadsParametersAreOnePiece) {
  const ActorCriticNetwork network = ExampleNetwork(MlpModelConfig({7}), 3, ContinuousActions(2));
  const Network::Range value = network.network.ParametersOf(ActorCriticNetwork::kValue);
  EXPECT_EQ(value.size, 4 * 7 + 8);
  EXPECT_EQ(value.offset + value.size, network.log_std);
}

}  // namespace
}  // namespace cadre
