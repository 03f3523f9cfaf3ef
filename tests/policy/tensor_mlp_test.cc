#include "policy/tensor_mlp.h"

#include "gtest/gtest.h"
#include "policy/mlp_model.h"
#include "policy/off_policy_network.h"
#include "tests/policy/example_networks.h"

namespace cadre {
namespace {

void ExpectClose(const torch::Tensor& got, const torch::Tensor& wanted, const char* what) {
  ASSERT_EQ(got.sizes(), wanted.sizes()) << what;
  const double scale = wanted.abs().max().item<double>();
  EXPECT_GT(scale, 0) << what << " is all zeros: nothing is tested";
  EXPECT_LE((got - wanted).abs().max().item<double>(), 1e-5 * scale) << what;
}

torch::Tensor Rows(int64_t rows, int64_t columns, Random& random) {
  return torch::tensor(RandomFloats(rows * columns, random)).view({rows, columns});
}

// Three critics as one are the three one by one.
TEST(TensorMlpTest, StackedNetworksAreEachOfThem) {
  Random random(1);
  const CriticNetworks critics =
      *MakeCritics(MlpModelConfig({7, 6}, RELU), 3, VectorSpace(4), ContinuousActions(2));
  const torch::Tensor parameters = torch::tensor(RandomFloats(critics.layout.size(), random, 0.5));
  const torch::Tensor gradient = torch::zeros_like(parameters);
  TensorMlp stacked(critics.critics, parameters, gradient);
  const auto single = MakeAutogradMlpModel(critics.critics, critics.layout.size(), torch::kCPU);
  single->parameters().copy_(parameters);
  // A smaller batch after a larger one: nothing may be left of that.
  for (const int64_t batch : {9, 5}) {
    const torch::Tensor input = Rows(batch, 6, random);
    const torch::Tensor output_gradient = Rows(3 * batch, 1, random).view({3, batch, 1});
    const torch::Tensor outputs = stacked.Forward(input);
    const torch::Tensor input_gradient = stacked.Backward(output_gradient, true, true);
    for (int k = 0; k < 3; ++k) {
      ExpectClose(outputs[k], single->Forward(k, input), "output");
      ExpectClose(input_gradient[k], single->Backward(k, output_gradient[k], true, true),
                  "input gradient");
    }
    ExpectClose(gradient, single->gradient(), "gradient");
    EXPECT_FALSE(stacked.Backward(output_gradient, true, false).defined());
    for (int k = 0; k < 3; ++k) single->Backward(k, output_gradient[k], true, false);
  }
}

TEST(TensorMlpTest, OnlyNetworksOfOneShapeAreStackable) {
  const CriticNetworks critics =
      *MakeCritics(MlpModelConfig({7, 6}), 2, VectorSpace(4), ContinuousActions(2));
  EXPECT_TRUE(TensorMlp::Stackable(critics.critics));
  std::vector<Mlp> other = critics.critics;
  other[1][1].activation = LayerActivation::kRelu;
  EXPECT_FALSE(TensorMlp::Stackable(other));
  other = critics.critics;
  other[1].pop_back();
  EXPECT_FALSE(TensorMlp::Stackable(other));
  other = critics.critics;
  ++other[1][1].bias;
  EXPECT_FALSE(TensorMlp::Stackable(other));
}

}  // namespace
}  // namespace cadre
