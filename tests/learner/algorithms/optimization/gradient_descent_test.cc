#include "learner/algorithms/optimization/gradient_descent.h"

#include <cmath>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "learner/algorithms/policy_gradient/a2c.h"
#include "tests/learner/algorithms/example_batch.h"

namespace cadre {
namespace {

std::unique_ptr<ActorCritic> ExampleModel() {
  return WithParameters(OnKernels(ExampleNetwork(MlpModelConfig({5}), 3, DiscreteActions(2))));
}

OnPolicyBatch Example(uint64_t seed = 1) {
  Random random(seed);
  return ExampleBatch(*ExampleModel(), {3, 4}, random);
}

// Whose gradient is the same everywhere; undefined: there is none yet.
class FixedGradient final : public GradientAlgorithm {
 public:
  explicit FixedGradient(torch::Tensor gradient)
      : gradient_(std::move(gradient)), model_(ExampleModel()) {}
  absl::StatusOr<bool> ComputeGradient(const OnPolicyBatch& /*batch*/, double /*progress*/,
                                       Diagnostics& diagnostics) override {
    Enter(UpdatePart::kBackward);
    diagnostics.emplace_back("fixed", 1);
    if (gradient_.defined()) model_->gradient().copy_(gradient_);
    return gradient_.defined();
  }
  ActorCritic& model() override { return *model_; }
  DiagnosticNames diagnostic_names() const override { return {"fixed"}; }

 private:
  const torch::Tensor gradient_;
  const std::unique_ptr<ActorCritic> model_;
};

torch::Tensor Constant(double value) {
  return torch::full({ExampleModel()->parameters().numel()}, value);
}

// What one step changes.
torch::Tensor StepOf(OnPolicyAlgorithm& algorithm, double progress = 0) {
  const torch::Tensor before = algorithm.model().parameters().clone();
  EXPECT_TRUE(algorithm.Update(Example(), progress).ok());
  return algorithm.model().parameters() - before;
}

OptimizerConfig Sgd(double learning_rate, double max_norm = 0) {
  OptimizerConfig config;
  config.mutable_sgd();
  config.set_learning_rate(learning_rate);
  config.set_max_gradient_norm(max_norm);
  return config;
}

TEST(GradientDescentTest, StepsAgainstTheGradient) {
  auto algorithm = MakeGradientDescent(std::make_unique<FixedGradient>(Constant(2)), Sgd(0.1));
  EXPECT_TRUE(torch::allclose(StepOf(*algorithm), Constant(-0.2), 1e-4, 1e-6));
}

TEST(GradientDescentTest, TheGradientIsClippedToItsLargestNorm) {
  auto algorithm =
      MakeGradientDescent(std::make_unique<FixedGradient>(Constant(2)), Sgd(1, /*max_norm=*/0.5));
  EXPECT_NEAR(StepOf(*algorithm).norm().item<double>(), 0.5, 1e-4);
  const Diagnostics diagnostics = algorithm->Update(Example(), 0).value();
  const std::map<std::string, double> by_name(diagnostics.begin(), diagnostics.end());
  EXPECT_EQ(by_name.at("fixed"), 1);
  EXPECT_EQ(by_name.at("learning_rate"), 1);
  EXPECT_NEAR(by_name.at("gradient_norm"), Constant(2).norm().item<double>(), 1e-3);
}

TEST(GradientDescentTest, TheLearningRateFollowsItsSchedule) {
  OptimizerConfig config = Sgd(0.4);
  config.mutable_learning_rate_schedule()->set_shape(ScheduleConfig::LINEAR);
  auto algorithm = MakeGradientDescent(std::make_unique<FixedGradient>(Constant(1)), config);
  EXPECT_TRUE(torch::allclose(StepOf(*algorithm, 0.75), Constant(-0.1), 1e-4, 1e-6));
}

TEST(GradientDescentTest, WithoutAGradientNothingMoves) {
  auto algorithm = MakeGradientDescent(std::make_unique<FixedGradient>(torch::Tensor()), Sgd(0.1));
  EXPECT_EQ(StepOf(*algorithm).abs().max().item<float>(), 0);
  const Diagnostics diagnostics = algorithm->Update(Example(), 0).value();
  const std::map<std::string, double> by_name(diagnostics.begin(), diagnostics.end());
  EXPECT_TRUE(std::isnan(by_name.at("gradient_norm")));
}

std::vector<OptimizerConfig> AllKinds() {
  std::vector<OptimizerConfig> kinds(4);
  kinds[0].mutable_rms_prop();
  kinds[1].mutable_rms_prop()->set_centered(true);
  kinds[2].mutable_adam();
  kinds[3].mutable_sgd()->set_momentum(0.9);
  for (OptimizerConfig& kind : kinds) kind.set_learning_rate(1e-2);
  return kinds;
}

std::unique_ptr<OnPolicyAlgorithm> ExampleA2c(const OptimizerConfig& optimizer) {
  return MakeGradientDescent(MakeA2cGradient({}, ExampleModel()), optimizer);
}

TEST(GradientDescentTest, GoesOnBitForBitAfterRestore) {
  for (const OptimizerConfig& optimizer : AllKinds()) {
    auto through = ExampleA2c(optimizer), resumed = ExampleA2c(optimizer);
    for (int i = 0; i < 3; ++i) ASSERT_TRUE(through->Update(Example(i), 0).ok());
    TensorMap state;
    through->Save(state);
    resumed->model().parameters().copy_(through->model().parameters());
    resumed->model().ParametersChanged();
    ASSERT_TRUE(resumed->Restore(state).ok()) << optimizer.ShortDebugString();
    for (int i = 3; i < 6; ++i)
      for (auto* algorithm : {through.get(), resumed.get()})
        ASSERT_TRUE(algorithm->Update(Example(i), 0).ok());
    EXPECT_TRUE(torch::equal(through->model().parameters(), resumed->model().parameters()))
        << optimizer.ShortDebugString();
  }
}

TEST(GradientDescentTest, ACheckpointOfAnotherOptimiserIsRefused) {
  TensorMap state;
  ExampleA2c(AllKinds()[0])->Save(state);
  EXPECT_TRUE(absl::IsDataLoss(ExampleA2c(AllKinds()[2])->Restore(state)));
  EXPECT_TRUE(absl::IsDataLoss(ExampleA2c(AllKinds()[0])->Restore(TensorMap())));
}

// The sum with one other learner's `shared`: its gradient times its steps, and its steps.
class FakePair final : public Collective {
 public:
  FakePair(double gradient, double steps) : gradient_(gradient), steps_(steps) {}
  int rank() const override { return 0; }
  int size() const override { return 2; }
  absl::Status Sum(torch::Tensor values) override {
    if (steps_ < 0) return absl::UnavailableError("learner 1 is gone");
    torch::Tensor other = torch::full_like(values, gradient_ * steps_);
    other[values.numel() - 1] = steps_;
    values.add_(other);
    return absl::OkStatus();
  }

 private:
  const double gradient_, steps_;
};

TEST(GradientDescentTest, LearnersInParallelStepAlongTheMeanOverAllTheirSteps) {
  auto algorithm = MakeGradientDescent(std::make_unique<FixedGradient>(Constant(2)), Sgd(0.1));
  FakePair other(/*gradient=*/-1, /*steps=*/14);  // Beside 7 of its own.
  algorithm->set_collective(&other);
  EXPECT_LT(StepOf(*algorithm).abs().max().item<float>(), 1e-6);
  FakePair same_size(/*gradient=*/4, /*steps=*/7);
  algorithm->set_collective(&same_size);
  EXPECT_TRUE(torch::allclose(StepOf(*algorithm), Constant(-0.3), 1e-4, 1e-6));
}

TEST(GradientDescentTest, ALearnerWithoutAGradientFollowsTheOthers) {
  auto algorithm = MakeGradientDescent(std::make_unique<FixedGradient>(torch::Tensor()), Sgd(0.1));
  FakePair other(/*gradient=*/4, /*steps=*/3);
  algorithm->set_collective(&other);
  EXPECT_TRUE(torch::allclose(StepOf(*algorithm), Constant(-0.4), 1e-4, 1e-6));
  FakePair idle(/*gradient=*/4, /*steps=*/0);
  algorithm->set_collective(&idle);
  EXPECT_EQ(StepOf(*algorithm).abs().max().item<float>(), 0);
}

TEST(GradientDescentTest, FailsWhereALearnerIsGone) {
  auto algorithm = MakeGradientDescent(std::make_unique<FixedGradient>(Constant(2)), Sgd(0.1));
  FakePair gone(0, -1);
  algorithm->set_collective(&gone);
  EXPECT_TRUE(absl::IsUnavailable(algorithm->Update(Example(), 0).status()));
}

class RecordingListener final : public UpdateListener {
 public:
  void Enter(UpdatePart part) override { parts.push_back(part); }
  std::vector<UpdatePart> parts;
};

TEST(GradientDescentTest, TheListenerHearsOfTheAlgorithmsPartsToo) {
  auto algorithm = MakeGradientDescent(std::make_unique<FixedGradient>(Constant(2)), Sgd(0.1));
  RecordingListener listener;
  algorithm->set_listener(&listener);
  ASSERT_TRUE(algorithm->Update(Example(), 0).ok());
  EXPECT_THAT(listener.parts, testing::ElementsAre(UpdatePart::kBackward, UpdatePart::kOptimize));
}

}  // namespace
}  // namespace cadre
