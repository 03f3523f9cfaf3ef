// A policy with a memory: what the learner computes over whole sequences is what the actor did step
// by step.
#include <memory>
#include <string>
#include <vector>

#include "google/protobuf/text_format.h"
#include "gtest/gtest.h"
#include "learner/algorithms/policy_gradient/actor_critic_loss.h"
#include "learner/algorithms/policy_gradient/batch_sequences.h"
#include "learner/algorithms/policy_gradient/ppo.h"
#include "policy/distributions.h"
#include "policy/networks/acting_network.h"
#include "tests/policy/example_networks.h"

namespace cadre {
namespace {

constexpr int64_t kEnvironments = 4, kSteps = 6, kObservation = 3, kActions = 3;

ModelConfig Model(const std::string& text) {
  ModelConfig model;
  CADRE_CHECK(google::protobuf::TextFormat::ParseFromString(text, &model));
  return model;
}

// A rollout of environments whose observations are random, and which end their episodes at random;
// the second rollout of two, so that memories are not empty at first.
OnPolicyBatch Rollout(const ActorCriticNetwork& network, const std::vector<float>& parameters,
                      Random& random) {
  ActingNetwork acting(network.network, ActorCriticNetwork::kPolicy);
  acting.Load(parameters);
  struct Step {
    std::vector<float> observation, state;
    int64_t action;
    float log_prob;
    bool ends;
  };
  std::vector<std::vector<Step>> steps(kEnvironments);
  std::vector<float> log_probs(kActions);
  for (int64_t t = 0; t < 2 * kSteps; ++t) {
    const std::vector<float> observations = RandomFloats(kEnvironments * kObservation, random);
    const float* const logits = acting.Run({observations.data()}, kEnvironments);
    const int64_t size = network.network.state_size();
    for (int64_t e = 0; e < kEnvironments; ++e) {
      LogSoftmax({logits + e * kActions, kActions}, absl::MakeSpan(log_probs));
      const int64_t action = SampleCategorical(log_probs, random);
      const bool ends = random.Below(3) == 0;
      const auto state = acting.states().subspan(e * size, size);
      if (t >= kSteps)
        steps[e].push_back({{observations.begin() + e * kObservation,
                             observations.begin() + (e + 1) * kObservation},
                            {state.begin(), state.end()},
                            action,
                            log_probs[action],
                            ends});
      if (ends) acting.EndEpisode(e);
    }
  }
  OnPolicyBatch batch;
  std::vector<float> rows, states, rewards, behaviour;
  std::vector<int64_t> actions, observation_rows;
  const auto close = [&](int64_t environment, bool terminated) {
    const std::vector<float> last = RandomFloats(kObservation, random);
    rows.insert(rows.end(), last.begin(), last.end());
    const int64_t before = batch.segments.empty()
                               ? 0
                               : batch.segments.back().first_step + batch.segments.back().length;
    batch.segments.push_back({.first_step = before,
                              .length = static_cast<int64_t>(actions.size()) - before,
                              .terminated = terminated,
                              .cut = !terminated,
                              .origin = {.environment = static_cast<int32_t>(environment)}});
  };
  for (int64_t e = 0; e < kEnvironments; ++e)
    for (int64_t t = 0; t < kSteps; ++t) {
      const Step& step = steps[e][t];
      observation_rows.push_back(static_cast<int64_t>(rows.size()) / kObservation);
      rows.insert(rows.end(), step.observation.begin(), step.observation.end());
      states.insert(states.end(), step.state.begin(), step.state.end());
      actions.push_back(step.action);
      rewards.push_back(static_cast<float>(random.Normal()));
      behaviour.push_back(step.log_prob);
      if (step.ends || t + 1 == kSteps) close(e, step.ends);
    }
  const auto steps_count = static_cast<int64_t>(actions.size());
  batch.observations = torch::tensor(rows).view({-1, kObservation});
  batch.observation_rows = torch::tensor(observation_rows);
  batch.actions = torch::tensor(actions);
  batch.rewards = torch::tensor(rewards);
  batch.log_probs = torch::tensor(behaviour);
  batch.versions = torch::ones({steps_count}, torch::kInt64);
  batch.states = torch::tensor(states).view({steps_count, -1});
  batch.observations.sequences = SequencesOf(batch.segments, batch.states);
  return batch;
}

class RecurrentPolicyTest : public testing::TestWithParam<const char*> {
 protected:
  std::unique_ptr<ActorCritic> ModelOn(Runner runner) {
    auto model = std::make_unique<ActorCritic>(network_, runner);
    model->parameters().copy_(torch::tensor(parameters_));
    model->ParametersChanged();
    return model;
  }

  const ActorCriticNetwork network_ =
      ExampleNetwork(Model(GetParam()), kObservation, DiscreteActions(kActions));
  Random random_{5};
  const std::vector<float> parameters_ = RandomFloats(network_.layout().size(), random_, 0.6);
  const OnPolicyBatch batch_ = Rollout(network_, parameters_, random_);
};

INSTANTIATE_TEST_SUITE_P(
    Networks, RecurrentPolicyTest,
    testing::Values("memory { units: 5 }", "memory { kind: LSTM units: 4 }",
                    "encoder { mlp { hidden: [6] } } memory { kind: LSTM units: 4 } "
                    "separate_encoders: true",
                    "memory { units: 5 } mlp { hidden: [7] shared_trunk: true }"));

TEST_P(RecurrentPolicyTest, TheLearnerRemembersWhatTheActorDid) {
  ASSERT_GT(batch_.segments.size(), kEnvironments) << "no episode ended within the rollout";
  ASSERT_GT(batch_.states.abs().max().item<float>(), 0.01);
  for (const Runner runner : {Runner::kKernels, Runner::kGraph}) {
    const auto model = ModelOn(runner);
    const Heads heads = model->Forward(batch_.observations);
    Heads steps{.policy = heads.policy.index_select(0, batch_.observation_rows)};
    torch::Tensor log_probs = torch::empty({batch_.steps()});
    ActionLogProbs(steps, batch_.actions, log_probs);
    EXPECT_LT((log_probs - batch_.log_probs).abs().max().item<float>(), 2e-5);
    EXPECT_LT((model->Values(batch_.observations) - heads.value).abs().max().item<float>(), 1e-5);
  }
}

TEST_P(RecurrentPolicyTest, TheStepsAloneHaveTheSameHeads) {
  const auto model = ModelOn(Runner::kKernels);
  const Heads all = model->Forward(batch_.observations);
  const torch::Tensor policy = all.policy.index_select(0, batch_.observation_rows).clone();
  const torch::Tensor value = all.value.index_select(0, batch_.observation_rows).clone();
  const Heads steps = model->Forward(ObservationsOfSteps(batch_));
  EXPECT_LT((steps.policy - policy).abs().max().item<float>(), 1e-6);
  EXPECT_LT((steps.value - value).abs().max().item<float>(), 1e-6);
}

TEST_P(RecurrentPolicyTest, BothRunnersHaveTheSameGradient) {
  torch::Tensor gradients[2];
  const torch::Tensor slopes =
      torch::tensor(RandomFloats(batch_.observations.rows() * (kActions + 1), random_))
          .view({-1, kActions + 1});
  for (const Runner runner : {Runner::kKernels, Runner::kGraph}) {
    const auto model = ModelOn(runner);
    model->Forward(batch_.observations);
    model->Backward({.policy = slopes.narrow(1, 0, kActions).clone(),
                     .value = slopes.select(1, kActions).clone()});
    gradients[runner == Runner::kGraph] = model->gradient().clone();
  }
  const float largest = gradients[1].abs().max().item<float>();
  EXPECT_GT(largest, 0.1);
  EXPECT_LT((gradients[0] - gradients[1]).abs().max().item<float>(), 1e-5 * largest);
}

// If a minibatch did not begin with the actor's states, or its sequences were out of order, the
// probabilities before the first step would differ from the actor's.
TEST_P(RecurrentPolicyTest, MinibatchesOfPpoAreWholeSequences) {
  PpoConfig config;
  config.set_learning_rate(1e-12);
  config.set_epochs(3);
  config.set_minibatch_size(2 * kSteps);
  const auto ppo = MakePpo(config, ModelOn(Runner::kKernels), Random(1));
  const Diagnostics diagnostics = ppo->Update(batch_, 0).value();
  for (const auto& [name, value] : diagnostics)
    if (name == "approx_kl") EXPECT_LT(value, 1e-8);
  // And on the other runner.
  const auto graph =
      MakePpo(config, ModelOn(Runner::kGraph), Random(1), {.tensor_operations = true});
  for (const auto& [name, value] : graph->Update(batch_, 0).value())
    if (name == "approx_kl") EXPECT_LT(value, 1e-8);
}

}  // namespace
}  // namespace cadre
