#include "learner/algorithms/policy_gradient/ppo.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <memory>
#include <numeric>
#include <string>
#include <utility>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/learner/algorithms/example_batch.h"

namespace cadre {
namespace {

using testing::HasSubstr;

const std::vector<int64_t> kLengths = {5, 8, 11};  // 24 steps.

ActorCriticNetwork ExamplePolicy(const ActionSpace& action = DiscreteActions(3)) {
  return ExampleNetwork(MlpModelConfig({9}), 4, action);
}

PpoConfig ExampleConfig() {
  PpoConfig config;
  config.set_learning_rate(1e-2);
  config.set_epochs(3);
  config.set_minibatch_size(8);
  return config;
}

std::unique_ptr<OnPolicyAlgorithm> ExamplePpo(const PpoConfig& config, uint64_t seed = 1,
                                              const ActionSpace& action = DiscreteActions(3)) {
  return MakePpo(config, WithParameters(OnKernels(ExamplePolicy(action))), Random(seed));
}

std::map<std::string, double> Update(OnPolicyAlgorithm& ppo, const OnPolicyBatch& batch,
                                     double progress = 0) {
  const Diagnostics diagnostics = ppo.Update(batch, progress).value();
  return {diagnostics.begin(), diagnostics.end()};
}

// Three updates on batches that depend on the seed alone.
void Train(OnPolicyAlgorithm& ppo, uint64_t seed = 2, int updates = 3) {
  auto behaviour = WithParameters(OnKernels(ppo.model().network()));
  Random random(seed);
  for (int i = 0; i < updates; ++i)
    ASSERT_TRUE(ppo.Update(ExampleBatch(*behaviour, kLengths, random), 0.1 * i).ok());
}

using Minibatches = std::vector<std::vector<int64_t>>;

// Notes the rows of each minibatch, which ExampleBatch wrote into the observations.
class RecordingPass final : public Pass {
 public:
  RecordingPass(std::unique_ptr<Pass> pass, Minibatches* minibatches)
      : pass_(std::move(pass)), minibatches_(minibatches) {}

  const std::vector<torch::Tensor>& Forward(absl::Span<const torch::Tensor> inputs) override {
    std::vector<int64_t>& rows = minibatches_->emplace_back();
    for (int64_t i = 0; i < inputs[0].size(0); ++i)
      rows.push_back(std::lround(inputs[0][i][0].item<double>() * 100));
    return pass_->Forward(inputs);
  }
  void Backward(absl::Span<const torch::Tensor> gradients) override { pass_->Backward(gradients); }
  torch::Tensor InputGradient(absl::Span<const torch::Tensor> gradients, int input) override {
    return pass_->InputGradient(gradients, input);
  }

 private:
  const std::unique_ptr<Pass> pass_;
  Minibatches* const minibatches_;
};

class RecordingModel final : public Model {
 public:
  RecordingModel(Network network, Minibatches* minibatches)
      : model_(MakeKernelModel(std::move(network))), minibatches_(minibatches) {}

  const Network& network() const override { return model_->network(); }
  torch::Tensor parameters() override { return model_->parameters(); }
  void ParametersChanged() override { model_->ParametersChanged(); }
  torch::Tensor gradient() override { return model_->gradient(); }
  std::unique_ptr<Pass> NewPass(std::vector<int> heads, Direction direction) override {
    std::unique_ptr<Pass> pass = model_->NewPass(std::move(heads), direction);
    if (direction == Direction::kForward) return pass;
    return std::make_unique<RecordingPass>(std::move(pass), minibatches_);
  }

 private:
  const std::unique_ptr<Model> model_;
  Minibatches* const minibatches_;
};

struct Recorded {
  explicit Recorded(const PpoConfig& config) {
    const ActorCriticNetwork network = ExamplePolicy();
    auto made = WithParameters(std::make_unique<ActorCritic>(
        network, std::make_unique<RecordingModel>(network.network, &minibatches)));
    model = made.get();
    ppo = MakePpo(config, std::move(made), Random(1));
    Random random(2);
    batch = ExampleBatch(*model, kLengths, random);
    minibatches.clear();
  }
  Recorded(const Recorded&) = delete;
  Recorded& operator=(const Recorded&) = delete;

  Minibatches minibatches;
  ActorCritic* model;
  std::unique_ptr<OnPolicyAlgorithm> ppo;
  OnPolicyBatch batch;
};

TEST(PpoTest, EveryEpochUsesEveryStepExactlyOnce) {
  Recorded run(ExampleConfig());
  ASSERT_TRUE(run.ppo->Update(run.batch, 0).ok());
  // Of each segment, all rows but the last observation's.
  std::vector<int64_t> all;
  for (int64_t row = 0; row < 27; ++row)
    if (row != 5 && row != 14 && row != 26) all.push_back(row);
  ASSERT_EQ(run.minibatches.size(), 3 * 3);
  std::vector<std::vector<int64_t>> epochs(3);
  for (size_t i = 0; i < 9; ++i) {
    const std::vector<int64_t>& rows = run.minibatches[i];
    EXPECT_EQ(rows.size(), 8);
    epochs[i / 3].insert(epochs[i / 3].end(), rows.begin(), rows.end());
  }
  EXPECT_NE(epochs[0], epochs[1]);
  EXPECT_NE(epochs[1], epochs[2]);
  for (std::vector<int64_t>& epoch : epochs) {
    EXPECT_NE(epoch, all) << "not shuffled";
    std::sort(epoch.begin(), epoch.end());
    EXPECT_EQ(epoch, all);
  }
}

TEST(PpoTest, EveryOrderOfTheStepsIsEquallyLikely) {
  PpoConfig config = ExampleConfig();
  config.set_epochs(1);
  config.set_minibatch_size(1);
  config.set_learning_rate(1e-30);
  Recorded run(config);
  Random random(2);
  run.batch = ExampleBatch(*run.model, {4}, random);
  constexpr int kUpdates = 4800;
  std::map<std::vector<int64_t>, int> counts;
  for (int i = 0; i < kUpdates; ++i) {
    run.minibatches.clear();
    ASSERT_TRUE(run.ppo->Update(run.batch, 0).ok());
    std::vector<int64_t> order;
    for (const std::vector<int64_t>& rows : run.minibatches) order.push_back(rows.at(0));
    ++counts[order];
  }
  ASSERT_EQ(counts.size(), 24);
  constexpr double kExpected = kUpdates / 24.0;
  double chi_square = 0;
  for (const auto& [order, count] : counts)
    chi_square += (count - kExpected) * (count - kExpected) / kExpected;
  EXPECT_LT(chi_square, 49.7);  // 23 degrees of freedom, p = 0.001.
}

TEST(PpoTest, StepsThatFillNoMinibatchWaitForTheNextEpoch) {
  PpoConfig config = ExampleConfig();
  config.set_minibatch_size(7);
  Recorded run(config);
  ASSERT_TRUE(run.ppo->Update(run.batch, 0).ok());
  ASSERT_EQ(run.minibatches.size(), 3 * 3);  // 24 / 7, three times.
  for (int epoch = 0; epoch < 3; ++epoch) {
    std::vector<int64_t> rows;
    for (int i = 0; i < 3; ++i)
      for (const int64_t row : run.minibatches[3 * epoch + i]) rows.push_back(row);
    std::sort(rows.begin(), rows.end());
    EXPECT_EQ(rows.size(), 21);
    EXPECT_EQ(std::unique(rows.begin(), rows.end()), rows.end());
  }
}

TEST(PpoTest, AMinibatchLargerThanTheBatchIsTheBatch) {
  PpoConfig config = ExampleConfig();
  config.set_minibatch_size(1000);
  Recorded run(config);
  ASSERT_TRUE(run.ppo->Update(run.batch, 0).ok());
  ASSERT_EQ(run.minibatches.size(), 3);
  EXPECT_EQ(run.minibatches[0].size(), 24);
}

TEST(PpoTest, TargetKlEndsTheUpdateBeforeTheStepThatWouldGoTooFar) {
  PpoConfig config = ExampleConfig();
  config.set_learning_rate(0.3);
  config.set_epochs(1);
  config.set_minibatch_size(24);
  Recorded one(config);
  const auto first_step = Update(*one.ppo, one.batch);
  EXPECT_EQ(one.minibatches.size(), 1);

  config.set_epochs(10);
  config.set_target_kl(0.01);
  Recorded run(config);
  const auto diagnostics = Update(*run.ppo, run.batch);
  // One step with ratio 1; the second minibatch finds the policy too far away.
  EXPECT_EQ(run.minibatches.size(), 2);
  EXPECT_EQ(diagnostics.at("epochs"), 2);
  EXPECT_GT(diagnostics.at("approx_kl"), 1.5 * 0.01 / 2);  // The mean with the first one's 0.
  EXPECT_TRUE(torch::equal(run.model->parameters(), one.model->parameters()));
  // The norm is the mean over the steps taken.
  EXPECT_NEAR(diagnostics.at("gradient_norm"), first_step.at("gradient_norm"), 1e-5);

  config.set_target_kl(0);
  Recorded unbounded(config);
  Update(*unbounded.ppo, unbounded.batch);
  EXPECT_EQ(unbounded.minibatches.size(), 10);
}

TEST(PpoTest, ABatchBeyondTargetKlChangesNothing) {
  PpoConfig config = ExampleConfig();
  config.set_target_kl(0.01);
  auto ppo = ExamplePpo(config);
  Random random(2);
  const OnPolicyBatch stale = ExampleBatch(ppo->model(), kLengths, random, 2.0);
  const torch::Tensor before = ppo->model().parameters().clone();
  const auto diagnostics = Update(*ppo, stale);
  EXPECT_TRUE(torch::equal(ppo->model().parameters(), before));
  EXPECT_EQ(diagnostics.at("epochs"), 1);
  EXPECT_EQ(diagnostics.at("gradient_norm"), 0);
}

TEST(PpoTest, AnnealingReachesZero) {
  PpoConfig config = ExampleConfig();
  config.mutable_learning_rate_schedule()->set_shape(ScheduleConfig::LINEAR);
  config.mutable_clip_range_schedule()->set_shape(ScheduleConfig::LINEAR);
  auto ppo = ExamplePpo(config);
  Random random(2);
  const OnPolicyBatch batch = ExampleBatch(ppo->model(), kLengths, random);
  auto diagnostics = Update(*ppo, batch, 0);
  EXPECT_DOUBLE_EQ(diagnostics.at("learning_rate"), 1e-2);
  EXPECT_DOUBLE_EQ(diagnostics.at("clip_range"), 0.2);
  diagnostics = Update(*ppo, batch, 0.75);
  EXPECT_DOUBLE_EQ(diagnostics.at("learning_rate"), 0.25e-2);
  EXPECT_DOUBLE_EQ(diagnostics.at("clip_range"), 0.05);
  const torch::Tensor before = ppo->model().parameters().clone();
  for (const double progress : {1.0, 1.2}) {  // The last batch may pass the end.
    diagnostics = Update(*ppo, batch, progress);
    EXPECT_EQ(diagnostics.at("learning_rate"), 0);
    EXPECT_EQ(diagnostics.at("clip_range"), 0);
    EXPECT_TRUE(torch::equal(ppo->model().parameters(), before));
  }
}

TEST(PpoTest, ConstantsStayConstant) {
  auto ppo = ExamplePpo(ExampleConfig());
  Random random(2);
  const auto diagnostics = Update(*ppo, ExampleBatch(ppo->model(), kLengths, random), 0.9);
  EXPECT_DOUBLE_EQ(diagnostics.at("learning_rate"), 1e-2);
  EXPECT_DOUBLE_EQ(diagnostics.at("clip_range"), 0.2);
  EXPECT_FALSE(diagnostics.contains("kl_beta"));
}

TEST(PpoTest, TheReportedKlIsTheWholeUpdates) {
  PpoConfig config = ExampleConfig();
  config.set_objective(PpoConfig::ADAPTIVE_KL);
  for (const ActionSpace& action : {DiscreteActions(3), ContinuousActions(2)}) {
    auto ppo = ExamplePpo(config, 1, action);
    Random random(2);
    const OnPolicyBatch batch = ExampleBatch(ppo->model(), kLengths, random);
    const auto heads = [&] {
      const Heads now =
          ppo->model().Forward(batch.observations.only().index_select(0, batch.observation_rows));
      return Heads{now.policy.clone(), now.value.clone(),
                   now.log_std.defined() ? now.log_std.clone() : torch::Tensor()};
    };
    const Heads before = heads();
    const double reported = Update(*ppo, batch).at("kl");
    const Heads after = heads();
    const torch::Tensor kl = before.log_std.defined() ? GaussianKl(before.policy, before.log_std,
                                                                   after.policy, after.log_std)
                                                      : CategoricalKl(before.policy, after.policy);
    EXPECT_NEAR(reported, kl.mean().item<double>(), 1e-5 * reported);
    EXPECT_GT(reported, 1e-3);
  }
}

TEST(PpoTest, TheKlPenaltyDoublesHalvesOrStays) {
  PpoConfig config = ExampleConfig();
  config.set_objective(PpoConfig::ADAPTIVE_KL);
  config.set_initial_kl_beta(0.5);
  const auto beta_after = [](const PpoConfig& config, double* kl = nullptr) {
    auto ppo = ExamplePpo(config);
    Random random(2);
    const auto diagnostics = Update(*ppo, ExampleBatch(ppo->model(), kLengths, random));
    if (kl != nullptr) *kl = diagnostics.at("kl");
    return diagnostics.at("kl_beta");
  };
  double kl = 0;
  config.set_kl_target(1e-6);
  EXPECT_EQ(beta_after(config, &kl), 1);
  config.set_kl_target(kl / 1.49);
  EXPECT_EQ(beta_after(config), 0.5);
  config.set_kl_target(kl / 1.51);
  EXPECT_EQ(beta_after(config), 1);
  config.set_kl_target(kl * 1.49);
  EXPECT_EQ(beta_after(config), 0.5);
  config.set_kl_target(kl * 1.51);
  EXPECT_EQ(beta_after(config), 0.25);
}

TEST(PpoTest, ALargePenaltyHoldsThePolicyBack) {
  PpoConfig config = ExampleConfig();
  config.set_objective(PpoConfig::ADAPTIVE_KL);
  double kl[2];
  for (const int i : {0, 1}) {
    config.set_initial_kl_beta(i == 0 ? 1e-3 : 1e3);
    auto ppo = ExamplePpo(config);
    Random random(2);
    kl[i] = Update(*ppo, ExampleBatch(ppo->model(), kLengths, random)).at("kl");
  }
  EXPECT_LT(kl[1], 0.3 * kl[0]);
}

TEST(PpoTest, AdvantagesAreNormalisedInEachMinibatch) {
  // Rewards scaled by ten, with a value function of zeros, change nothing then.
  PpoConfig config = ExampleConfig();
  config.set_value_coefficient(0);
  config.set_max_gradient_norm(0);
  for (const bool normalize : {true, false}) {
    config.set_normalize_advantages(normalize);
    std::vector<torch::Tensor> parameters;
    for (const double scale : {1.0, 10.0}) {
      auto model = WithParameters(OnKernels(ExamplePolicy()));
      const Network::Range value =
          model->network().network.ParametersOf(ActorCriticNetwork::kValue);
      model->parameters().narrow(0, value.offset, value.size).zero_();
      model->ParametersChanged();
      auto ppo = MakePpo(config, std::move(model), Random(1));
      Random random(2);
      OnPolicyBatch batch = ExampleBatch(ppo->model(), kLengths, random);
      batch.rewards *= scale;
      ASSERT_TRUE(ppo->Update(batch, 0).ok());
      parameters.push_back(ppo->model().parameters().clone());
    }
    const double distance = (parameters[0] - parameters[1]).abs().max().item<double>();
    if (normalize)
      EXPECT_LT(distance, 1e-5);
    else
      EXPECT_GT(distance, 1e-4);
  }
}

TEST(PpoTest, TheSameSeedGivesTheSameBits) {
  auto a = ExamplePpo(ExampleConfig()), b = ExamplePpo(ExampleConfig());
  auto other = ExamplePpo(ExampleConfig(), /*seed=*/9);
  Train(*a);
  Train(*b);
  Train(*other);
  EXPECT_TRUE(torch::equal(a->model().parameters(), b->model().parameters()));
  EXPECT_FALSE(torch::equal(a->model().parameters(), other->model().parameters()));
}

TEST(PpoTest, GoesOnFromSavedStateBitForBit) {
  PpoConfig config = ExampleConfig();
  config.set_objective(PpoConfig::ADAPTIVE_KL);
  auto ppo = ExamplePpo(config);
  Train(*ppo);
  TensorMap state;
  ppo->Save(state);
  auto restored = ExamplePpo(config, /*seed=*/99);
  ASSERT_TRUE(restored->Restore(state).ok());
  restored->model().parameters().copy_(ppo->model().parameters());
  restored->model().ParametersChanged();
  Train(*ppo, 5);
  Train(*restored, 5);
  EXPECT_TRUE(torch::equal(ppo->model().parameters(), restored->model().parameters()));
  TensorMap after, restored_after;
  ppo->Save(after);
  restored->Save(restored_after);
  ASSERT_EQ(after.tensors().size(), restored_after.tensors().size());
  for (const NamedTensor& tensor : after.tensors())
    EXPECT_EQ(tensor.bytes, restored_after.Find(tensor.name)->bytes) << tensor.name;
}

TEST(PpoTest, AnythingMissingFromTheStateIsDataLoss) {
  auto ppo = ExamplePpo(ExampleConfig());
  TensorMap state;
  ppo->Save(state);
  ASSERT_FALSE(state.empty());
  for (const NamedTensor& missing : state.tensors()) {
    TensorMap rest;
    for (const NamedTensor& tensor : state.tensors())
      if (tensor.name != missing.name) rest.Add(tensor);
    const absl::Status status = ppo->Restore(rest);
    EXPECT_EQ(status.code(), absl::StatusCode::kDataLoss) << missing.name;
    EXPECT_THAT(std::string(status.message()), HasSubstr(missing.name));
  }
}

TEST(PpoTest, BothActorCriticsLearnTheSame) {
  for (const bool shared : {false, true})
    for (const ActionSpace& action : {DiscreteActions(3), ContinuousActions(2)}) {
      PpoConfig config = ExampleConfig();
      config.set_learning_rate(1e-3);
      config.set_entropy_coefficient(0.01);
      const ActorCriticNetwork network =
          ExampleNetwork(MlpModelConfig({9, 7}, TANH, shared), 4, action);
      auto fused = MakePpo(config, WithParameters(OnKernels(network)), Random(1));
      auto autograd = MakePpo(config, WithParameters(OnGraph(network)), Random(1));
      Train(*fused, 2, 5);
      Train(*autograd, 2, 5);
      const double distance =
          (fused->model().parameters() - autograd->model().parameters()).abs().max().item<double>();
      EXPECT_LT(distance, 1e-4);
    }
}

TEST(PpoTest, ExplainsTheVarianceOfItsReturns) {
  // gamma 0: the return of a step is its reward, which the value knows or does not.
  PpoConfig config = ExampleConfig();
  config.set_gamma(0);
  auto ppo = ExamplePpo(config);
  Random random(2);
  OnPolicyBatch batch = ExampleBatch(ppo->model(), kLengths, random);
  batch.rewards =
      ppo->model().Values(batch.observations).index_select(0, batch.observation_rows).clone();
  EXPECT_NEAR(Update(*ppo, batch).at("explained_variance"), 1, 1e-6);
}

TEST(PpoTest, TheListenerSeesThePartsInTheirOrder) {
  class Listener final : public UpdateListener {
   public:
    void Enter(UpdatePart part) override { parts.push_back(part); }
    std::vector<UpdatePart> parts;
  } listener;
  PpoConfig config = ExampleConfig();
  config.set_epochs(1);
  config.set_minibatch_size(12);
  auto ppo = ExamplePpo(config);
  ppo->set_listener(&listener);
  Random random(2);
  ASSERT_TRUE(ppo->Update(ExampleBatch(ppo->model(), kLengths, random), 0).ok());
  using enum UpdatePart;
  EXPECT_THAT(listener.parts,
              testing::ElementsAre(kPrepare, kForward, kLoss, kBackward, kOptimize, kPrepare,
                                   kForward, kLoss, kBackward, kOptimize, kPrepare));
}

// The gradient of a single step on `batch`, whose actions were `shift` less likely, in logarithms,
// under the policy that acted than they are in the batch.
torch::Tensor GradientOfOneStep(bool decoupled, OnPolicyBatch batch, double shift) {
  PpoConfig config = ExampleConfig();
  config.set_epochs(1);
  config.set_minibatch_size(24);
  config.set_normalize_advantages(false);
  config.set_value_coefficient(0);
  config.set_max_gradient_norm(0);
  config.set_decoupled(decoupled);
  auto ppo = ExamplePpo(config);
  batch.log_probs = batch.log_probs - shift;
  Update(*ppo, batch);
  return ppo->model().gradient().clone();
}

TEST(PpoTest, DecoupledWeightsStepsInsteadOfClippingThem) {
  auto same = WithParameters(OnKernels(ExamplePolicy()));
  Random random(3);
  const OnPolicyBatch batch = ExampleBatch(*same, kLengths, random);
  const torch::Tensor plain = GradientOfOneStep(false, batch, 0);
  const auto distance = [&](const torch::Tensor& gradient, double factor) {
    return ((gradient - factor * plain).norm() / plain.norm()).item<double>();
  };
  EXPECT_LT(distance(GradientOfOneStep(true, batch, 0), 1), 1e-4) << "experience of its own";
  EXPECT_LT(distance(GradientOfOneStep(true, batch, std::log(2.0)), 2), 1e-4);
  EXPECT_LT(distance(GradientOfOneStep(true, batch, std::log(0.25)), 0.25), 1e-4);
  EXPECT_LT(distance(GradientOfOneStep(true, batch, std::log(50.0)), 10), 1e-3) << "max_weight";
  // Where plain PPO has left its clip range, half of the steps, or all, have no gradient.
  EXPECT_GT(distance(GradientOfOneStep(false, batch, std::log(2.0)), 2), 0.1);
}

// By hand: with a decay of 1/2 the second update's proximal policy is 2/3 of its own beginning and
// 1/3 of the first one's.
TEST(PpoTest, TheProximalPolicyIsAnAverageOverUpdates) {
  PpoConfig config = ExampleConfig();
  config.set_decoupled(true);
  config.set_proximal_decay(0.5);
  config.set_learning_rate(0.02);
  auto ppo = ExamplePpo(config);
  const torch::Tensor first = ppo->model().parameters().clone();
  Random random(3);
  const OnPolicyBatch batch = ExampleBatch(ppo->model(), kLengths, random);
  EXPECT_NEAR(Update(*ppo, batch)["importance_weight"], 1, 1e-4) << "there is one policy so far";
  const torch::Tensor second = ppo->model().parameters().clone();
  TensorMap saved;
  ppo->Save(saved);

  const auto weight_of = [&](const torch::Tensor& parameters) {
    auto model = OnKernels(ExamplePolicy());
    model->parameters().copy_(parameters);
    model->ParametersChanged();
    const Heads heads = model->Forward(batch.observations.Select(batch.observation_rows));
    return (LogProb(heads, batch.actions) - batch.log_probs).exp().mean().item<double>();
  };
  const double wanted = weight_of((2 * second + first) / 3);
  ASSERT_GT(std::abs(wanted - weight_of(second)), 1e-3) << "nothing is tested";
  EXPECT_NEAR(Update(*ppo, batch)["importance_weight"], wanted, 1e-5);

  // And it continues from what was saved, bit for bit.
  auto restored = ExamplePpo(config);
  restored->model().parameters().copy_(second);
  restored->model().ParametersChanged();
  ASSERT_TRUE(restored->Restore(saved).ok());
  EXPECT_NEAR(Update(*restored, batch)["importance_weight"], wanted, 1e-5);
  EXPECT_TRUE(torch::equal(restored->model().parameters(), ppo->model().parameters()));
}

TEST(PpoTest, DecoupledReportsItsWeights) {
  auto same = WithParameters(OnKernels(ExamplePolicy()));
  Random random(3);
  OnPolicyBatch batch = ExampleBatch(*same, kLengths, random);
  batch.log_probs = batch.log_probs - std::log(2.0);
  PpoConfig config = ExampleConfig();
  config.set_decoupled(true);
  config.set_max_weight(1.5);
  auto diagnostics = Update(*ExamplePpo(config), batch);
  EXPECT_NEAR(diagnostics["importance_weight"], 2, 1e-3);
  EXPECT_EQ(diagnostics["clipped_share"], 1);
}

}  // namespace
}  // namespace cadre
