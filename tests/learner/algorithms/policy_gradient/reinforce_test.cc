#include "learner/algorithms/policy_gradient/reinforce.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "learner/algorithms/policy_gradient/actor_critic_loss.h"
#include "learner/algorithms/policy_gradient/episode_assembler.h"
#include "learner/algorithms/targets/advantages.h"
#include "tests/learner/algorithms/example_batch.h"
#include "tests/learner/algorithms/example_episodes.h"

namespace cadre {
namespace {

using testing::ElementsAre;

const std::vector<SegmentBounds> kEpisodes = {{0, 3, true}, {3, 1, true}, {4, 2, false}};

TEST(ReinforceTest, RewardToGoByHand) {
  const std::vector<float> rewards = {1, 2, 4, 8, 16, 32}, last_values = {100, 100, 10};
  std::vector<float> returns(6);
  RewardToGo(rewards, last_values, kEpisodes, 0.5, absl::MakeSpan(returns));
  EXPECT_THAT(returns, ElementsAre(3, 4, 4, 8, 34.5, 37));
}

TEST(ReinforceTest, BaselinesByHandLeaveOutTheEpisodeThatTheyAreFor) {
  const std::vector<float> returns = {1, 2, 3, 5, 6, 7};
  std::vector<float> baseline(6);
  ASSERT_TRUE(ConstantBaseline(nullptr, returns, kEpisodes, absl::MakeSpan(baseline)).ok());
  EXPECT_THAT(baseline, ElementsAre(6, 6, 6, 3.8f, 2.75, 2.75));
  ASSERT_TRUE(TimeDependentBaseline(nullptr, returns, kEpisodes, absl::MakeSpan(baseline)).ok());
  EXPECT_THAT(baseline, ElementsAre(5.5, 7, /*no other is so long*/ 6, 3.5, 3, 2));
}

TEST(ReinforceTest, AnEpisodeAloneHasNoBaselineOfReturns) {
  const std::vector<float> returns = {3, 2};
  const std::vector<SegmentBounds> alone = {{0, 2, true}};
  for (const auto baseline_of : {&ConstantBaseline, &TimeDependentBaseline}) {
    std::vector<float> baseline = {-1, -1};
    ASSERT_TRUE(baseline_of(nullptr, returns, alone, absl::MakeSpan(baseline)).ok());
    EXPECT_THAT(baseline, ElementsAre(0, 0));
  }
}

// Episodes in a world of numbered steps, as a model sees them.
struct Policy {
  explicit Policy(bool discrete)
      : model(WithParameters(OnKernels(ExampleNetwork(
            MlpModelConfig({5}), 2, discrete ? DiscreteActions(3) : ContinuousActions(2))))) {}

  // The batch with small numbers, and actions that another policy knew.
  OnPolicyBatch See(OnPolicyBatch batch) const {
    batch.observations = Observation(batch.observations.only());
    batch.actions = Action(batch.rewards);
    batch.log_probs = Behaviour(batch.rewards);
    batch.rewards = Reward(batch.rewards);
    return batch;
  }
  // Log-probabilities; far too small for some actions, so that weights are bounded.
  torch::Tensor Behaviour(const torch::Tensor& numbers) const {
    return -1.5 + 2.5 * (numbers * 0.13).sin();
  }
  torch::Tensor Observation(const torch::Tensor& rows) const { return (rows * 0.37).sin(); }
  torch::Tensor Reward(const torch::Tensor& numbers) const { return (numbers * 0.71).cos(); }
  torch::Tensor Action(const torch::Tensor& numbers) const {
    if (model->network().discrete()) return numbers.to(torch::kInt64).remainder(3);
    return torch::stack({(numbers * 0.3).sin(), (numbers * 0.2).cos()}, 1);
  }
  torch::Tensor ObservationsOf(const torch::Tensor& numbers) const {
    return Observation(torch::stack({numbers, -numbers}, 1));
  }

  std::unique_ptr<ActorCritic> model;
};

// The gradient for episodes of these step numbers, each return and baseline by its own loop.
// Adds the steps whose weight is bounded to `clipped`.
torch::Tensor NaiveGradient(Policy& policy, const ReinforceConfig& config,
                            const std::vector<std::vector<float>>& episodes,
                            const std::vector<bool>& terminated, int64_t* clipped) {
  std::vector<float> numbers;
  std::vector<double> returns, baseline;
  const auto value_of = [&](float number) {
    return policy.model->Values(policy.ObservationsOf(torch::tensor({number}))).item<double>();
  };
  for (size_t e = 0; e < episodes.size(); ++e) {
    const std::vector<float>& episode = episodes[e];
    const torch::Tensor rewards = policy.Reward(torch::tensor(episode));
    const size_t length = episode.size();
    for (size_t t = 0; t < length; ++t) {
      double sum = 0;
      for (size_t u = t; u < length; ++u)
        sum += std::pow(config.gamma(), u - t) * rewards[u].item<double>();
      if (!terminated[e])
        sum += std::pow(config.gamma(), length - t) * value_of(episode.back() + 1);
      returns.push_back(sum);
      numbers.push_back(episode[t]);
    }
  }
  size_t step = 0;
  for (const std::vector<float>& episode : episodes) {
    for (size_t t = 0; t < episode.size(); ++t, ++step) {
      double sum = 0, count = 0, sum_at_t = 0, count_at_t = 0;
      size_t first = 0;
      for (const std::vector<float>& other : episodes) {
        for (size_t u = 0; u < other.size(); ++u) {
          const double value = returns[first + u];
          if (&other != &episode) sum += value, ++count;
          if (&other != &episode && u == t) sum_at_t += value, ++count_at_t;
        }
        first += other.size();
      }
      const double constant = count > 0 ? sum / count : 0;
      baseline.push_back(config.baseline() == ReinforceConfig::NONE    ? 0
                         : config.baseline() == ReinforceConfig::VALUE ? value_of(episode[t])
                         : config.baseline() == ReinforceConfig::CONSTANT_BASELINE ? constant
                         : count_at_t > 0 ? sum_at_t / count_at_t
                                          : constant);
    }
  }
  const torch::Tensor all = torch::tensor(numbers);
  const torch::Tensor to_go = torch::tensor(returns).to(torch::kFloat32);
  torch::Tensor advantages = (torch::tensor(returns) - torch::tensor(baseline)).to(torch::kFloat32);
  if (config.normalize_advantages())
    advantages = (advantages - advantages.mean()) / (advantages.std() + 1e-8);
  const torch::Tensor observations = policy.ObservationsOf(all);
  const Heads heads = policy.model->Forward(observations);
  const torch::Tensor ratios = (LogProb(heads, policy.Action(all)) - policy.Behaviour(all)).exp();
  const torch::Tensor weights = ratios.clamp_max(kMaxReinforceWeight);
  *clipped += (ratios > kMaxReinforceWeight).sum().item<int64_t>();
  ActorCriticHeadGradient out;
  ComputeActorCriticGradient(
      heads, {policy.Action(all), advantages, to_go, weights},
      {.value = config.value_coefficient(), .entropy = config.entropy_coefficient()}, out);
  policy.model->Backward(out.gradient);
  return policy.model->gradient().clone();
}

TEST(ReinforceTest, TheGradientIsThatOfANaiveLoopOverEpisodes) {
  int64_t clipped = 0;
  for (const bool discrete : {true, false})
    for (const auto baseline : {ReinforceConfig::NONE, ReinforceConfig::CONSTANT_BASELINE,
                                ReinforceConfig::TIME_DEPENDENT, ReinforceConfig::VALUE})
      for (const bool normalize : {false, true}) {
        ReinforceConfig config;
        config.set_gamma(0.9);
        config.set_baseline(baseline);
        config.set_normalize_advantages(normalize);
        config.set_entropy_coefficient(0.02);
        Policy policy(discrete);
        auto reinforce = MakeReinforceGradient(config, Policy(discrete).model);
        Random random(8);
        ExampleEpisodes world(2, 3);
        EpisodeAssembler assembler;
        size_t learned = 0;
        for (int i = 0; i < 6; ++i) {
          const OnPolicyBatch batch = policy.See(assembler.Add(world.NextBatch(9, random)));
          Diagnostics diagnostics;
          const bool any = reinforce->ComputeGradient(batch, 0, diagnostics).value();
          const std::vector<std::vector<float>> episodes(world.finished().begin() + learned,
                                                         world.finished().end());
          const std::vector<bool> terminated(world.terminated().begin() + learned,
                                             world.terminated().end());
          learned = world.finished().size();
          ASSERT_EQ(any, !episodes.empty());
          if (!any) continue;
          const torch::Tensor wanted =
              NaiveGradient(policy, config, episodes, terminated, &clipped);
          EXPECT_TRUE(torch::allclose(reinforce->model().gradient(), wanted, 1e-3, 1e-5))
              << (discrete ? "discrete" : "continuous") << ", baseline " << baseline
              << (normalize ? ", normalised" : "") << ", batch " << i;
        }
        EXPECT_GT(learned, 5);
      }
  EXPECT_GT(clipped, 0) << "no weight was bounded";
}

TEST(ReinforceTest, StepsOfThePolicyThatLearnsCountOnce) {
  Policy policy(true);
  auto reinforce = MakeReinforceGradient({}, Policy(true).model);
  OnPolicyBatch batch = policy.See(SegmentsBatch({{5, kTerminated, 3, {}}}));
  batch.log_probs =
      LogProb(policy.model->Forward(policy.ObservationsOf(torch::arange(3, 8).to(torch::kFloat32))),
              batch.actions);
  Diagnostics diagnostics;
  ASSERT_TRUE(reinforce->ComputeGradient(batch, 0, diagnostics).value());
  const std::map<std::string, double> numbers(diagnostics.begin(), diagnostics.end());
  EXPECT_NEAR(numbers.at("importance_weight"), 1, 1e-5);
  EXPECT_EQ(numbers.at("clipped_share"), 0);
}

TEST(ReinforceTest, DiagnosticsHaveTheSameNamesBeforeTheFirstEpisode) {
  for (const auto baseline : {ReinforceConfig::NONE, ReinforceConfig::VALUE}) {
    ReinforceConfig config;
    config.set_baseline(baseline);
    Policy policy(true);
    auto reinforce = MakeReinforceGradient(config, Policy(true).model);
    EpisodeAssembler assembler;
    Diagnostics before, after;
    const auto whole = [&](const NumberedSegment& segment) {
      return policy.See(assembler.Add(SegmentsBatch({segment})));
    };
    const SegmentOrigin first{0, 0, 1, 1}, second{0, 0, 1, 2};
    EXPECT_FALSE(reinforce->ComputeGradient(whole({3, kCut, 0, first}), 0, before).value());
    EXPECT_TRUE(reinforce->ComputeGradient(whole({3, kTerminated, 3, second}), 0, after).value());
    EXPECT_EQ(NamesOf(before), NamesOf(after));
    EXPECT_EQ(NamesOf(before), reinforce->diagnostic_names());
    EXPECT_TRUE(std::isnan(before[0].second));
    EXPECT_FALSE(std::isnan(after[0].second));
  }
}

}  // namespace
}  // namespace cadre
