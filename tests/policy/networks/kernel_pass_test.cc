// Heads and gradients against a plain float64 forward pass and its finite differences.
#include "policy/networks/kernel_pass.h"

#include <cmath>
#include <memory>
#include <string>
#include <vector>

#include "gtest/gtest.h"
#include "policy/networks/network_parts.h"
#include "policy/networks/off_policy_network.h"
#include "tests/policy/example_networks.h"

namespace cadre {
namespace {

struct Example {
  std::string name;
  Network network;
  std::vector<int> heads;
  int64_t batch;
};

Network Stack(std::vector<int64_t> sizes, LayerActivation activation) {
  NetworkBuilder builder;
  const ValueId input = builder.AddInput("x", {sizes.front()});
  const std::vector<int64_t> hidden(sizes.begin() + 1, sizes.end() - 1);
  const std::vector<ValueId> last = AddHidden(builder, "h", {input}, {hidden, activation});
  builder.AddHead("y", builder.AddDense("y", last, sizes.back(), LayerActivation::kNone, 1));
  return std::move(builder).Build();
}

// Two inputs; values that several operations read; one that is a head, too.
Network Branching() {
  NetworkBuilder builder;
  const ValueId a = builder.AddInput("a", {2}), b = builder.AddInput("b", {3});
  const ValueId p = builder.AddDense("p", {a}, 4, LayerActivation::kTanh, 1);
  const ValueId q = builder.AddDense("q", {p, b}, 5, LayerActivation::kTanh, 1);
  builder.AddHead("r", builder.AddDense("r", {q, p, a}, 3, LayerActivation::kNone, 1));
  builder.AddHead("s", builder.AddDense("s", {q}, 2, LayerActivation::kNone, 1));
  builder.AddHead("p", p);
  return std::move(builder).Build();
}

Network QNetwork(std::initializer_list<int32_t> hidden, bool dueling, int atoms) {
  DqnConfig config;
  config.set_dueling(dueling);
  if (atoms > 1) config.mutable_distributional()->set_atoms(atoms);
  return MakeActionValueNetwork(MlpModelConfig(hidden), config, VectorSpace(3), DiscreteActions(4))
      .value()
      .network;
}

std::vector<Example> Examples() {
  constexpr auto kTanh = LayerActivation::kTanh, kRelu = LayerActivation::kRelu;
  const Network policy_and_value =
      ExampleNetwork(MlpModelConfig({6}, TANH, /*shared_trunk=*/true), 5, DiscreteActions(3))
          .network;
  const Network critics =
      MakeCritics(MlpModelConfig({5}), 2, VectorSpace(3), ContinuousActions(2))->network;
  return {{"OneLayer", Stack({3, 2}, kTanh), {0}, 1},
          {"Thin", Stack({1, 1, 1}, kTanh), {0}, 3},
          {"Tanh", Stack({4, 7, 5, 3}, kTanh), {0}, 13},
          {"Relu", Stack({4, 7, 5, 3}, kRelu), {0}, 13},
          {"RowOfOne", Stack({5, 17, 16, 9, 1}, kTanh), {0}, 1},
          {"Wide", Stack({2, 33, 2}, kRelu), {0}, 70},
          {"SharedTrunk", policy_and_value, {0, 1}, 9},
          {"ValueAlone", policy_and_value, {1}, 9},
          {"Critics", critics, {0, 1}, 7},
          {"SecondCritic", critics, {1}, 7},
          {"Branching", Branching(), {0, 1, 2}, 6},
          {"PartOfBranching", Branching(), {1, 2}, 6},
          {"Q", QNetwork({7, 5}, false, 1), {0}, 6},
          {"Distributional", QNetwork({7, 5}, false, 3), {0}, 6},
          {"Dueling", QNetwork({7, 5}, true, 1), {0}, 6},
          {"DuelingWithoutTrunk", QNetwork({7}, true, 1), {0}, 6},
          {"DuelingDistributional", QNetwork({7, 5}, true, 3), {0}, 6}};
}

// A network with random parameters and the rows that it reads.
struct Rows {
  Rows(const Example& example, int64_t batch, Random& random)
      : network(example.network), heads(example.heads), batch(batch) {
    parameters = RandomFloats(network.layout.size(), random, 0.5);
    for (const NetworkInput& input : network.inputs)
      inputs.push_back(RandomFloats(batch * input.size(), random));
    for (const int head : heads)
      slopes.push_back(RandomFloats(batch * network.RowSize(network.heads[head].value), random));
  }

  std::vector<const void*> InputRows() const {
    std::vector<const void*> rows;
    for (const std::vector<float>& input : inputs) rows.push_back(input.data());
    return rows;
  }

  // Heads of row b.
  std::vector<std::vector<double>> Naive(const std::vector<double>& p,
                                         const std::vector<std::vector<double>>& x,
                                         int64_t b) const {
    std::vector<std::vector<double>> row;
    for (size_t i = 0; i < x.size(); ++i) {
      const int64_t size = network.inputs[i].size();
      row.emplace_back(x[i].begin() + b * size, x[i].begin() + (b + 1) * size);
    }
    const auto values = NaiveValues(network, p, row);
    std::vector<std::vector<double>> out;
    for (const int head : heads) out.push_back(values[network.heads[head].value]);
    return out;
  }

  // A loss whose gradient with respect to the heads is `slopes`.
  double Loss(const std::vector<double>& p, const std::vector<std::vector<double>>& x) const {
    double loss = 0;
    for (int64_t b = 0; b < batch; ++b) {
      const auto row = Naive(p, x, b);
      for (size_t h = 0; h < row.size(); ++h)
        for (size_t k = 0; k < row[h].size(); ++k)
          loss += slopes[h][b * row[h].size() + k] * row[h][k];
    }
    return loss;
  }

  const Network network;
  const std::vector<int> heads;
  const int64_t batch;
  std::vector<float> parameters;
  std::vector<std::vector<float>> inputs, slopes;
};

std::vector<double> Wide(const std::vector<float>& values) {
  return {values.begin(), values.end()};
}

// By central differences.
template <typename F>
double Slope(double& x, const F& loss) {
  constexpr double kStep = 1e-6;
  const double at = x;
  x = at + kStep;
  const double above = loss();
  x = at - kStep;
  const double below = loss();
  x = at;
  return (above - below) / (2 * kStep);
}

class KernelPassTest : public testing::TestWithParam<Example> {};

INSTANTIATE_TEST_SUITE_P(Networks, KernelPassTest, testing::ValuesIn(Examples()),
                         [](const auto& info) { return info.param.name; });

TEST_P(KernelPassTest, HeadsAreTheNaiveOnes) {
  Random random(1);
  Rows run(GetParam(), GetParam().batch, random);
  KernelWeights weights(run.network);
  weights.Load(run.parameters);
  KernelPass pass(run.network, weights, run.heads);
  // The second batch is the smaller one: buffers are kept, results must not be.
  for (const int64_t batch : {run.batch, (run.batch + 1) / 2}) {
    Rows round(GetParam(), batch, random);
    pass.Forward(round.InputRows(), batch);
    std::vector<std::vector<double>> x;
    for (const std::vector<float>& input : round.inputs) x.push_back(Wide(input));
    for (int64_t b = 0; b < batch; ++b) {
      const auto wanted = round.Naive(Wide(run.parameters), x, b);
      for (size_t h = 0; h < wanted.size(); ++h) {
        const int64_t size = pass.head_size(static_cast<int>(h));
        ASSERT_EQ(size, wanted[h].size());
        for (int64_t k = 0; k < size; ++k)
          ASSERT_NEAR(pass.head(static_cast<int>(h))[b * size + k], wanted[h][k],
                      2e-6 * (1 + std::abs(wanted[h][k])))
              << "head " << h;
      }
    }
  }
}

TEST_P(KernelPassTest, GradientsAreTheSlopesByFiniteDifferences) {
  Random random(2);
  Rows run(GetParam(), GetParam().batch, random);
  KernelWeights weights(run.network);
  weights.Load(run.parameters);
  KernelPass pass(run.network, weights, run.heads);
  // The second time with nothing left of the first.
  for (int round = 0; round < 2; ++round) {
    pass.Forward(run.InputRows(), run.batch);
    std::vector<float> gradient(run.parameters.size(), 1.0f);  // Added to what is there.
    std::vector<std::vector<float>> input_gradients, head_gradients = run.slopes;
    std::vector<float*> input_rows, head_rows;
    for (const std::vector<float>& input : run.inputs)
      input_gradients.emplace_back(input.size(), 99.0f);  // Set, whatever is there.
    for (std::vector<float>& rows : input_gradients) input_rows.push_back(rows.data());
    for (std::vector<float>& rows : head_gradients) head_rows.push_back(rows.data());
    pass.Backward(run.parameters, head_rows, absl::MakeSpan(gradient), input_rows);

    std::vector<double> p = Wide(run.parameters);
    std::vector<std::vector<double>> x;
    for (const std::vector<float>& input : run.inputs) x.push_back(Wide(input));
    const auto loss = [&] { return run.Loss(p, x); };
    for (size_t i = 0; i < p.size(); ++i) {
      const double slope = Slope(p[i], loss);
      ASSERT_NEAR(gradient[i] - 1, slope, 2e-5 * (1 + std::abs(slope))) << "parameter " << i;
    }
    for (size_t n = 0; n < x.size(); ++n) {
      for (size_t i = 0; i < x[n].size(); ++i) {
        const double slope = Slope(x[n][i], loss);
        ASSERT_NEAR(input_gradients[n][i], slope, 2e-5 * (1 + std::abs(slope)))
            << "input " << n << ", " << i;
      }
    }
  }
}

TEST_P(KernelPassTest, WhatIsNotAskedForChangesNothingElse) {
  Random random(3);
  Rows run(GetParam(), GetParam().batch, random);
  KernelWeights weights(run.network);
  weights.Load(run.parameters);
  KernelPass pass(run.network, weights, run.heads);
  const auto backward = [&](bool parameters, bool inputs, std::vector<float>& gradient,
                            std::vector<float>& input_gradient) {
    std::vector<std::vector<float>> head_gradients = run.slopes;
    std::vector<float*> head_rows, input_rows(run.network.inputs.size(), nullptr);
    for (std::vector<float>& rows : head_gradients) head_rows.push_back(rows.data());
    gradient.assign(run.parameters.size(), 0);
    input_gradient.assign(run.inputs[0].size(), 0);
    if (inputs) input_rows[0] = input_gradient.data();
    pass.Forward(run.InputRows(), run.batch);
    pass.Backward(run.parameters, head_rows,
                  parameters ? absl::MakeSpan(gradient) : absl::Span<float>(), input_rows);
  };
  std::vector<float> both[2], gradient, input_gradient;
  backward(true, true, both[0], both[1]);
  backward(true, false, gradient, input_gradient);
  EXPECT_EQ(gradient, both[0]);
  EXPECT_EQ(input_gradient, std::vector<float>(input_gradient.size()));
  backward(false, true, gradient, input_gradient);
  EXPECT_EQ(gradient, std::vector<float>(gradient.size()));
  EXPECT_EQ(input_gradient, both[1]);
}

TEST(KernelPassTest, AHeadWithoutAGradientAddsNothing) {
  const Example example{"", Branching(), {0, 1, 2}, 6};
  Random random(4);
  Rows run(example, 6, random);
  KernelWeights weights(run.network);
  weights.Load(run.parameters);
  const auto gradient_of = [&](std::vector<float> second, bool null) {
    KernelPass pass(run.network, weights, run.heads);
    std::vector<float> first = run.slopes[0], third(run.slopes[2].size(), 0.0f);
    std::vector<float> gradient(run.parameters.size()), input(run.inputs[1].size(), 7.0f);
    pass.Forward(run.InputRows(), 6);
    pass.Backward(run.parameters,
                  {null ? nullptr : first.data(), second.data(), null ? nullptr : third.data()},
                  absl::MakeSpan(gradient), {nullptr, input.data()});
    gradient.insert(gradient.end(), input.begin(), input.end());
    return gradient;
  };
  std::vector<float> none(run.slopes[1].size(), 0.0f);
  const std::vector<float> all = gradient_of(run.slopes[1], false);
  const std::vector<float> without = gradient_of(none, false);
  const std::vector<float> alone = gradient_of(run.slopes[1], true);
  for (size_t i = 0; i < all.size(); ++i)
    ASSERT_NEAR(alone[i], all[i] - without[i], 1e-5 * (1 + std::abs(all[i]))) << i;
}

TEST(KernelPassTest, AnInputThatNoHeadReadsHasNoGradient) {
  const Network network = Branching();
  Random random(5);
  KernelWeights weights(network);
  const std::vector<float> parameters = RandomFloats(network.layout.size(), random);
  weights.Load(parameters);
  KernelPass pass(network, weights, {network.Head("p")});
  const std::vector<float> a = RandomFloats(2 * 4, random);
  pass.Forward({a.data(), nullptr}, 4);
  std::vector<float> slope = RandomFloats(4 * 4, random), b_gradient(4 * 3, 99.0f);
  pass.Backward(parameters, {slope.data()}, {}, {nullptr, b_gradient.data()});
  EXPECT_EQ(b_gradient, std::vector<float>(12));
}

}  // namespace
}  // namespace cadre
