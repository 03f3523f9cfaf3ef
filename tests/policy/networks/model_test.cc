// The two runners of one network, held against each other.
#include "policy/networks/model.h"

#include <memory>
#include <string>
#include <vector>

#include <torch/autograd.h>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"
#include "policy/networks/network_builder.h"
#include "policy/networks/off_policy_network.h"
#include "tests/policy/example_networks.h"

namespace cadre {
namespace {

struct Example {
  std::string name;
  Network network;
  int64_t batch;      // Sequences.
  int64_t steps = 1;  // Rows of each.
};

Network Critics(const ModelConfig& model, int64_t observation_size, int64_t action_size) {
  return MakeCritics(model, 2, VectorSpace(observation_size), ContinuousActions(action_size))
      ->network;
}

Network Dueling(const ModelConfig& model, int atoms) {
  DqnConfig config;
  config.set_dueling(true);
  if (atoms > 1) config.mutable_distributional()->set_atoms(atoms);
  return MakeActionValueNetwork(model, config, VectorSpace(4), DiscreteActions(3))->network;
}

// Images of uint8, two convolutions, and a dense layer.
Network Convolutions(bool channels_last, int64_t height, int64_t width) {
  NetworkBuilder builder;
  const std::vector<int64_t> shape = channels_last ? std::vector<int64_t>{height, width, 3}
                                                   : std::vector<int64_t>{3, height, width};
  const ValueId image = builder.AddInput(
      {.name = "image", .dtype = v1::DTYPE_UINT8, .shape = shape, .scale = 1.0f / 255});
  const ValueId first = builder.AddConv2d("a", image,
                                          {.in = {3, height, width},
                                           .filters = 8,
                                           .kernel = 4,
                                           .stride = 2,
                                           .channels_last = channels_last},
                                          LayerActivation::kRelu);
  const ValueId second =
      builder.AddConv2d("b", first, {.in = builder.ImageOf(first), .filters = 6, .kernel = 3},
                        LayerActivation::kRelu);
  builder.AddHead(
      "y", builder.AddDense("y", {builder.AddFlatten(second)}, 5, LayerActivation::kNone, 1));
  return std::move(builder).Build();
}

Network GreyImage() {
  NetworkBuilder builder;
  const ValueId image = builder.AddInput(
      {.name = "image", .dtype = v1::DTYPE_UINT8, .shape = {9, 8}, .scale = 1.0f / 255});
  const ValueId conv = builder.AddConv2d("a", image, {.in = {1, 9, 8}, .filters = 4, .kernel = 3},
                                         LayerActivation::kTanh);
  builder.AddHead(
      "y", builder.AddDense("y", {builder.AddFlatten(conv)}, 5, LayerActivation::kNone, 0.1));
  return std::move(builder).Build();
}

// Pooling, a residual block, and an activation of its own, from numbers, and a second input.
Network Residual(LayerActivation activation) {
  NetworkBuilder builder;
  const ValueId image = builder.AddInput("image", {2, 11, 9}), other = builder.AddInput("x", {3});
  const ValueId conv =
      builder.AddConv2d("a", image, {.in = {2, 11, 9}, .filters = 4, .kernel = 3, .padding = 1},
                        LayerActivation::kNone);
  const ValueId pooled = builder.AddMaxPool2d(conv, 3, 2, 1);
  const Conv2d same{.in = builder.ImageOf(pooled), .filters = 4, .kernel = 3, .padding = 1};
  const ValueId inner =
      builder.AddConv2d("b", builder.AddActivate(pooled, activation), same, activation);
  const ValueId outer = builder.AddConv2d("c", inner, same, LayerActivation::kNone);
  const ValueId sum = builder.AddActivate(builder.AddSum(outer, pooled), activation);
  builder.AddHead(
      "y", builder.AddDense("y", {builder.AddFlatten(sum), other}, 5, LayerActivation::kNone, 1));
  return std::move(builder).Build();
}

Network Normalised(LayerActivation activation) {
  NetworkBuilder builder;
  ValueId x = builder.AddInput("x", {7});
  for (const char* name : {"a", "b"}) {
    const ValueId y = builder.AddDense(name, {x}, 12, LayerActivation::kNone, 1);
    x = builder.AddActivate(builder.AddLayerNorm(absl::StrCat(name, ".norm"), y), activation);
  }
  builder.AddHead("y", builder.AddDense("y", {x}, 3, LayerActivation::kNone, 1));
  return std::move(builder).Build();
}

// Dense, memory, dense; `layers` of memory one after the other, and the first layer's result goes
// to the head as well.
Network Memory(std::vector<Recurrent::Kind> layers) {
  NetworkBuilder builder;
  const ValueId x = builder.AddInput("x", {4});
  builder.AddInput({.name = kStateInput, .shape = {0}, .per_sequence = true});
  builder.AddInput(kStartsInput, {});
  const ValueId features = builder.AddDense("a", {x}, 6, LayerActivation::kTanh, 1);
  ValueId last = features;
  for (size_t i = 0; i < layers.size(); ++i)
    last = builder.AddRecurrent(absl::StrCat("memory.", i), layers[i], {last, x}, 5);
  builder.AddHead("y", builder.AddDense("y", {last, features}, 3, LayerActivation::kNone, 1));
  return std::move(builder).Build();
}

std::vector<Example> Examples() {
  constexpr Recurrent::Kind kGru = Recurrent::kGru, kLstm = Recurrent::kLstm;
  return {{"Tanh", Critics(MlpModelConfig({64, 64}), 3, 1), 128},
          {"Relu", Critics(MlpModelConfig({31, 17}, RELU), 7, 2), 33},
          {"Wide", Critics(MlpModelConfig({256, 256}, RELU), 17, 6), 70},
          {"OddlyWide", Critics(MlpModelConfig({401, 300}, RELU), 11, 3), 64},
          {"BatchOfOne", Critics(MlpModelConfig({5}), 1, 1), 1},
          {"SharedTrunk",
           ExampleNetwork(MlpModelConfig({13, 9}, TANH, true), 5, DiscreteActions(4)).network, 21},
          {"Dueling", Dueling(MlpModelConfig({16, 9}), 1), 21},
          {"DuelingDistributional", Dueling(MlpModelConfig({16, 9}, RELU), 5), 21},
          {"Planes", Convolutions(false, 14, 12), 21},
          {"Pixels", Convolutions(true, 14, 12), 21},
          {"Grey", GreyImage(), 21},
          {"ResidualRelu", Residual(LayerActivation::kRelu), 21},
          {"ResidualSilu", Residual(LayerActivation::kSilu), 5},
          {"NormTanh", Normalised(LayerActivation::kTanh), 21},
          {"NormRelu", Normalised(LayerActivation::kRelu), 21},
          {"NormGelu", Normalised(LayerActivation::kGelu), 21},
          {"NormSilu", Normalised(LayerActivation::kSilu), 21},
          {"GruStep", Memory({kGru}), 5},
          {"Gru", Memory({kGru}), 5, 7},
          {"Lstm", Memory({kLstm}), 5, 7},
          {"OneSequence", Memory({kLstm}), 1, 13},
          {"TwoMemories", Memory({kLstm, kGru}), 5, 7}};
}

// Equal to 1e-5 of the largest magnitude.
void ExpectClose(const torch::Tensor& got, const torch::Tensor& wanted, const char* what) {
  ASSERT_TRUE(got.defined() && wanted.defined()) << what;
  ASSERT_EQ(got.sizes(), wanted.sizes()) << what;
  const double scale = wanted.abs().max().item<double>();
  EXPECT_GT(scale, 0) << what << " is all zeros: nothing is tested";
  EXPECT_LE((got - wanted).abs().max().item<double>(), 1e-5 * scale) << what;
}

class ModelTest : public testing::TestWithParam<Example> {
 protected:
  ModelTest() {
    const std::vector<float> parameters =
        RandomFloats(GetParam().network.layout.size(), random_, 0.3);
    for (const auto& model : models_) {
      model->parameters().copy_(torch::tensor(parameters));
      model->ParametersChanged();
    }
  }

  std::vector<int> AllHeads() const {
    std::vector<int> heads;
    for (size_t h = 0; h < GetParam().network.heads.size(); ++h)
      heads.push_back(static_cast<int>(h));
    return heads;
  }
  torch::Tensor Rows(int64_t rows, int64_t columns) {
    return torch::tensor(RandomFloats(rows * columns, random_)).view({rows, columns});
  }
  torch::Tensor Input(const NetworkInput& input, int64_t rows) {
    std::vector<int64_t> shape = input.shape;
    shape.insert(shape.begin(), rows);
    const torch::Tensor numbers = Rows(rows, input.size()).view(shape);
    if (input.name == kStartsInput) return (numbers > 1).to(torch::kFloat32);
    return input.dtype == v1::DTYPE_UINT8 ? (100 + 50 * numbers).clamp(0, 255).to(torch::kUInt8)
                                          : numbers;
  }
  std::vector<torch::Tensor> Inputs(int64_t batch) {
    std::vector<torch::Tensor> inputs;
    for (const NetworkInput& input : GetParam().network.inputs)
      inputs.push_back(Input(input, input.per_sequence ? batch : batch * GetParam().steps));
    return inputs;
  }
  std::vector<torch::Tensor> Slopes(int64_t batch) {
    std::vector<torch::Tensor> slopes;
    for (const NetworkHead& head : GetParam().network.heads)
      slopes.push_back(Rows(batch * GetParam().steps, GetParam().network.RowSize(head.value)));
    return slopes;
  }
  static bool HasGradient(const NetworkInput& input) {
    return input.dtype == v1::DTYPE_FLOAT32 && !input.per_sequence && input.name != kStartsInput;
  }
  static std::vector<torch::Tensor> Copy(const std::vector<torch::Tensor>& tensors) {
    std::vector<torch::Tensor> copies;
    for (const torch::Tensor& tensor : tensors) copies.push_back(tensor.clone());
    return copies;
  }

  Random random_{7};
  const std::unique_ptr<Model> kernels_ = MakeKernelModel(GetParam().network);
  const std::unique_ptr<Model> graph_ = MakeGraphModel(GetParam().network, torch::kCPU);
  const std::vector<Model*> models_{kernels_.get(), graph_.get()};
};

INSTANTIATE_TEST_SUITE_P(Networks, ModelTest, testing::ValuesIn(Examples()),
                         [](const auto& info) { return info.param.name; });

TEST_P(ModelTest, HeadsAndGradientsAreTheSame) {
  const auto kernels = kernels_->NewPass(AllHeads(), Direction::kForwardAndBackward);
  const auto graph = graph_->NewPass(AllHeads(), Direction::kForwardAndBackward);
  // The second round is a smaller batch after a step: nothing may be left of the first.
  for (const int64_t batch : {GetParam().batch, (GetParam().batch + 1) / 2}) {
    const std::vector<torch::Tensor> inputs = Inputs(batch), slopes = Slopes(batch);
    const auto& got = kernels->Forward(inputs);
    const auto& wanted = graph->Forward(inputs);
    ASSERT_EQ(got.size(), wanted.size());
    for (size_t h = 0; h < got.size(); ++h) {
      EXPECT_FALSE(got[h].requires_grad() || wanted[h].requires_grad());
      ExpectClose(got[h], wanted[h], "head");
    }
    for (Model* model : models_) model->gradient().zero_();
    kernels->Backward(Copy(slopes));
    graph->Backward(Copy(slopes));
    ExpectClose(kernels_->gradient(), graph_->gradient(), "gradient");
    for (size_t i = 0; i < inputs.size(); ++i) {
      if (!HasGradient(GetParam().network.inputs[i])) continue;
      kernels->Forward(inputs);
      graph->Forward(inputs);
      const int input = static_cast<int>(i);
      ExpectClose(kernels->InputGradient(Copy(slopes), input),
                  graph->InputGradient(Copy(slopes), input), "input gradient");
    }
    const torch::Tensor step = 0.1 * kernels_->gradient();
    for (Model* model : models_) {
      model->parameters().sub_(step);
      model->ParametersChanged();
    }
  }
}

TEST_P(ModelTest, BackwardAddsAndInputGradientsDoNot) {
  const std::vector<torch::Tensor> inputs = Inputs(GetParam().batch),
                                   slopes = Slopes(GetParam().batch);
  for (Model* model : models_) {
    const auto pass = model->NewPass(AllHeads(), Direction::kForwardAndBackward);
    pass->Forward(inputs);
    pass->Backward(Copy(slopes));
    const torch::Tensor once = model->gradient().clone();
    if (HasGradient(GetParam().network.inputs[0])) {
      pass->Forward(inputs);
      pass->InputGradient(Copy(slopes), 0);
    }
    EXPECT_TRUE(torch::equal(model->gradient(), once));
    pass->Forward(inputs);
    pass->Backward(Copy(slopes));
    ExpectClose(model->gradient(), 2 * once, "twice");
  }
}

TEST_P(ModelTest, PassesRememberTheirOwnForward) {
  const int64_t batch = GetParam().batch;
  const std::vector<torch::Tensor> inputs = Inputs(batch), others = Inputs(batch + 3),
                                   slopes = Slopes(batch);
  for (Model* model : models_) {
    const auto pass = model->NewPass(AllHeads(), Direction::kForwardAndBackward);
    const auto other = model->NewPass({0}, Direction::kForward);
    pass->Forward(inputs);
    pass->Backward(Copy(slopes));
    const torch::Tensor wanted = model->gradient().clone();
    model->gradient().zero_();
    const torch::Tensor head = pass->Forward(inputs)[0].clone();
    other->Forward(others);
    EXPECT_TRUE(torch::equal(other->Forward(inputs)[0], head));
    other->Forward(others);
    pass->Backward(Copy(slopes));
    EXPECT_TRUE(torch::equal(model->gradient(), wanted));
  }
}

TEST_P(ModelTest, AHeadsGradientAloneReachesItsParametersAlone) {
  const int64_t batch = GetParam().batch;
  const int last = static_cast<int>(GetParam().network.heads.size()) - 1;
  const std::vector<torch::Tensor> inputs = Inputs(batch), slopes = Slopes(batch);
  for (Model* model : models_) {
    const auto all = model->NewPass(AllHeads(), Direction::kForwardAndBackward);
    const auto one = model->NewPass({last}, Direction::kForwardAndBackward);
    std::vector<torch::Tensor> alone(slopes.size());  // Undefined: none.
    alone[last] = slopes[last].clone();
    all->Forward(inputs);
    all->Backward(alone);
    const torch::Tensor wanted = model->gradient().clone();
    model->gradient().zero_();
    one->Forward(inputs);
    one->Backward({slopes[last].clone()});
    EXPECT_TRUE(torch::equal(model->gradient(), wanted));
    model->gradient().zero_();
  }
}

TEST_P(ModelTest, HeadsAsAFunctionOfTheParametersAreTheGraphs) {
  const std::vector<torch::Tensor> inputs = Inputs(GetParam().batch),
                                   slopes = Slopes(GetParam().batch);
  const torch::Tensor parameters = graph_->parameters().clone().requires_grad_();
  const auto heads = HeadsWithGraph(GetParam().network, AllHeads(), parameters, inputs);
  const auto pass = graph_->NewPass(AllHeads(), Direction::kForwardAndBackward);
  const auto& wanted = pass->Forward(inputs);
  for (size_t h = 0; h < heads.size(); ++h) EXPECT_TRUE(torch::equal(heads[h], wanted[h]));
  const torch::Tensor gradient = torch::autograd::grad(heads, {parameters}, slopes)[0];
  pass->Backward(slopes);
  EXPECT_TRUE(torch::equal(gradient, graph_->gradient()));
}

}  // namespace
}  // namespace cadre
