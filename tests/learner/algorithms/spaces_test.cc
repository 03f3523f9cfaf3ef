// Several choices at once, masks and several observation columns, through every algorithm.
#include <algorithm>
#include <cmath>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <torch/autograd.h>

#include "gtest/gtest.h"
#include "learner/algorithms/off_policy.h"
#include "learner/algorithms/optimization/pushed_gradient.h"
#include "learner/algorithms/policy_gradient/actor_critic_loss.h"
#include "learner/algorithms/policy_gradient/on_policy.h"
#include "learner/algorithms/policy_gradient/ppo_loss.h"
#include "learner/algorithms/trust_region/fisher_vector.h"
#include "policy/distributions.h"
#include "tests/learner/algorithms/actor_critic_example.h"
#include "tests/learner/algorithms/example_batch.h"
#include "tests/learner/algorithms/example_transitions.h"

namespace cadre {
namespace {

ActionSpace MaskedChoices(std::vector<int64_t> counts = {3, 5, 4}) {
  return MaskedActions(ActionSpace::MultiDiscrete(std::move(counts)));
}

ActionSpace MaskedChoice() { return MaskedActions(ActionSpace::Discrete(4)); }

// Heads of B rows as ActorCritic::Forward gives them, and random steps.
struct Steps {
  Steps(const ActionSpace& action, int64_t rows, Random& random)
      : mask(RandomMask(action, rows, random)) {
    logits = RandomTensor({rows, action.alternatives()}, random, 2);
    heads = {Masked(logits, mask),
             RandomTensor({rows}, random),
             {},
             action.kind == ActionSpace::Kind::kDiscrete ? std::vector<int64_t>() : action.counts};
    actions = RandomActions(action, rows, random, mask);
    advantages = RandomTensor({rows}, random);
    returns = RandomTensor({rows}, random);
    log_probs = LogProb(heads, actions) + RandomTensor({rows}, random, 0.2);
  }
  torch::Tensor mask, logits, actions, advantages, returns, log_probs;
  Heads heads;
};

void ExpectClose(const torch::Tensor& got, const torch::Tensor& wanted, double tolerance = 2e-6) {
  EXPECT_TRUE(torch::allclose(got, wanted, 1e-4, tolerance)) << got << "\nwanted\n" << wanted;
}

void ExpectMaskedAreZero(const torch::Tensor& gradient, const torch::Tensor& mask) {
  EXPECT_TRUE(torch::isfinite(gradient).all().item<bool>());
  EXPECT_EQ(gradient.masked_select(mask.eq(0)).abs().max().item<float>(), 0);
  EXPECT_GT(gradient.masked_select(mask.ne(0)).abs().max().item<float>(), 0);
}

TEST(SpacesTest, BothPpoGradientsAgreeAndLeaveMaskedLogitsAlone) {
  Random random(1);
  for (const ActionSpace& action : {MaskedChoices(), MaskedChoice(), MaskedChoices({5})})
    for (const auto objective : {PpoConfig::CLIPPED, PpoConfig::ADAPTIVE_KL}) {
      const Steps steps(action, 40, random), old(action, 40, random);
      const PpoMinibatch batch{.actions = steps.actions,
                               .log_probs = steps.log_probs,
                               .advantages = steps.advantages,
                               .returns = steps.returns,
                               .values = RandomTensor({40}, random),
                               .old_policy = Masked(old.logits, steps.mask)};
      const PpoCoefficients coefficients{.objective = objective,
                                         .clip_range = torch::scalar_tensor(0.2, torch::kFloat64),
                                         .entropy = 0.3,
                                         .kl_beta = torch::scalar_tensor(0.7, torch::kFloat64)};
      PpoGradient fast, autograd;
      ComputePpoGradient(steps.heads, batch, coefficients, /*fast=*/true, fast);
      ComputePpoGradient(steps.heads, batch, coefficients, /*fast=*/false, autograd);
      ExpectClose(fast.gradient.policy, autograd.gradient.policy);
      ExpectClose(fast.numbers, autograd.numbers, 1e-4);
      ExpectMaskedAreZero(fast.gradient.policy, steps.mask);
      ExpectMaskedAreZero(autograd.gradient.policy, steps.mask);
    }
}

TEST(SpacesTest, BothPolicyGradientsAgreeAndLeaveMaskedLogitsAlone) {
  Random random(2);
  for (const ActionSpace& action : {MaskedChoices(), MaskedChoice()}) {
    const Steps steps(action, 40, random);
    const ActorCriticTargets targets{steps.actions, steps.advantages, steps.returns, {}};
    const ActorCriticCoefficients coefficients{.value = 0.5, .entropy = 0.3};
    ActorCriticHeadGradient fast;
    ComputeActorCriticGradient(steps.heads, targets, coefficients, fast);
    const torch::Tensor leaf = steps.heads.policy.detach().clone().requires_grad_();
    const Heads heads{leaf, steps.heads.value, {}, steps.heads.counts};
    const ActorCriticLoss loss = ComputeActorCriticLoss(heads, targets, coefficients);
    loss.total.backward();
    ExpectClose(fast.gradient.policy, leaf.grad());
    EXPECT_NEAR(fast.diagnostics.entropy, loss.entropy.item<double>(), 1e-5);
    EXPECT_NEAR(fast.diagnostics.policy_loss, loss.policy.item<double>(), 1e-5);
    ExpectMaskedAreZero(fast.gradient.policy, steps.mask);

    const torch::Tensor log_probs = torch::empty({40});
    ActionLogProbs(steps.heads, steps.actions, log_probs);
    ExpectClose(log_probs, LogProb(steps.heads, steps.actions), 1e-5);
  }
}

// Whatever a loss says, nothing flows through a masked logit.
TEST(SpacesTest, TheModelItselfStopsTheGradientOfMaskedLogits) {
  Random random(3);
  for (const bool graph : {false, true}) {
    const ActorCriticNetwork network =
        ExampleNetwork(MlpModelConfig({6}), 3, MaskedChoices({3, 2}));
    auto model = graph ? OnGraph(network) : OnKernels(network);
    model->parameters().copy_(RandomTensor({network.layout().size()}, random, 0.5));
    model->ParametersChanged();
    ObservationBatch observations = RandomTensor({5, 3}, random);
    observations.mask = torch::tensor({1, 0, 1, 0, 1}, torch::kUInt8).expand({5, 5}).contiguous();
    const Heads heads = model->Forward(observations);
    EXPECT_EQ(heads.counts, (std::vector<int64_t>{3, 2}));
    EXPECT_EQ(heads.policy.select(1, 1).max().item<float>(), kMaskedLogit);
    EXPECT_LT(heads.policy.select(1, 2).abs().max().item<float>(), 10);
    model->Backward({torch::ones({5, 5}), torch::zeros({5}), {}});
    const torch::Tensor bias = Part(network.layout(), "policy.1.bias", model->gradient());
    ExpectClose(bias, torch::tensor({5.0f, 0.0f, 5.0f, 0.0f, 5.0f}));
  }
}

// The last alternative of each choice is never allowed (RandomMask): its row of the last layer
// does not move, all others do.
void ExpectOnlyAllowedRowsMove(const ActionSpace& action, const torch::Tensor& before,
                               const torch::Tensor& after) {
  int64_t row = 0;
  for (const int64_t count : action.counts)
    for (int64_t i = 0; i < count; ++i, ++row)
      EXPECT_EQ(torch::equal(before[row], after[row]), i + 1 == count) << "row " << row;
}

ExperimentConfig OnPolicyConfig(const std::string& algorithm) {
  ExperimentConfig config;
  if (algorithm == "ppo") config.mutable_ppo()->set_minibatch_size(8);
  if (algorithm == "ppo") config.mutable_ppo()->set_entropy_coefficient(0.1);
  if (algorithm == "a2c") config.mutable_a2c()->set_entropy_coefficient(0.1);
  if (algorithm == "impala") config.mutable_impala()->set_entropy_coefficient(0.1);
  if (algorithm == "off_policy_gradient")
    config.mutable_off_policy_gradient()->set_entropy_coefficient(0.1);
  if (algorithm == "reinforce") config.mutable_reinforce()->set_entropy_coefficient(0.1);
  if (algorithm == "trpo") config.mutable_trpo()->set_entropy_coefficient(0.1);
  if (algorithm == "npg") config.mutable_npg()->set_entropy_coefficient(0.1);
  return config;
}

class EveryOnPolicyAlgorithmTest : public testing::TestWithParam<std::string> {};

TEST_P(EveryOnPolicyAlgorithmTest, MovesNothingThatOnlyMaskedActionsUse) {
  for (const ActionSpace& action : {MaskedChoice(), MaskedChoices()})
    for (const bool tensors : {false, true}) {
      Random random(4);
      const ActorCriticNetwork network = ExampleNetwork(MlpModelConfig({6}), 3, action);
      auto model = tensors ? OnGraph(network) : OnKernels(network);
      model->parameters().copy_(RandomTensor({network.layout().size()}, random, 0.5));
      model->ParametersChanged();
      ActorCritic& looked_at = *model;
      auto algorithm = MakeOnPolicyAlgorithm(OnPolicyConfig(GetParam()), std::move(model),
                                             Random(5), {.tensor_operations = tensors});
      ASSERT_TRUE(algorithm.ok()) << algorithm.status();
      const OnPolicyBatch batch = ExampleBatch(looked_at, {9, 7, 8}, random);
      ASSERT_TRUE(batch.observations.mask.defined());
      const auto weights = [&] {
        return Part(network.layout(), "policy.1.weight", looked_at.parameters()).clone();
      };
      const torch::Tensor before = weights();
      const auto diagnostics = (*algorithm)->Update(batch, 0);
      ASSERT_TRUE(diagnostics.ok()) << diagnostics.status();
      for (const auto& [name, value] : *diagnostics)
        EXPECT_TRUE(std::isfinite(value)) << name << " is " << value;
      ExpectOnlyAllowedRowsMove(action, before, weights());
    }
}

INSTANTIATE_TEST_SUITE_P(All, EveryOnPolicyAlgorithmTest,
                         testing::Values("ppo", "a2c", "impala", "off_policy_gradient", "reinforce",
                                         "trpo", "npg"),
                         [](const auto& info) { return info.param; });

TEST(SpacesTest, TheGradientOfA3cHasNothingForMaskedActions) {
  ExperimentConfig config;
  config.mutable_a3c()->set_entropy_coefficient(0.1);
  *config.mutable_model() = MlpModelConfig({6});
  auto a3c = MakePushedGradient(config, VectorSpace(3), MaskedChoice(), Random(1));
  ASSERT_TRUE(a3c.ok()) << a3c.status();
  const ActorCriticNetwork network = ExampleNetwork(MlpModelConfig({6}), 3, MaskedChoice());
  auto model = OnKernels(network);
  model->parameters().copy_((*a3c)->model().parameters());
  model->ParametersChanged();
  Random random(6);
  const OnPolicyBatch batch = ExampleBatch(*model, {9, 7}, random);
  Diagnostics diagnostics;
  ASSERT_TRUE((*a3c)->ComputeGradient(batch, 0, diagnostics).ok());
  const torch::Tensor bias = Part(network.layout(), "policy.1.bias", (*a3c)->model().gradient());
  EXPECT_EQ(bias[3].item<float>(), 0);
  EXPECT_NE(bias[0].item<float>(), 0);
}

// F v by the Hessian of the mean KL, through masks and several choices.
TEST(SpacesTest, FisherProductsAreThoseOfTheDenseMatrix) {
  Random random(7);
  const ActionSpace action = MaskedChoices({3, 2});
  const ActorCriticNetwork network = ExampleNetwork(MlpModelConfig({4}), 3, action);
  const torch::Tensor parameters =
      RandomTensor({network.layout().size()}, random, 0.5).to(torch::kFloat64);
  ObservationBatch observations = RandomTensor({11, 3}, random).to(torch::kFloat64);
  observations.mask = RandomMask(action, 11, random);
  const FisherVectorProduct fisher(network, parameters, observations);
  const torch::Tensor leaf = parameters.clone().requires_grad_();
  const auto logits = [&](const torch::Tensor& p) {
    return Masked(
        HeadsWithGraph(network.network, {ActorCriticNetwork::kPolicy}, p, observations.columns)[0],
        observations.mask);
  };
  const torch::Tensor kl =
      CategoricalKl(logits(parameters).detach(), logits(leaf), action.counts).mean();
  const torch::Tensor slope =
      torch::autograd::grad({kl}, {leaf}, {}, /*retain_graph=*/true, /*create_graph=*/true)[0];
  for (int i = 0; i < 3; ++i) {
    const torch::Tensor v = RandomTensor({network.layout().size()}, random).to(torch::kFloat64);
    const torch::Tensor wanted = torch::autograd::grad({slope.dot(v)}, {leaf}, {},
                                                       /*retain_graph=*/true)[0];
    EXPECT_LT(((fisher(v) - wanted).norm() / wanted.norm()).item<double>(), 1e-9);
  }
}

// --- Value-based ---

OffPolicyBatch MaskedTransitions(int64_t items, Random& random) {
  return TransitionsIn(MaskedChoice(), items, 3, random);
}

// With one allowed action the target is that one's, whatever the others are worth.
TEST(SpacesTest, DqnsTargetIsOfAllowedActionsAlone) {
  for (const bool distributional : {false, true})
    for (const bool tensors : {false, true}) {
      ExperimentConfig config;
      config.mutable_dqn()->set_learning_rate(1e-6);
      config.mutable_dqn()->set_double_q(!distributional);
      if (distributional) {
        auto& c51 = *config.mutable_dqn()->mutable_distributional();
        c51.set_atoms(11), c51.set_min_value(-5), c51.set_max_value(5);
      }
      *config.mutable_model() = MlpModelConfig({6});
      const auto mean_target = [&](const std::vector<int>& allowed) {
        auto dqn = MakeOffPolicyAlgorithm(config, VectorSpace(3), MaskedChoice(), Random(1),
                                          {.tensor_operations = tensors});
        CADRE_CHECK(dqn.ok());
        Random random(8);
        OffPolicyBatch batch = MaskedTransitions(16, random);
        batch.rewards.zero_();
        batch.discounts.fill_(1);
        batch.next_observations.mask =
            torch::tensor(allowed, torch::kUInt8).expand({16, 4}).contiguous();
        CADRE_CHECK((*dqn)->Update(batch, 0, {}).ok());
        for (const auto& [name, value] : (*dqn)->diagnostics())
          if (name == "target_value") return value;
        return std::nan("");
      };
      const double all = mean_target({1, 1, 1, 1});
      double most = -1e9;
      for (int i = 0; i < 4; ++i) {
        std::vector<int> only(4, 0);
        only[i] = 1;
        const double target = mean_target(only);
        EXPECT_LT(target, all) << "never more than the best of all";
        most = std::max(most, target);
      }
      // Two allowed: at least as good as either, and no better than all.
      EXPECT_LE(mean_target({1, 1, 0, 0}), all);
      EXPECT_GT(mean_target({1, 1, 1, 0}) + 1e-9, mean_target({1, 0, 1, 0}));
      EXPECT_GT(most, -100) << "no masked value is a target";
    }
}

TEST(SpacesTest, DiscreteSacLearnsNothingForMaskedActions) {
  for (const bool tensors : {false, true}) {
    ExperimentConfig config;
    config.mutable_sac()->set_policy_learning_rate(1e-2);
    *config.mutable_model() = MlpModelConfig({6});
    auto sac = MakeOffPolicyAlgorithm(config, VectorSpace(3), MaskedChoice(), Random(1),
                                      {.tensor_operations = tensors});
    ASSERT_TRUE(sac.ok()) << sac.status();
    const auto weights = [&] {
      return Part((*sac)->acting_layout(), "policy.1.weight", (*sac)->acting_parameters()).clone();
    };
    const torch::Tensor before = weights();
    Random random(9);
    for (int i = 0; i < 3; ++i)
      ASSERT_TRUE((*sac)->Update(MaskedTransitions(16, random), 0, {}).ok());
    for (const auto& [name, value] : (*sac)->diagnostics())
      EXPECT_TRUE(std::isfinite(value)) << name << " is " << value;
    ExpectOnlyAllowedRowsMove(MaskedChoice(), before, weights());
  }
}

TEST(SpacesTest, NStepReturnsStartFromAnAllowedAction) {
  ExperimentConfig config;
  config.mutable_n_step_q()->set_gamma(1);
  *config.mutable_model() = MlpModelConfig({6});
  const auto target = [&](const std::vector<int>& allowed) {
    auto q = MakePushedGradient(config, VectorSpace(3), MaskedChoice(), Random(1));
    CADRE_CHECK(q.ok());
    OnPolicyBatch batch;
    Random random(10);
    batch.segments = {{0, 1, false}};
    batch.observations = RandomTensor({2, 3}, random);
    batch.observations.mask = torch::tensor(allowed, torch::kUInt8).expand({2, 4}).contiguous();
    batch.observation_rows = torch::zeros({1}, torch::kInt64);
    batch.actions = torch::zeros({1}, torch::kInt64);
    batch.rewards = torch::zeros({1});
    Diagnostics diagnostics;
    CADRE_CHECK((*q)->ComputeGradient(batch, 0, diagnostics).ok());
    for (const auto& [name, value] : diagnostics)
      if (name == "target_value") return value;
    return std::nan("");
  };
  std::vector<double> each;
  for (int i = 0; i < 4; ++i) {
    std::vector<int> only(4, 0);
    only[i] = 1;
    each.push_back(target(only));
  }
  EXPECT_EQ(target({1, 1, 1, 1}), *std::max_element(each.begin(), each.end()));
  EXPECT_EQ(target({0, 1, 1, 0}), std::max(each[1], each[2]));
  EXPECT_GT(*std::min_element(each.begin(), each.end()), -100);
}

TEST(SpacesTest, AlgorithmsOfASingleChoiceRefuseSeveral) {
  for (const bool sac : {false, true}) {
    ExperimentConfig config;
    if (sac)
      config.mutable_sac();
    else
      config.mutable_dqn();
    *config.mutable_model() = MlpModelConfig({6});
    const auto made =
        MakeOffPolicyAlgorithm(config, VectorSpace(3), ActionSpace::MultiBinary(3), Random(1));
    EXPECT_EQ(made.status().code(), absl::StatusCode::kInvalidArgument);
    EXPECT_EQ(made.status().message(),
              std::string(sac ? "a discrete policy" : "an action-value network") +
                  " wants actions of one discrete choice; the "
                  "environment has 3 bits");
  }
}

// --- Observations ---

ObservationSpace Dictionary() {
  return {.columns = {{.name = "image", .dtype = v1::DTYPE_UINT8, .shape = {2, 2}},
                      {.name = "reading", .shape = {1}}}};
}

TEST(SpacesTest, BytesAreScaledAndColumnsStandSideBySide) {
  Random random(11);
  const auto dictionary = MakeActorCritic(MlpModelConfig({6}), Dictionary(), DiscreteActions(3));
  ASSERT_TRUE(dictionary.ok()) << dictionary.status();
  const ActorCriticNetwork flat = ExampleNetwork(MlpModelConfig({6}), 5, DiscreteActions(3));
  ASSERT_EQ(dictionary->layout().size(), flat.layout().size());
  const torch::Tensor parameters = RandomTensor({flat.layout().size()}, random, 0.5);
  ObservationBatch observations;
  observations.columns = {torch::randint(256, {7, 2, 2}).to(torch::kUInt8),
                          RandomTensor({7, 1}, random)};
  const torch::Tensor concatenated = torch::cat(
      {observations.columns[0].to(torch::kFloat32).view({7, 4}) / 255, observations.columns[1]}, 1);
  const torch::Tensor slope = RandomTensor({7, 3}, random);
  auto wanted = OnKernels(flat);
  wanted->parameters().copy_(parameters);
  wanted->ParametersChanged();
  const torch::Tensor logits = wanted->Forward(concatenated).policy.clone();
  wanted->Backward({slope.clone(), torch::ones({7}), {}});
  for (const bool graph : {false, true}) {
    auto model = graph ? OnGraph(*dictionary) : OnKernels(*dictionary);
    model->parameters().copy_(parameters);
    model->ParametersChanged();
    ExpectClose(model->Forward(observations).policy, logits);
    model->Backward({slope.clone(), torch::ones({7}), {}});
    ExpectClose(model->gradient(), wanted->gradient(), 1e-5);
    ExpectClose(model->Values(observations), wanted->Values(concatenated));
  }
}

TEST(SpacesTest, AlgorithmsTrainOnADictionary) {
  Random random(12);
  for (const bool tensors : {false, true}) {
    ExperimentConfig config;
    config.mutable_sac();
    *config.mutable_model() = MlpModelConfig({6});
    auto sac = MakeOffPolicyAlgorithm(config, Dictionary(), ContinuousActions(2), Random(1),
                                      {.tensor_operations = tensors});
    ASSERT_TRUE(sac.ok()) << sac.status();
    OffPolicyBatch batch = ExampleTransitions(16, 1, 2, random);
    batch.actions = RandomTensor({16, 2}, random, 0.1);
    for (ObservationBatch* observations : {&batch.observations, &batch.next_observations})
      observations->columns = {torch::randint(256, {16, 2, 2}).to(torch::kUInt8),
                               observations->columns[0]};
    const torch::Tensor before = (*sac)->acting_parameters().clone();
    ASSERT_TRUE((*sac)->Update(batch, 0, {}).ok());
    EXPECT_FALSE(torch::equal(before, (*sac)->acting_parameters()));
  }
}

}  // namespace
}  // namespace cadre
