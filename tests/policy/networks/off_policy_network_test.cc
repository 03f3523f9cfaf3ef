#include "policy/networks/off_policy_network.h"

#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "policy/networks/initial_parameters.h"
#include "tests/policy/example_networks.h"

namespace cadre {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

std::vector<std::string> BlockNames(const ParameterLayout& layout) {
  std::vector<std::string> names;
  for (const ParameterBlock& block : layout.blocks()) names.push_back(block.name);
  return names;
}

DqnConfig DuelingConfig(int atoms = 0) {
  DqnConfig config;
  config.set_dueling(true);
  if (atoms > 0) config.mutable_distributional()->set_atoms(atoms);
  return config;
}

ActionValueNetwork MakeQ(std::initializer_list<int32_t> hidden, const DqnConfig& config) {
  auto network = MakeActionValueNetwork(MlpModelConfig(hidden, RELU), config, VectorSpace(4),
                                        DiscreteActions(3));
  CADRE_CHECK(network.ok());
  return *std::move(network);
}

TEST(ActionValueNetworkTest, PlainIsTheHiddenLayersAndAHead) {
  const ActionValueNetwork network = MakeQ({7, 5}, {});
  EXPECT_EQ(network.atoms, 1);
  EXPECT_EQ(network.actions, 3);
  EXPECT_THAT(ShapeOf(network.network), ElementsAre("4>7*", "7>5*", "5>3"));
  EXPECT_THAT(BlockNames(network.layout()),
              ElementsAre("trunk.0.weight", "trunk.0.bias", "trunk.1.weight", "trunk.1.bias",
                          "head.0.weight", "head.0.bias"));
  EXPECT_EQ(network.layout().size(), 5 * 7 + 8 * 5 + 6 * 3);
}

TEST(ActionValueNetworkTest, DuelingStreamsHaveTheLastHiddenLayerEach) {
  const ActionValueNetwork network = MakeQ({7, 5}, DuelingConfig());
  EXPECT_THAT(ShapeOf(network.network),
              ElementsAre("4>7*", "7>5*", "5>1", "7>5*", "5>3", "dueling"));
  EXPECT_THAT(BlockNames(network.layout()),
              ElementsAre("trunk.0.weight", "trunk.0.bias", "value.0.weight", "value.0.bias",
                          "value.1.weight", "value.1.bias", "advantage.0.weight",
                          "advantage.0.bias", "advantage.1.weight", "advantage.1.bias"));
}

TEST(ActionValueNetworkTest, ASingleHiddenLayerLeavesDuelingStreamsNoTrunk) {
  const ActionValueNetwork network = MakeQ({7}, DuelingConfig());
  EXPECT_THAT(ShapeOf(network.network), ElementsAre("4>7*", "7>1", "4>7*", "7>3", "dueling"));
}

TEST(ActionValueNetworkTest, EveryActionHasItsAtoms) {
  DqnConfig config = DuelingConfig(11);
  config.mutable_distributional()->set_min_value(-3);
  config.mutable_distributional()->set_max_value(4);
  const ActionValueNetwork dueling = MakeQ({7, 5}, config);
  EXPECT_EQ(dueling.atoms, 11);
  EXPECT_EQ(dueling.min_value, -3);
  EXPECT_EQ(dueling.max_value, 4);
  EXPECT_THAT(ShapeOf(dueling.network),
              ElementsAre("4>7*", "7>5*", "5>11", "7>5*", "5>33", "dueling"));
  config.set_dueling(false);
  EXPECT_THAT(ShapeOf(MakeQ({7, 5}, config).network), ElementsAre("4>7*", "7>5*", "5>33"));
}

TEST(OffPolicyNetworkTest, AGaussianPolicyHasTwiceTheOutputsOfADeterministicOne) {
  for (const bool gaussian : {false, true}) {
    const auto network = MakeContinuousPolicy({}, gaussian, VectorSpace(3), ContinuousActions(2));
    ASSERT_TRUE(network.ok());
    EXPECT_THAT(ShapeOf(network->network),
                ElementsAre("3>64*", "64>64*", gaussian ? "64>4" : "64>2"));
    EXPECT_EQ(network->layout().blocks().back().name, "policy.2.bias");
    EXPECT_EQ(network->action.dimensions, 2);
  }
}

TEST(OffPolicyNetworkTest, ADiscretePolicyHasALogitForEachAction) {
  const auto network = MakeDiscretePolicy(MlpModelConfig({6}), VectorSpace(3), DiscreteActions(5));
  ASSERT_TRUE(network.ok());
  EXPECT_THAT(ShapeOf(network->network), ElementsAre("3>6*", "6>5"));
  EXPECT_EQ(network->actions, 5);
}

TEST(OffPolicyNetworkTest, CriticsTakeContinuousActionsAsInputAndValueAllDiscreteOnes) {
  const auto continuous = MakeCritics(MlpModelConfig({6}), 2, VectorSpace(3), ContinuousActions(2));
  ASSERT_TRUE(continuous.ok());
  EXPECT_EQ(continuous->network.heads.size(), 2);
  EXPECT_THAT(ShapeOf(continuous->network), ElementsAre("5>6*", "6>1", "5>6*", "6>1"));
  EXPECT_THAT(
      BlockNames(continuous->layout()),
      ElementsAre("critic.0.0.weight", "critic.0.0.bias", "critic.0.1.weight", "critic.0.1.bias",
                  "critic.1.0.weight", "critic.1.0.bias", "critic.1.1.weight", "critic.1.1.bias"));
  const auto discrete = MakeCritics(MlpModelConfig({6}), 1, VectorSpace(3), DiscreteActions(4));
  ASSERT_TRUE(discrete.ok());
  EXPECT_THAT(ShapeOf(discrete->network), ElementsAre("3>6*", "6>4"));
}

TEST(OffPolicyNetworkTest, WhatDoesNotFitIsRefusedWithWhatWasWanted) {
  const auto message = [](const absl::Status& status) {
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
    return std::string(status.message());
  };
  const ObservationSpace vector = VectorSpace(3);
  EXPECT_THAT(message(MakeActionValueNetwork({}, {}, vector, ContinuousActions(2)).status()),
              HasSubstr("wants actions of one discrete choice; the environment has float32[2]"));
  EXPECT_THAT(message(MakeContinuousPolicy({}, true, vector, DiscreteActions(4)).status()),
              HasSubstr("wants continuous actions; the environment has 4 choices"));
  EXPECT_THAT(message(MakeDiscretePolicy({}, vector, ContinuousActions(1)).status()),
              HasSubstr("wants actions of one discrete choice"));
  const ModelConfig shared = MlpModelConfig({8}, TANH, true);
  EXPECT_THAT(message(MakeCritics(shared, 2, vector, DiscreteActions(4)).status()),
              HasSubstr("model.mlp.shared_trunk"));
  ObservationSpace pixels = vector;
  pixels.columns[0].dtype = v1::DTYPE_INT64;
  EXPECT_THAT(message(MakeCritics({}, 2, pixels, DiscreteActions(4)).status()),
              HasSubstr("DTYPE_INT64"));
}

TEST(UniformParametersTest, FillEveryLayerWithinOneOverTheRootOfItsInputs) {
  const auto networks =
      MakeCritics(MlpModelConfig({64, 25}), 2, VectorSpace(14), ContinuousActions(2));
  ASSERT_TRUE(networks.ok());
  Random random(1);
  const std::vector<float> parameters = UniformParameters(networks->network, random);
  ASSERT_EQ(parameters.size(), networks->layout().size());
  {
    for (const Operation& operation : networks->network.operations) {
      const auto& layer = std::get<Dense>(operation.kind);
      const double bound = 1 / std::sqrt(static_cast<double>(layer.inputs));
      const auto begin = parameters.begin() + layer.weight;
      const auto [low, high] = std::minmax_element(begin, begin + layer.inputs * layer.outputs);
      EXPECT_GE(*low, -bound);
      EXPECT_LE(*high, bound);
      if (layer.outputs > 1) {  // Enough numbers to come close to both bounds.
        EXPECT_LT(*low, -0.97 * bound);
        EXPECT_GT(*high, 0.97 * bound);
      }
      for (int64_t o = 0; o < layer.outputs; ++o) {
        EXPECT_NE(parameters[layer.bias + o], 0);
        EXPECT_LE(std::abs(parameters[layer.bias + o]), bound);
      }
    }
  }
  const auto first = parameters.begin();
  const auto second = first + static_cast<int64_t>(parameters.size() / 2);
  EXPECT_FALSE(std::equal(first, first + 100, second)) << "twin critics start apart";
}

}  // namespace
}  // namespace cadre
