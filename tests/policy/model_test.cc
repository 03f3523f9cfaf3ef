// The two runners of one network, held against each other.
#include "policy/model.h"

#include <memory>
#include <string>
#include <vector>

#include <torch/autograd.h>

#include "gtest/gtest.h"
#include "policy/off_policy_network.h"
#include "tests/policy/example_networks.h"

namespace cadre {
namespace {

struct Example {
  std::string name;
  Network network;
  int64_t batch;
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

std::vector<Example> Examples() {
  return {{"Tanh", Critics(MlpModelConfig({64, 64}), 3, 1), 128},
          {"Relu", Critics(MlpModelConfig({31, 17}, RELU), 7, 2), 33},
          {"Wide", Critics(MlpModelConfig({256, 256}, RELU), 17, 6), 70},
          {"OddlyWide", Critics(MlpModelConfig({401, 300}, RELU), 11, 3), 64},
          {"BatchOfOne", Critics(MlpModelConfig({5}), 1, 1), 1},
          {"SharedTrunk",
           ExampleNetwork(MlpModelConfig({13, 9}, TANH, true), 5, DiscreteActions(4)).network, 21},
          {"Dueling", Dueling(MlpModelConfig({16, 9}), 1), 21},
          {"DuelingDistributional", Dueling(MlpModelConfig({16, 9}, RELU), 5), 21}};
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
  std::vector<torch::Tensor> Inputs(int64_t batch) {
    std::vector<torch::Tensor> inputs;
    for (const NetworkInput& input : GetParam().network.inputs)
      inputs.push_back(Rows(batch, input.size()));
    return inputs;
  }
  std::vector<torch::Tensor> Slopes(int64_t batch) {
    std::vector<torch::Tensor> slopes;
    for (const NetworkHead& head : GetParam().network.heads)
      slopes.push_back(Rows(batch, GetParam().network.RowSize(head.value)));
    return slopes;
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
    pass->Forward(inputs);
    pass->InputGradient(Copy(slopes), 0);
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
