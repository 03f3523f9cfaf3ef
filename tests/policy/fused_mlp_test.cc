#include "policy/fused_mlp.h"

#include <cmath>
#include <tuple>
#include <vector>

#include "gtest/gtest.h"
#include "tests/policy/example_networks.h"

namespace cadre {
namespace {

struct Example {
  std::vector<int64_t> sizes;  // Inputs, then the units of each layer.
  LayerActivation activation;
  int64_t batch;
};

// A plain stack of layers; the last one is linear.
struct ExampleMlp {
  explicit ExampleMlp(const Example& example) {
    for (size_t l = 0; l + 1 < example.sizes.size(); ++l) {
      const int64_t inputs = example.sizes[l], outputs = example.sizes[l + 1];
      const bool last = l + 2 == example.sizes.size();
      mlp.push_back({inputs, outputs, parameters, parameters + inputs * outputs,
                     last ? LayerActivation::kNone : example.activation});
      parameters += (inputs + 1) * outputs;
    }
  }
  Mlp mlp;
  int64_t parameters = 0;
};

class FusedMlpTest : public testing::TestWithParam<Example> {
 protected:
  std::vector<double> Wide(const std::vector<float>& values) {
    return {values.begin(), values.end()};
  }
  // sum_bo c[b, o] y[b, o] in float64: a loss whose output gradient is c.
  double Loss(const Mlp& mlp, const std::vector<double>& parameters,
              const std::vector<double>& input, const std::vector<float>& c) {
    const int64_t inputs = mlp.front().inputs;
    double loss = 0;
    size_t k = 0;
    for (size_t i = 0; i < input.size(); i += inputs)
      for (const double y :
           NaiveForward(mlp, parameters, {input.begin() + i, input.begin() + i + inputs}))
        loss += c[k++] * y;
    return loss;
  }
  // d loss / d x[i] by central differences.
  template <typename F>
  double Slope(std::vector<double>& x, size_t i, F loss) {
    constexpr double kStep = 1e-6;
    const double at = x[i];
    x[i] = at + kStep;
    const double above = loss();
    x[i] = at - kStep;
    const double below = loss();
    x[i] = at;
    return (above - below) / (2 * kStep);
  }
};

INSTANTIATE_TEST_SUITE_P(Shapes, FusedMlpTest,
                         testing::Values(Example{{3, 2}, LayerActivation::kTanh, 1},
                                         Example{{1, 1, 1}, LayerActivation::kTanh, 3},
                                         Example{{4, 7, 5, 3}, LayerActivation::kTanh, 13},
                                         Example{{4, 7, 5, 3}, LayerActivation::kRelu, 13},
                                         Example{{5, 17, 16, 9, 1}, LayerActivation::kTanh, 1},
                                         Example{{2, 33, 2}, LayerActivation::kRelu, 70}));

TEST_P(FusedMlpTest, ForwardIsTheNaiveOne) {
  const Example& example = GetParam();
  const ExampleMlp net(example);
  Random random(1);
  const std::vector<float> parameters = RandomFloats(net.parameters, random, 0.5);
  FusedMlp fused(net.mlp);
  fused.Load(parameters);
  // The second batch is the smaller one: buffers are kept, results must not be.
  for (const int64_t batch : {example.batch, (example.batch + 1) / 2}) {
    const std::vector<float> input = RandomFloats(batch * example.sizes[0], random);
    const float* y = fused.Forward(input.data(), batch);
    for (int64_t b = 0; b < batch; ++b) {
      const auto row = input.begin() + b * example.sizes[0];
      for (const double expected :
           NaiveForward(net.mlp, Wide(parameters), {row, row + example.sizes[0]}))
        ASSERT_NEAR(*y++, expected, 2e-6 * (1 + std::abs(expected)));
    }
  }
}

TEST_P(FusedMlpTest, BackwardIsTheSlopeByFiniteDifferences) {
  const Example& example = GetParam();
  const ExampleMlp net(example);
  Random random(2);
  const std::vector<float> parameters = RandomFloats(net.parameters, random, 0.5);
  const std::vector<float> input = RandomFloats(example.batch * example.sizes[0], random);
  const std::vector<float> c = RandomFloats(example.batch * example.sizes.back(), random);

  FusedMlp fused(net.mlp);
  fused.Load(parameters);
  fused.Forward(input.data(), example.batch);
  std::vector<float> gradient(net.parameters, 1.0f);  // Added to what is there.
  std::vector<float> input_gradient(input.size(), 2.0f);
  std::vector<float> output_gradient = c;
  fused.Backward(parameters, output_gradient.data(), absl::MakeSpan(gradient),
                 input_gradient.data(), /*accumulate_input=*/true);

  std::vector<double> p = Wide(parameters), x = Wide(input);
  const auto loss = [&] { return Loss(net.mlp, p, x, c); };
  for (size_t i = 0; i < p.size(); ++i) {
    const double slope = Slope(p, i, loss);
    ASSERT_NEAR(gradient[i] - 1, slope, 2e-5 * (1 + std::abs(slope))) << "parameter " << i;
  }
  for (size_t i = 0; i < x.size(); ++i) {
    const double slope = Slope(x, i, loss);
    ASSERT_NEAR(input_gradient[i] - 2, slope, 2e-5 * (1 + std::abs(slope))) << "input " << i;
  }
}

TEST_P(FusedMlpTest, TheInputGradientIsOptionalAndSetUnlessAdded) {
  const Example& example = GetParam();
  const ExampleMlp net(example);
  Random random(3);
  const std::vector<float> parameters = RandomFloats(net.parameters, random);
  const std::vector<float> input = RandomFloats(example.batch * example.sizes[0], random);
  const std::vector<float> c = RandomFloats(example.batch * example.sizes.back(), random);
  FusedMlp fused(net.mlp);
  fused.Load(parameters);
  const auto backward = [&](float* input_gradient, bool accumulate) {
    std::vector<float> gradient(net.parameters), d = c;
    fused.Forward(input.data(), example.batch);
    fused.Backward(parameters, d.data(), absl::MakeSpan(gradient), input_gradient, accumulate);
    return gradient;
  };
  std::vector<float> set(input.size(), 99.0f), added(input.size(), 0.0f);
  const std::vector<float> gradient = backward(set.data(), false);
  EXPECT_EQ(backward(added.data(), true), gradient);
  EXPECT_EQ(backward(nullptr, false), gradient);
  EXPECT_EQ(set, added);
}

TEST(EmptyMlpTest, IsTheIdentity) {
  const Mlp none;
  FusedMlp fused(none);
  fused.Load({});
  const std::vector<float> input = {1, 2, 3};
  EXPECT_EQ(fused.Forward(input.data(), 3), input.data());
}

}  // namespace
}  // namespace cadre
