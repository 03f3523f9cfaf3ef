// The two ways to run the same networks, held against each other.
#include "policy/mlp_model.h"

#include <string>
#include <vector>

#include "gtest/gtest.h"
#include "policy/off_policy_network.h"
#include "policy/tensor_models.h"
#include "tests/policy/example_networks.h"

namespace cadre {
namespace {

struct Example {
  std::string name;
  ModelConfig model;
  int64_t observation_size;
  int64_t action_size;
  int64_t batch;
};

// Equal to 1e-5 of the largest magnitude.
void ExpectClose(const torch::Tensor& got, const torch::Tensor& wanted, const char* what) {
  ASSERT_TRUE(got.defined() && wanted.defined()) << what;
  ASSERT_EQ(got.sizes(), wanted.sizes()) << what;
  const double scale = wanted.abs().max().item<double>();
  EXPECT_GT(scale, 0) << what << " is all zeros: nothing is tested";
  EXPECT_LE((got - wanted).abs().max().item<double>(), 1e-5 * scale) << what;
}

torch::Tensor RandomRows(int64_t rows, int64_t columns, Random& random) {
  return torch::tensor(RandomFloats(rows * columns, random)).view({rows, columns});
}

void SetParameters(MlpModel& model, Random random) {
  model.parameters().copy_(torch::tensor(RandomFloats(model.parameters().numel(), random, 0.3)));
  model.ParametersChanged();
}

// All kinds of model with the same random parameters.
struct Models {
  Models(const std::vector<Mlp>& networks, int64_t size)
      : fused(MakeFusedMlpModel(networks, size)),
        tensor(MakeTensorMlpModel(networks, size, torch::kCPU)),
        autograd(MakeAutogradMlpModel(networks, size, torch::kCPU)) {
    for (MlpModel* model : all()) SetParameters(*model, Random(1));
  }
  std::vector<MlpModel*> all() const { return {fused.get(), tensor.get(), autograd.get()}; }
  std::unique_ptr<MlpModel> fused, tensor, autograd;
};

class MlpModelTest : public testing::TestWithParam<Example> {
 protected:
  static CriticNetworks Critics() {
    const Example& example = GetParam();
    auto critics = MakeCritics(example.model, 2, VectorSpace(example.observation_size),
                               ContinuousActions(example.action_size));
    CADRE_CHECK(critics.ok());
    return *std::move(critics);
  }
  const CriticNetworks critics_ = Critics();
  Random random_{7};
  Models models_{critics_.critics, critics_.layout.size()};
};

INSTANTIATE_TEST_SUITE_P(
    Networks, MlpModelTest,
    testing::Values(Example{"Tanh", MlpModelConfig({64, 64}), 3, 1, 128},
                    Example{"Relu", MlpModelConfig({31, 17}, RELU), 7, 2, 33},
                    Example{"Wide", MlpModelConfig({256, 256}, RELU), 17, 6, 70},
                    Example{"OddlyWide", MlpModelConfig({401, 300}, RELU), 11, 3, 64},
                    Example{"BatchOfOne", MlpModelConfig({5}), 1, 1, 1}),
    [](const auto& info) { return info.param.name; });

TEST_P(MlpModelTest, OutputsAndGradientsAreTheSame) {
  // The second round is a smaller batch after a step: nothing may be left of the first.
  for (const int64_t batch : {GetParam().batch, (GetParam().batch + 1) / 2}) {
    for (MlpModel* model : models_.all()) model->gradient().zero_();
    for (const int critic : {0, 1}) {
      const torch::Tensor input = RandomRows(batch, critics_.input_size, random_);
      const torch::Tensor fused = models_.fused->Forward(critic, input);
      const torch::Tensor autograd = models_.autograd->Forward(critic, input);
      const torch::Tensor tensor = models_.tensor->Forward(critic, input);
      EXPECT_FALSE(fused.requires_grad() || autograd.requires_grad() || tensor.requires_grad());
      ExpectClose(fused, autograd, "output");
      ExpectClose(tensor, autograd, "tensor output");
      const torch::Tensor gradient = RandomRows(batch, 1, random_);
      const torch::Tensor wanted = models_.autograd->Backward(critic, gradient, true, true);
      ExpectClose(models_.fused->Backward(critic, gradient.clone(), true, true), wanted,
                  "input gradient");
      ExpectClose(models_.tensor->Backward(critic, gradient.clone(), true, true), wanted,
                  "tensor input gradient");
    }
    ExpectClose(models_.fused->gradient(), models_.autograd->gradient(), "gradient");
    ExpectClose(models_.tensor->gradient(), models_.autograd->gradient(), "tensor gradient");
    for (MlpModel* model : models_.all()) {
      model->parameters().sub_(models_.fused->gradient(), 0.1);
      model->ParametersChanged();
    }
  }
}

TEST_P(MlpModelTest, BackwardAddsToTheGradientWhatItsOwnNetworkMakesOfIt) {
  const torch::Tensor input = RandomRows(GetParam().batch, critics_.input_size, random_);
  const torch::Tensor gradient = RandomRows(GetParam().batch, 1, random_);
  const int64_t half = critics_.layout.size() / 2;
  for (MlpModel* model : models_.all()) {
    const auto backward = [&](int critic) {
      model->Forward(critic, input);
      EXPECT_FALSE(model->Backward(critic, gradient.clone(), true, false).defined());
    };
    backward(1);
    EXPECT_EQ(model->gradient().narrow(0, 0, half).abs().max().item<float>(), 0);
    const torch::Tensor once = model->gradient().clone();
    backward(1);
    ExpectClose(model->gradient(), 2 * once, "twice");
    backward(0);
    ExpectClose(model->gradient().narrow(0, half, half), 2 * once.narrow(0, half, half), "its own");
    EXPECT_GT(model->gradient().narrow(0, 0, half).abs().max().item<float>(), 0);
  }
}

TEST_P(MlpModelTest, TheInputGradientAloneLeavesTheParameterGradientAsItWas) {
  const torch::Tensor input = RandomRows(GetParam().batch, critics_.input_size, random_);
  const torch::Tensor gradient = RandomRows(GetParam().batch, 1, random_);
  for (MlpModel* model : models_.all()) {
    model->Forward(0, input);
    const torch::Tensor with = model->Backward(0, gradient.clone(), true, true).clone();
    const torch::Tensor kept = model->gradient().clone();
    model->Forward(0, input);
    const torch::Tensor alone = model->Backward(0, gradient.clone(), false, true);
    EXPECT_TRUE(torch::equal(alone, with));
    EXPECT_TRUE(torch::equal(model->gradient(), kept));
  }
}

// Two streams on one trunk, as dueling networks have them, and a third network that is
// the trunk and one stream in one piece: the same layers.
TEST(SharedMlpModelTest, NetworksThatShareLayersShareParametersAndGradients) {
  DqnConfig config;
  config.set_dueling(true);
  const auto q =
      MakeActionValueNetwork(MlpModelConfig({16, 9}), config, VectorSpace(4), DiscreteActions(3));
  ASSERT_TRUE(q.ok());
  Mlp whole = q->trunk;
  whole.insert(whole.end(), q->advantage.begin(), q->advantage.end());
  Models models({q->trunk, q->value, q->advantage, whole}, q->layout.size());
  Random random(3);
  const torch::Tensor input = RandomRows(21, 4, random);
  const torch::Tensor gradient = RandomRows(21, 3, random);
  for (MlpModel* model : models.all()) {
    const torch::Tensor features = model->Forward(0, input);
    const torch::Tensor pieces = model->Forward(2, features).clone();
    model->Backward(0, model->Backward(2, gradient.clone(), true, true), true, false);
    const torch::Tensor by_pieces = model->gradient().clone();
    EXPECT_TRUE(torch::equal(model->Forward(3, input), pieces));
    model->gradient().zero_();
    model->Backward(3, gradient.clone(), true, false);
    EXPECT_TRUE(torch::equal(model->gradient(), by_pieces));
    EXPECT_GT(by_pieces.abs().max().item<float>(), 0);
  }
  ExpectClose(models.fused->gradient(), models.autograd->gradient(), "gradient");
  ExpectClose(models.tensor->gradient(), models.autograd->gradient(), "tensor gradient");
}

TEST(SharedMlpModelTest, ANetworkWithoutLayersIsTheIdentity) {
  Models models({Mlp{}}, 0);
  Random random(4);
  const torch::Tensor input = RandomRows(5, 3, random), gradient = RandomRows(5, 3, random);
  for (MlpModel* model : models.all()) {
    EXPECT_TRUE(torch::equal(model->Forward(0, input), input));
    EXPECT_TRUE(torch::equal(model->Backward(0, gradient.clone(), true, true), gradient));
  }
}

}  // namespace
}  // namespace cadre
