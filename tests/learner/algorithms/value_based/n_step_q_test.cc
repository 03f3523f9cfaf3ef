#include "learner/algorithms/value_based/n_step_q.h"

#include <algorithm>
#include <memory>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "learner/algorithms/device/tensor_spans.h"
#include "policy/networks/off_policy_network.h"
#include "tests/learner/algorithms/example_batch.h"

namespace cadre {
namespace {

using testing::FloatNear;
using testing::Pointwise;

constexpr int64_t kObservation = 3, kActions = 3;
constexpr double kGamma = 0.9;
constexpr int64_t kInterval = 10;

std::unique_ptr<BatchGradient> Example(NStepTarget target, uint64_t seed = 1) {
  auto algorithm = MakeNStepQ(
      {.gamma = kGamma, .target_update_interval = kInterval, .target = target}, MlpModelConfig({7}),
      VectorSpace(kObservation), DiscreteActions(kActions), Random(seed));
  CADRE_CHECK(algorithm.ok());
  return *std::move(algorithm);
}

// Three segments, of which the second ends in a terminal state.
OnPolicyBatch Batch(const std::vector<int64_t>& lengths = {4, 3, 2}) {
  Random random(5);
  OnPolicyBatch batch;
  int64_t steps = 0;
  std::vector<int64_t> rows, actions;
  for (size_t s = 0; s < lengths.size(); ++s) {
    batch.segments.push_back({steps, lengths[s], s == 1});
    for (int64_t t = 0; t < lengths[s]; ++t) rows.push_back(steps + static_cast<int64_t>(s) + t);
    steps += lengths[s];
  }
  for (int64_t i = 0; i < steps; ++i) actions.push_back(static_cast<int64_t>(random.Below(3)));
  batch.observations =
      RandomTensor({steps + static_cast<int64_t>(lengths.size()), kObservation}, random);
  batch.observation_rows = torch::tensor(rows, torch::kInt64);
  batch.actions = torch::tensor(actions, torch::kInt64);
  batch.rewards = RandomTensor({steps}, random);
  batch.log_probs = torch::zeros({steps});
  return batch;
}

std::vector<double> Doubles(const torch::Tensor& tensor) {
  const absl::Span<float> flat = Flat(tensor);
  return {flat.begin(), flat.end()};
}

// One row of observations through the plain network.
std::vector<double> Values(const std::vector<double>& parameters, const OnPolicyBatch& batch,
                           int64_t row) {
  const auto network = MakeActionValueNetwork(MlpModelConfig({7}), {}, VectorSpace(kObservation),
                                              DiscreteActions(kActions));
  const absl::Span<float> x = RowOf(Flat(batch.observations.only()), row, kObservation);
  return NaiveHead(network->network, 0, parameters, {{x.begin(), x.end()}});
}

// The mean of (R - Q)^2 as the header says it, step by step.
double NaiveLoss(NStepTarget kind, const std::vector<double>& online,
                 const std::vector<double>& target, const OnPolicyBatch& batch) {
  const absl::Span<int64_t> actions = Flat<int64_t>(batch.actions);
  double sum = 0;
  int64_t count = 0;
  for (size_t s = 0; s < batch.segments.size(); ++s) {
    const SegmentBounds& bounds = batch.segments[s];
    const int64_t row = bounds.first_step + static_cast<int64_t>(s);
    const bool sarsa = kind == NStepTarget::kTaken;
    const int64_t learned = sarsa && !bounds.terminated ? bounds.length - 1 : bounds.length;
    for (int64_t t = 0; t < learned; ++t) {
      double target_value = 0, discount = 1;
      for (int64_t k = t; k < learned; ++k, discount *= kGamma)
        target_value += discount * batch.rewards[bounds.first_step + k].item<double>();
      if (!bounds.terminated) {
        const std::vector<double> last = Values(target, batch, row + learned);
        target_value += discount * (sarsa ? last[actions[bounds.first_step + learned]]
                                          : *std::max_element(last.begin(), last.end()));
      }
      const double value = Values(online, batch, row + t)[actions[bounds.first_step + t]];
      sum += (target_value - value) * (target_value - value);
      ++count;
    }
  }
  return sum / static_cast<double>(count);
}

// Central differences of NaiveLoss.
std::vector<float> NaiveGradient(NStepTarget kind, std::vector<double> online,
                                 const std::vector<double>& target, const OnPolicyBatch& batch) {
  constexpr double kStep = 1e-5;
  std::vector<float> gradient;
  for (double& parameter : online) {
    const double at = parameter;
    parameter = at + kStep;
    const double above = NaiveLoss(kind, online, target, batch);
    parameter = at - kStep;
    const double below = NaiveLoss(kind, online, target, batch);
    parameter = at;
    gradient.push_back(static_cast<float>((above - below) / (2 * kStep)));
  }
  return gradient;
}

void ShiftParameters(BatchGradient& algorithm, float by) {
  algorithm.model().parameters().add_(by);
  algorithm.model().ParametersChanged();
}

TEST(NStepQTest, TheGradientIsThatOfTheNaiveLoss) {
  for (const NStepTarget kind : {NStepTarget::kGreatest, NStepTarget::kTaken}) {
    auto algorithm = Example(kind);
    const OnPolicyBatch batch = Batch();
    const std::vector<double> target = Doubles(algorithm->model().parameters());
    ShiftParameters(*algorithm, 0.05f);  // So that the two networks differ.
    const std::vector<double> online = Doubles(algorithm->model().parameters());
    Diagnostics diagnostics;
    ASSERT_TRUE(algorithm->ComputeGradient(batch, 0, diagnostics).value());
    EXPECT_THAT(Doubles(algorithm->model().gradient()),
                Pointwise(FloatNear(1e-4f), NaiveGradient(kind, online, target, batch)));
    EXPECT_EQ(diagnostics[0].first, "value_loss");
    EXPECT_NEAR(diagnostics[0].second, NaiveLoss(kind, online, target, batch), 1e-4);
  }
}

TEST(NStepQTest, EachGradientIsOfItsBatchAlone) {
  auto algorithm = Example(NStepTarget::kGreatest);
  Diagnostics diagnostics;
  ASSERT_TRUE(algorithm->ComputeGradient(Batch(), 0, diagnostics).value());
  const std::vector<double> first = Doubles(algorithm->model().gradient());
  ASSERT_TRUE(algorithm->ComputeGradient(Batch(), 0, diagnostics).value());
  EXPECT_EQ(Doubles(algorithm->model().gradient()), first);
}

TEST(NStepQTest, SarsaLearnsNothingFromASegmentOfOneStepThatGoesOn) {
  Diagnostics diagnostics;
  EXPECT_FALSE(Example(NStepTarget::kTaken)->ComputeGradient(Batch({1}), 0, diagnostics).value());
  EXPECT_TRUE(Example(NStepTarget::kGreatest)->ComputeGradient(Batch({1}), 0, diagnostics).value());
  EXPECT_TRUE(Example(NStepTarget::kTaken)->ComputeGradient(Batch({1, 1}), 0, diagnostics).value())
      << "the second ends in a terminal state";
}

std::vector<float> Target(const BatchGradient& algorithm, int64_t size) {
  TensorMap state;
  algorithm.Save(state);
  std::vector<float> target(size);
  CADRE_CHECK(state.Read("n_step_q.target", absl::MakeSpan(target)).ok());
  return target;
}

TEST(NStepQTest, TheTargetIsTheFirstVersionSeenAtOrAfterEachMultipleOfTheInterval) {
  auto algorithm = Example(NStepTarget::kGreatest);
  const int64_t size = algorithm->model().layout().size();
  const auto parameters = [&] {
    const absl::Span<float> flat = Flat(algorithm->model().parameters());
    return std::vector<float>(flat.begin(), flat.end());
  };
  const std::vector<float> initial = parameters();
  EXPECT_EQ(Target(*algorithm, size), initial) << "it starts as a copy";
  ShiftParameters(*algorithm, 1);
  algorithm->OnSharedVersion(9);
  EXPECT_EQ(Target(*algorithm, size), initial);
  algorithm->OnSharedVersion(13);  // Versions that other learners made are jumped over.
  const std::vector<float> at_ten = parameters();
  EXPECT_EQ(Target(*algorithm, size), at_ten);
  ShiftParameters(*algorithm, 1);
  algorithm->OnSharedVersion(19);
  EXPECT_EQ(Target(*algorithm, size), at_ten);
  algorithm->OnSharedVersion(20);
  EXPECT_EQ(Target(*algorithm, size), parameters());
  const std::vector<float> at_twenty = parameters();
  ShiftParameters(*algorithm, 1);
  algorithm->OnSharedVersion(20);  // With more steps counted, say.
  EXPECT_EQ(Target(*algorithm, size), at_twenty);
}

TEST(NStepQTest, RestoredItHasTheTargetThatWasSaved) {
  auto algorithm = Example(NStepTarget::kGreatest);
  ShiftParameters(*algorithm, 1);
  algorithm->OnSharedVersion(10);
  TensorMap state;
  algorithm->Save(state);
  auto other = Example(NStepTarget::kGreatest, /*seed=*/2);
  ASSERT_TRUE(other->Restore(state).ok());
  const int64_t size = algorithm->model().layout().size();
  EXPECT_EQ(Target(*other, size), Target(*algorithm, size));
  other->OnSharedVersion(11);
  EXPECT_EQ(Target(*other, size), Target(*algorithm, size)) << "it knows of which version it is";
  EXPECT_EQ(other->Restore(TensorMap()).code(), absl::StatusCode::kDataLoss);
}

TEST(NStepQTest, ContinuousActionsAreRefused) {
  EXPECT_EQ(MakeNStepQ({}, MlpModelConfig({7}), VectorSpace(kObservation), ContinuousActions(2),
                       Random(1))
                .status()
                .code(),
            absl::StatusCode::kInvalidArgument);
}

}  // namespace
}  // namespace cadre
