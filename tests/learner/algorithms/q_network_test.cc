// Action values and their gradient against a plain float64 forward pass.
#include "learner/algorithms/q_network.h"

#include <cmath>
#include <string>
#include <vector>

#include "gtest/gtest.h"
#include "learner/algorithms/tensor_spans.h"
#include "tests/learner/algorithms/example_batch.h"

namespace cadre {
namespace {

struct Example {
  std::string name;
  std::vector<int32_t> hidden;
  bool dueling;
  int atoms;
  bool autograd;
};

ActionValueNetwork MakeNetwork(const Example& example) {
  ModelConfig model;
  for (const int32_t units : example.hidden) model.mutable_mlp()->add_hidden(units);
  DqnConfig config;
  config.set_dueling(example.dueling);
  if (example.atoms > 1) config.mutable_distributional()->set_atoms(example.atoms);
  auto network = MakeActionValueNetwork(model, config, VectorSpace(3), DiscreteActions(4));
  CADRE_CHECK(network.ok());
  return *std::move(network);
}

// The outputs for one observation, [n * Z].
std::vector<double> NaiveOutputs(const ActionValueNetwork& network,
                                 const std::vector<double>& parameters,
                                 const std::vector<double>& observation) {
  const std::vector<double> features = NaiveForward(network.trunk, parameters, observation);
  std::vector<double> q = NaiveForward(network.advantage, parameters, features);
  if (!network.dueling()) return q;
  const std::vector<double> value = NaiveForward(network.value, parameters, features);
  for (int64_t z = 0; z < network.atoms; ++z) {
    double mean = 0;
    for (int64_t i = 0; i < network.actions; ++i)
      mean += q[i * network.atoms + z] / static_cast<double>(network.actions);
    for (int64_t i = 0; i < network.actions; ++i) q[i * network.atoms + z] += value[z] - mean;
  }
  return q;
}

class QNetworkTest : public testing::TestWithParam<Example> {};

INSTANTIATE_TEST_SUITE_P(
    Networks, QNetworkTest,
    testing::Values(Example{"Plain", {7, 5}, false, 1, false},
                    Example{"Distributional", {7, 5}, false, 3, false},
                    Example{"Dueling", {7, 5}, true, 1, false},
                    Example{"DuelingWithoutTrunk", {7}, true, 1, false},
                    Example{"DuelingDistributional", {7, 5}, true, 3, false},
                    Example{"PlainWithAutograd", {7, 5}, false, 1, true},
                    Example{"DuelingWithAutograd", {7, 5}, true, 3, true},
                    Example{"DuelingWithAutogradWithoutTrunk", {7}, true, 1, true}),
    [](const auto& info) { return info.param.name; });

TEST_P(QNetworkTest, OutputsAndTheirGradientAreTheNaiveOnes) {
  const ActionValueNetwork shape = MakeNetwork(GetParam());
  Random random(1);
  QNetwork network(shape, torch::kCPU, GetParam().autograd);
  const torch::Tensor parameters = RandomTensor({shape.layout.size()}, random, 0.5);
  network.model().parameters().copy_(parameters);
  network.model().ParametersChanged();
  std::vector<double> wide(Flat(parameters).begin(), Flat(parameters).end());
  for (const int64_t batch : {6, 3}) {  // Nothing may be left of the larger one.
    const torch::Tensor observations = RandomTensor({batch, 3}, random);
    const torch::Tensor weights = RandomTensor({batch, shape.actions * shape.atoms}, random);
    // sum_bk weights[b, k] outputs[b, k]: a loss whose output gradient is `weights`.
    const auto loss = [&] {
      double sum = 0;
      for (int64_t b = 0; b < batch; ++b) {
        const absl::Span<float> row = RowOf(Flat(observations), b, 3);
        const std::vector<double> q = NaiveOutputs(shape, wide, {row.begin(), row.end()});
        for (size_t k = 0; k < q.size(); ++k) sum += q[k] * Flat(weights)[b * q.size() + k];
      }
      return sum;
    };
    const torch::Tensor outputs = network.Forward(observations);
    EXPECT_NEAR((outputs * weights).sum().item<double>(), loss(), 1e-4);
    network.model().gradient().zero_();
    network.Backward(weights.clone());
    for (size_t i = 0; i < wide.size(); ++i) {
      const double at = wide[i];
      wide[i] = at + 1e-6;
      const double above = loss();
      wide[i] = at - 1e-6;
      const double slope = (above - loss()) / 2e-6;
      wide[i] = at;
      ASSERT_NEAR(Flat(network.model().gradient())[i], slope, 2e-5 * (1 + std::abs(slope)))
          << "parameter " << i;
    }
  }
}

}  // namespace
}  // namespace cadre
