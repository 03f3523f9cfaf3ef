#include "learner/loop/evaluation.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <string>
#include <vector>

#include "common/random.h"
#include "envs/registry.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "policy/acting/acting_policy.h"
#include "tests/policy/example_networks.h"

namespace cadre {
namespace {

ExperimentConfig Config(const std::string& environment) {
  ExperimentConfig config;
  config.mutable_environment()->set_id(environment);
  *config.mutable_model() = MlpModelConfig({8});
  return config;
}

struct ExamplePolicy {
  explicit ExamplePolicy(const ExperimentConfig& config, uint64_t seed = 3)
      : environment(*FindEnvironment(config.environment().id())),
        network(*MakeActorCritic(config.model(), environment.observation, environment.action)) {
    Random random(seed);
    values = RandomFloats(network.layout().size(), random, 0.5);
    parameters.set_version(1);
    parameters.set_values(values.data(), values.size() * sizeof(float));
    parameters.set_layout_fingerprint(network.layout().fingerprint());
  }
  const EnvironmentSpec environment;
  const ActorCriticNetwork network;
  std::vector<float> values;
  v1::Parameters parameters;
};

// One CartPole episode by itself, played greedily; its return is its length.
int64_t PlayCartPole(const ExamplePolicy& policy, Random random, int64_t limit) {
  auto environment = *MakeEnvironment("CartPole-v1");
  std::vector<float> observation(4);
  const absl::Span<std::byte> bytes(reinterpret_cast<std::byte*>(observation.data()), 16);
  environment->Reset(random, {&bytes, 1});
  for (int64_t length = 1;; ++length) {
    const std::vector<double> logits =
        NaivePolicy(policy.network, policy.values, {observation.begin(), observation.end()});
    const int32_t action = logits[1] > logits[0];
    std::byte action_bytes[4];
    std::memcpy(action_bytes, &action, 4);
    if (environment->Step(action_bytes, random, {&bytes, 1}).terminated || length == limit)
      return length;
  }
}

TEST(EvaluateTest, IsTheMeanOverOneEpisodeOfEachEnvironment) {
  ExperimentConfig config = Config("CartPole-v1");
  for (const int64_t limit : {500, 20}) {
    config.mutable_environment()->set_max_episode_steps(static_cast<int32_t>(limit));
    const ExamplePolicy policy(config);
    constexpr int64_t kEpisodes = 25;
    const auto result = Evaluate(config, policy.parameters, {.episodes = kEpisodes, .seed = 77});
    ASSERT_TRUE(result.ok()) << result.status();

    Random random(77);
    const uint64_t seed = random();
    std::vector<double> lengths;
    for (int64_t i = 0; i < kEpisodes; ++i)
      lengths.push_back(static_cast<double>(
          PlayCartPole(policy, Random::ForStream(seed, static_cast<uint64_t>(i)), limit)));
    double mean = 0, squares = 0;
    for (const double length : lengths) mean += length / kEpisodes;
    for (const double length : lengths) squares += (length - mean) * (length - mean) / kEpisodes;
    EXPECT_EQ(result->episodes, kEpisodes);
    EXPECT_NEAR(result->mean_return, mean, 1e-9);
    EXPECT_NEAR(result->mean_length, mean, 1e-9);
    EXPECT_NEAR(result->std_return, std::sqrt(squares), 1e-9);
    // Episodes differ in length, or a mean over steps would pass as well.
    EXPECT_GT(*std::max_element(lengths.begin(), lengths.end()),
              1.5 * *std::min_element(lengths.begin(), lengths.end()));
  }
}

TEST(EvaluateTest, TheSameOptionsGiveTheSameNumbers) {
  const ExperimentConfig config = Config("CartPole-v1");
  const ExamplePolicy policy(config);
  for (const bool stochastic : {false, true}) {
    const EvaluationOptions options{.episodes = 20, .seed = 5, .stochastic = stochastic};
    const auto a = Evaluate(config, policy.parameters, options);
    const auto b = Evaluate(config, policy.parameters, options);
    const auto other =
        Evaluate(config, policy.parameters, {.episodes = 20, .seed = 6, .stochastic = stochastic});
    ASSERT_TRUE(a.ok() && b.ok() && other.ok());
    EXPECT_EQ(a->mean_return, b->mean_return);
    EXPECT_EQ(a->std_return, b->std_return);
    EXPECT_NE(a->mean_return, other->mean_return);
  }
}

TEST(EvaluateTest, IsStoppedBetweenTwoSteps) {
  const ExperimentConfig config = Config("Pendulum-v1");  // 200 steps each.
  const ExamplePolicy policy(config);
  int steps = 0;
  const auto stopped =
      Evaluate(config, policy.parameters,
               {.episodes = 2, .seed = 1, .stop = [&steps] { return ++steps > 3; }});
  EXPECT_EQ(stopped.status().code(), absl::StatusCode::kCancelled);
  EXPECT_EQ(steps, 4);
}

TEST(EvaluateTest, SamplesOnlyWhereAskedTo) {
  const ExperimentConfig config = Config("CartPole-v1");
  const ExamplePolicy policy(config);
  const auto greedy = Evaluate(config, policy.parameters, {.episodes = 20, .seed = 5});
  const auto sampled =
      Evaluate(config, policy.parameters, {.episodes = 20, .seed = 5, .stochastic = true});
  ASSERT_TRUE(greedy.ok() && sampled.ok());
  EXPECT_NE(greedy->mean_return, sampled->mean_return);
}

TEST(EvaluateTest, ExploresAsAtTheEndOfARun) {
  ExperimentConfig config = Config("CartPole-v1");
  config.mutable_dqn()->mutable_epsilon_greedy()->set_final(0);  // From 1.
  const EnvironmentSpec environment = *FindEnvironment("CartPole-v1");
  const auto policy = MakeActingPolicy(config, environment.observation, environment.action);
  ASSERT_TRUE(policy.ok());
  Random random(3);
  const std::vector<float> values = RandomFloats((*policy)->layout().size(), random, 0.5);
  v1::Parameters parameters;
  parameters.set_version(1);
  parameters.set_values(values.data(), values.size() * sizeof(float));
  parameters.set_layout_fingerprint((*policy)->layout().fingerprint());
  const auto greedy = Evaluate(config, parameters, {.episodes = 20, .seed = 5});
  const auto sampled =
      Evaluate(config, parameters, {.episodes = 20, .seed = 5, .stochastic = true});
  ASSERT_TRUE(greedy.ok() && sampled.ok());
  EXPECT_EQ(greedy->mean_return, sampled->mean_return);
  config.mutable_dqn()->mutable_epsilon_greedy()->set_final(1);
  const auto random_ones =
      Evaluate(config, parameters, {.episodes = 20, .seed = 5, .stochastic = true});
  ASSERT_TRUE(random_ones.ok());
  EXPECT_NE(greedy->mean_return, random_ones->mean_return);
}

TEST(EvaluateTest, ContinuousActions) {
  const ExperimentConfig config = Config("Pendulum-v1");
  const ExamplePolicy policy(config);
  const auto result = Evaluate(config, policy.parameters, {.episodes = 3, .seed = 1});
  ASSERT_TRUE(result.ok()) << result.status();
  EXPECT_EQ(result->mean_length, 200);
  EXPECT_LT(result->mean_return, -100);
}

// The environment would say that an action is invalid, as of what a user got wrong.
TEST(EvaluateTest, APolicyThatHasDivergedIsDamagedData) {
  const ExperimentConfig config = Config("Pendulum-v1");
  ExamplePolicy policy(config);
  std::fill(policy.values.begin(), policy.values.end(), std::numeric_limits<float>::max());
  policy.parameters.set_values(policy.values.data(), policy.values.size() * sizeof(float));
  policy.parameters.set_env_steps(77);
  for (const bool stochastic : {false, true}) {
    const absl::Status status =
        Evaluate(config, policy.parameters, {.episodes = 3, .seed = 1, .stochastic = stochastic})
            .status();
    EXPECT_EQ(status.code(), absl::StatusCode::kDataLoss) << status;
    EXPECT_THAT(std::string(status.message()),
                testing::HasSubstr("the policy of version 1, learned from 77 steps, has diverged"));
  }
}

TEST(EvaluateTest, ParametersOfAnotherNetworkAreRefused) {
  ExperimentConfig config = Config("CartPole-v1");
  const ExamplePolicy policy(config);
  *config.mutable_model() = MlpModelConfig({9});
  EXPECT_EQ(Evaluate(config, policy.parameters, {.episodes = 1}).status().code(),
            absl::StatusCode::kFailedPrecondition);
}

}  // namespace
}  // namespace cadre
