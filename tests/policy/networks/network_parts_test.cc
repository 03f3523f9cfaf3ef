// What model {} makes of the columns of an observation: the shapes of the layers, and what is
// refused.
#include "policy/networks/network_parts.h"

#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "gmock/gmock.h"
#include "google/protobuf/text_format.h"
#include "gtest/gtest.h"
#include "policy/networks/actor_critic_network.h"
#include "policy/networks/off_policy_network.h"
#include "tests/policy/example_networks.h"

namespace cadre {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

ModelConfig Model(const std::string& text) {
  ModelConfig model;
  CADRE_CHECK(google::protobuf::TextFormat::ParseFromString(text, &model));
  return model;
}

ObservationColumn Column(const std::string& name, v1::DType dtype, std::vector<int64_t> shape) {
  return {.name = name, .dtype = dtype, .shape = std::move(shape)};
}

ObservationSpace ImageSpace(std::vector<int64_t> shape) {
  return {{Column("obs", v1::DTYPE_UINT8, std::move(shape))}};
}

// Name and shape of each parameter block, without biases.
std::vector<std::string> Blocks(const Network& network) {
  std::vector<std::string> blocks;
  for (const ParameterBlock& block : network.layout.blocks())
    if (!absl::StrContains(block.name, "bias"))
      blocks.push_back(absl::StrCat(block.name, " ", absl::StrJoin(block.shape, "x")));
  return blocks;
}

std::vector<std::string> ActorCriticBlocks(const std::string& model,
                                           const ObservationSpace& observation) {
  const auto network = MakeActorCritic(Model(model), observation, ActionSpace::Discrete(3));
  CADRE_CHECK(network.ok());
  return Blocks(network->network);
}

TEST(NetworkPartsTest, HiddenLayersHaveADefaultUnlessThereIsAnEncoderOrAMemory) {
  EXPECT_THAT(HiddenLayersOf(Model("")).units, ElementsAre(64, 64));
  EXPECT_THAT(HiddenLayersOf(Model("mlp { activation: RELU }")).units, ElementsAre(64, 64));
  EXPECT_THAT(HiddenLayersOf(Model("mlp { hidden: [7] }")).units, ElementsAre(7));
  EXPECT_THAT(HiddenLayersOf(Model("mlp { linear: true }")).units, ElementsAre());
  EXPECT_THAT(HiddenLayersOf(Model("memory {}")).units, ElementsAre());
  EXPECT_THAT(HiddenLayersOf(Model("encoder {} mlp { hidden: [7] }")).units, ElementsAre(7));
}

TEST(NetworkPartsTest, NoHiddenLayerMeansLinearHeads) {
  EXPECT_THAT(ActorCriticBlocks("mlp { linear: true }", VectorSpace(4)),
              ElementsAre("policy.0.weight 3x4", "value.0.weight 1x4"));
}

TEST(NetworkPartsTest, NatureIsTheOneOfThePaper) {
  const ObservationSpace space = ImageSpace({4, 84, 84});
  EXPECT_THAT(ActorCriticBlocks("encoder { cnn { preset: NATURE } }", space),
              ElementsAre("encoder.obs.0.weight 32x4x8x8", "encoder.obs.1.weight 64x32x4x4",
                          "encoder.obs.2.weight 64x64x3x3", "encoder.obs.3.weight 512x3136",
                          "policy.0.weight 3x512", "value.0.weight 1x512"));
}

TEST(NetworkPartsTest, ImpalaHasThreeSectionsOfTwoResidualBlocks) {
  const auto network = MakeActorCritic(Model("encoder { cnn { preset: IMPALA } }"),
                                       ImageSpace({72, 96, 3}), ActionSpace::Discrete(9));
  int64_t convolutions = 0, pools = 0, sums = 0;
  for (const Operation& operation : network->network.operations) {
    convolutions += std::holds_alternative<Conv2d>(operation.kind);
    pools += std::holds_alternative<MaxPool2d>(operation.kind);
    sums += std::holds_alternative<Add>(operation.kind);
  }
  EXPECT_EQ(convolutions, 15);  // Espeholt et al. 2018, figure 3: 15 convolutional layers.
  EXPECT_EQ(pools, 3);
  EXPECT_EQ(sums, 6);
  EXPECT_THAT(Blocks(network->network), testing::Contains("encoder.obs.12.weight 256x3456"));
}

TEST(NetworkPartsTest, MinatarTakesChannelsLastAsTheyCome) {
  const auto network =
      MakeActorCritic(Model("encoder { cnn { preset: MINATAR } } mlp { hidden: [32] }"),
                      ImageSpace({10, 10, 4}), ActionSpace::Discrete(6));
  EXPECT_THAT(Blocks(network->network),
              ElementsAre("encoder.obs.0.weight 16x4x3x3", "encoder.obs.1.weight 128x1024",
                          "policy.0.weight 32x128", "policy.1.weight 6x32", "value.0.weight 32x128",
                          "value.1.weight 1x32"));
  EXPECT_TRUE(std::get<Conv2d>(network->network.operations[0].kind).channels_last);
}

TEST(NetworkPartsTest, AnImageWithoutChannelsHasOne) {
  EXPECT_THAT(
      ActorCriticBlocks("encoder { cnn { layer { filters: 2 kernel: 2 } } }", ImageSpace({4, 5})),
      ElementsAre("encoder.obs.0.weight 2x1x2x2", "policy.0.weight 3x24", "value.0.weight 1x24"));
}

TEST(NetworkPartsTest, ChannelsMayBeSaidAndLayersBeYourOwn) {
  EXPECT_THAT(ActorCriticBlocks("encoder { cnn { channels: LAST activation: GELU features: 5 "
                                "layer { filters: 2 kernel: 2 stride: 2 padding: 1 } } }",
                                ImageSpace({4, 6, 8})),
              ElementsAre("encoder.obs.0.weight 2x8x2x2", "encoder.obs.1.weight 5x24",
                          "policy.0.weight 3x5", "value.0.weight 1x5"));
}

TEST(NetworkPartsTest, ColumnsAreEncodedByThemselvesAndMeetInTheDenseLayers) {
  const ObservationSpace space{{Column("camera", v1::DTYPE_UINT8, {3, 12, 12}),
                                Column("joints", v1::DTYPE_FLOAT32, {7}),
                                Column("goal", v1::DTYPE_FLOAT32, {2, 2})}};
  EXPECT_THAT(ActorCriticBlocks("encoder { column: 'camera' cnn { layer { filters: 2 } } } "
                                "encoder { column: 'joints' mlp { hidden: [5] layer_norm: true } } "
                                "mlp { hidden: [6] shared_trunk: true }",
                                space),
              ElementsAre("encoder.camera.0.weight 2x3x3x3", "encoder.joints.0.weight 5x7",
                          "encoder.joints.0.norm.weight 5", "trunk.0.weight 6x209",  // 200 + 5 + 4
                          "policy.0.weight 3x6", "value.0.weight 1x6"));
}

TEST(NetworkPartsTest, SeparateEncodersBelongToEachHead) {
  EXPECT_THAT(ActorCriticBlocks("encoder { mlp { hidden: [5] } } memory { kind: LSTM units: 3 } "
                                "separate_encoders: true",
                                VectorSpace(4)),
              ElementsAre("policy.encoder.obs.0.weight 5x4", "policy.memory.weight_ih 12x5",
                          "policy.memory.weight_hh 12x3", "policy.0.weight 3x3",
                          "value.encoder.obs.0.weight 5x4", "value.memory.weight_ih 12x5",
                          "value.memory.weight_hh 12x3", "value.0.weight 1x3"));
}

TEST(NetworkPartsTest, AMemoryHasAStateOfAllItsLayers) {
  const auto state_size = [](const std::string& model) {
    return MakeActorCritic(Model(model), VectorSpace(4), ActionSpace::Discrete(2))
        ->network.state_size();
  };
  EXPECT_EQ(state_size(""), 0);
  EXPECT_EQ(state_size("memory { units: 5 }"), 5);
  EXPECT_EQ(state_size("memory { kind: LSTM units: 5 }"), 10);
  EXPECT_EQ(state_size("memory { kind: LSTM units: 5 } separate_encoders: true"), 20);
}

TEST(NetworkPartsTest, BytesAreScaledByTheLargestValueOfTheirSpace) {
  ObservationColumn plain = Column("plain", v1::DTYPE_UINT8, {3}), binary = plain;
  binary.name = "binary";
  binary.high = {1, 1, 1};
  NetworkBuilder builder;
  AddInputs(builder, ModelConfig(), {{plain, binary}});
  const Network network = std::move(builder).Build();
  EXPECT_EQ(network.inputs[0].scale, 1.0f / 255);
  EXPECT_EQ(network.inputs[1].scale, 1.0f);
}

TEST(NetworkPartsTest, EachCriticHasItsOwnEncoder) {
  const auto critics = MakeCritics(Model("encoder { mlp { hidden: [5] } }"), 2, VectorSpace(3),
                                   ContinuousActions(2));
  EXPECT_THAT(Blocks(critics->network),
              ElementsAre("critic.0.encoder.obs.0.weight 5x3", "critic.0.0.weight 1x7",
                          "critic.1.encoder.obs.0.weight 5x3", "critic.1.0.weight 1x7"));
}

TEST(NetworkPartsTest, ADuelingNetworkWithoutHiddenLayersIsTwoLinearStreams) {
  DqnConfig dueling;
  dueling.set_dueling(true);
  const auto network = MakeActionValueNetwork(Model("encoder { cnn { preset: MINATAR } }"), dueling,
                                              ImageSpace({10, 10, 4}), ActionSpace::Discrete(6));
  EXPECT_THAT(Blocks(network->network),
              ElementsAre("encoder.obs.0.weight 16x4x3x3", "encoder.obs.1.weight 128x1024",
                          "value.0.weight 1x128", "advantage.0.weight 6x128"));
}

struct Refused {
  std::string model;
  ObservationSpace observation;
  std::string error;
};

class RefusedModelTest : public testing::TestWithParam<Refused> {};

TEST_P(RefusedModelTest, SaysWhichGotAndWanted) {
  const absl::Status status = CheckModel(Model(GetParam().model), GetParam().observation);
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(status.message()), HasSubstr(GetParam().error));
}

INSTANTIATE_TEST_SUITE_P(
    Models, RefusedModelTest,
    testing::Values(Refused{"encoder { column: 'camera' mlp {} }", VectorSpace(4),
                            "model.encoder.column: got 'camera'; wanted one of 'obs'"},
                    Refused{"encoder { mlp {} } encoder { mlp {} }", VectorSpace(4),
                            "got 'obs' twice; wanted one encoder for a column"},
                    Refused{"encoder {}", VectorSpace(4),
                            "got no kind; wanted cnn { ... } or mlp { ... }"},
                    Refused{"encoder { cnn { preset: NATURE } }", VectorSpace(4),
                            "got observations [4]; wanted images, [height, width],"},
                    Refused{"encoder { cnn { preset: NATURE } }", ImageSpace({4, 28, 28}),
                            "got images of 2 x 2 at layer 2; wanted at least 3 x 3"},
                    Refused{"encoder { cnn { preset: NATURE layer { filters: 3 } } }",
                            ImageSpace({4, 84, 84}), "got a preset and layers; wanted one of them"},
                    Refused{"encoder { cnn {} }", ImageSpace({4, 84, 84}),
                            "got neither a preset nor layers; wanted one of them"},
                    Refused{"encoder { cnn { layer { filters: 3 kernel: 2 padding: 2 } } }",
                            ImageSpace({4, 84, 84}),
                            "got padding 2 at layer 0; wanted less than its kernel, 2"},
                    Refused{"", ObservationSpace{{Column("obs", v1::DTYPE_INT64, {3})}},
                            "observation column 'obs': got DTYPE_INT64; networks take"}));

}  // namespace
}  // namespace cadre
