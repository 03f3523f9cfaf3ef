#include "policy/acting/on_policy_acting.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "policy/distributions.h"
#include "tests/policy/example_networks.h"

namespace cadre {
namespace {

using testing::HasSubstr;

v1::Parameters Publication(const ActorCriticNetwork& network, const std::vector<float>& values,
                           int64_t version) {
  v1::Parameters parameters;
  parameters.set_model("m");
  parameters.set_version(version);
  parameters.set_values(values.data(), values.size() * sizeof(float));
  parameters.set_layout_fingerprint(network.layout().fingerprint());
  return parameters;
}

std::vector<double> NaiveLogSoftmax(const std::vector<double>& logits) {
  double sum = 0;
  for (const double logit : logits) sum += std::exp(logit);
  std::vector<double> log_probs;
  for (const double logit : logits) log_probs.push_back(logit - std::log(sum));
  return log_probs;
}

template <typename T>
std::vector<T> As(const std::vector<std::byte>& bytes) {
  std::vector<T> values(bytes.size() / sizeof(T));
  std::memcpy(values.data(), bytes.data(), bytes.size());
  return values;
}

// Everything that one Act of a batch needs.
struct Acting {
  Acting(const ModelConfig& model, int64_t observation_size, const ActionSpace& action,
         const NormalizationConfig& normalization = {})
      : network(ExampleNetwork(model, observation_size, action)), policy(network, normalization) {
    parameters = RandomFloats(network.layout().size(), random, 0.5);
  }
  std::vector<double> Head(int64_t row) const {
    const auto begin = observations.begin() + row * network.observation.elements();
    return NaivePolicy(network, parameters, {begin, begin + network.observation.elements()});
  }
  void Act(int64_t batch, bool greedy) {
    observations = RandomFloats(batch * network.observation.elements(), random);
    actions.resize(batch * network.action.bytes());
    log_probs.resize(batch);
    policy.Act({Block(observations)}, {.greedy = greedy}, random, absl::MakeSpan(actions),
               absl::MakeSpan(log_probs));
  }

  Random random{5};
  ActorCriticNetwork network;
  std::vector<float> parameters;
  OnPolicyActing policy;
  std::vector<float> observations;
  std::vector<std::byte> actions;
  std::vector<float> log_probs;
};

TEST(OnPolicyActingTest, DiscreteActionsCarryTheirOwnLogProb) {
  for (const bool shared : {false, true})
    for (const bool greedy : {false, true}) {
      Acting acting(MlpModelConfig({9, 5}, TANH, shared), 3, DiscreteActions(5));
      ASSERT_TRUE(acting.policy.Load(Publication(acting.network, acting.parameters, 1)).ok());
      acting.Act(37, greedy);
      const std::vector<int32_t> actions = As<int32_t>(acting.actions);
      for (int64_t b = 0; b < 37; ++b) {
        const std::vector<double> log_probs = NaiveLogSoftmax(acting.Head(b));
        ASSERT_GE(actions[b], 0);
        ASSERT_LT(actions[b], 5);
        EXPECT_NEAR(acting.log_probs[b], log_probs[actions[b]], 1e-5);
        if (greedy) {
          EXPECT_EQ(actions[b],
                    std::max_element(log_probs.begin(), log_probs.end()) - log_probs.begin());
        }
      }
    }
}

TEST(OnPolicyActingTest, ContinuousActionsCarryTheirOwnLogProb) {
  for (const bool greedy : {false, true}) {
    Acting acting(MlpModelConfig({8}, RELU), 4, ContinuousActions(3));
    ASSERT_TRUE(acting.policy.Load(Publication(acting.network, acting.parameters, 1)).ok());
    acting.Act(21, greedy);
    const std::vector<float> actions = As<float>(acting.actions);
    double distance = 0;
    for (int64_t b = 0; b < 21; ++b) {
      const std::vector<double> mean = acting.Head(b);
      double log_prob = 0;
      for (int64_t a = 0; a < 3; ++a) {
        const double log_std = acting.parameters[acting.network.log_std + a];
        const double z = (actions[b * 3 + a] - mean[a]) / std::exp(log_std);
        log_prob -= 0.5 * z * z + log_std + 0.5 * std::log(2 * M_PI);
        distance += std::abs(actions[b * 3 + a] - mean[a]);
      }
      EXPECT_NEAR(acting.log_probs[b], log_prob, 1e-4);
    }
    if (greedy)
      EXPECT_LT(distance, 1e-4);  // The means themselves.
    else
      EXPECT_GT(distance, 1);
  }
}

TEST(OnPolicyActingTest, EachStateHasItsOwnDeviation) {
  ModelConfig model = WithStateDependentLogStd(MlpModelConfig({8}, RELU));
  model.mutable_mlp()->set_max_log_std(0.25);
  for (const bool greedy : {false, true}) {
    Acting acting(model, 4, ContinuousActions(3));
    ASSERT_TRUE(acting.policy.Load(Publication(acting.network, acting.parameters, 1)).ok());
    acting.Act(200, greedy);
    const std::vector<float> actions = As<float>(acting.actions);
    double squares = 0;
    int clamped = 0;
    for (int64_t b = 0; b < 200; ++b) {
      const std::vector<double> head = acting.Head(b);
      ASSERT_EQ(head.size(), 6u);
      double log_prob = 0;
      for (int64_t a = 0; a < 3; ++a) {
        const double log_std = std::min(head[3 + a], 0.25);
        clamped += head[3 + a] > 0.25;
        const double z = (actions[b * 3 + a] - head[a]) / std::exp(log_std);
        log_prob -= 0.5 * z * z + log_std + 0.5 * std::log(2 * M_PI);
        squares += z * z / 600;
      }
      EXPECT_NEAR(acting.log_probs[b], log_prob, 1e-4);
    }
    EXPECT_GT(clamped, 10);
    EXPECT_LT(clamped, 590);
    if (greedy)
      EXPECT_LT(squares, 1e-8);
    else
      EXPECT_NEAR(squares, 1, 0.2);
  }
}

TEST(OnPolicyActingTest, SamplesFollowTheProbabilities) {
  Acting acting(MlpModelConfig({4}), 2, DiscreteActions(4));
  ASSERT_TRUE(acting.policy.Load(Publication(acting.network, acting.parameters, 1)).ok());
  constexpr int64_t kBatch = 40'000;
  acting.Act(1, false);
  const std::vector<double> log_probs = NaiveLogSoftmax(acting.Head(0));
  std::vector<float> rows;
  for (int64_t b = 0; b < kBatch; ++b)
    rows.insert(rows.end(), acting.observations.begin(), acting.observations.end());
  std::vector<std::byte> actions(4 * kBatch);
  std::vector<float> ignored(kBatch);
  acting.policy.Act({Block(rows)}, {}, acting.random, absl::MakeSpan(actions),
                    absl::MakeSpan(ignored));
  std::vector<int> counts(4);
  for (const int32_t action : As<int32_t>(actions)) ++counts[action];
  double chi_square = 0;
  for (int i = 0; i < 4; ++i) {
    const double expected = kBatch * std::exp(log_probs[i]);
    chi_square += (counts[i] - expected) * (counts[i] - expected) / expected;
  }
  EXPECT_LT(chi_square, 16.3);  // 3 degrees of freedom, p = 0.001.
}

TEST(OnPolicyActingTest, ARowDoesNotDependOnItsBatch) {
  Acting acting(MlpModelConfig({64, 64}), 4, DiscreteActions(2));
  ASSERT_TRUE(acting.policy.Load(Publication(acting.network, acting.parameters, 1)).ok());
  acting.Act(33, true);
  const std::vector<int32_t> actions = As<int32_t>(acting.actions);
  for (int64_t b = 0; b < 33; ++b) {
    std::vector<std::byte> action(4);
    std::vector<float> log_prob(1);
    acting.policy.Act({Block(absl::MakeConstSpan(acting.observations).subspan(b * 4, 4))},
                      {.greedy = true}, acting.random, absl::MakeSpan(action),
                      absl::MakeSpan(log_prob));
    EXPECT_EQ(As<int32_t>(action)[0], actions[b]);
    EXPECT_EQ(log_prob[0], acting.log_probs[b]);
  }
}

TEST(OnPolicyActingTest, ObservationsAreNormalisedWithTheStatisticsThatCame) {
  NormalizationConfig normalization;
  normalization.set_observations(true);
  Acting acting(MlpModelConfig({6}), 2, DiscreteActions(3), normalization);
  Normalizer normalizer(normalization, 2);
  normalizer.UpdateObservations(std::vector<float>{5, 100, 7, 300});  // Means 6, 200.
  v1::Parameters parameters = Publication(acting.network, acting.parameters, 1);
  normalizer.AddTo(parameters);
  ASSERT_TRUE(acting.policy.Load(parameters).ok());
  std::vector<std::byte> action(4);
  std::vector<float> log_prob(1);
  acting.policy.Act({Block(std::vector<float>{8, 100})}, {.greedy = true}, acting.random,
                    absl::MakeSpan(action), absl::MakeSpan(log_prob));
  const std::vector<double> log_probs =
      NaiveLogSoftmax(NaivePolicy(acting.network, acting.parameters, {2, -1}));
  EXPECT_NEAR(log_prob[0], log_probs[As<int32_t>(action)[0]], 1e-5);
}

TEST(OnPolicyActingTest, ALaterVersionReplacesTheEarlierOne) {
  Acting acting(MlpModelConfig({6}), 2, ContinuousActions(1));
  EXPECT_EQ(acting.policy.version(), 0);
  const std::vector<float> zeros(acting.parameters.size());
  ASSERT_TRUE(acting.policy.Load(Publication(acting.network, zeros, 3)).ok());
  EXPECT_EQ(acting.policy.version(), 3);
  acting.Act(1, true);
  EXPECT_EQ(As<float>(acting.actions)[0], 0);
  ASSERT_TRUE(acting.policy.Load(Publication(acting.network, acting.parameters, 4)).ok());
  EXPECT_EQ(acting.policy.version(), 4);
  acting.Act(1, true);
  EXPECT_NEAR(As<float>(acting.actions)[0], acting.Head(0)[0], 1e-5);
}

TEST(OnPolicyActingTest, ParametersOfAnotherNetworkAreRefused) {
  Acting acting(MlpModelConfig({6}), 2, DiscreteActions(3));
  const ActorCriticNetwork larger = ExampleNetwork(MlpModelConfig({7}), 2, DiscreteActions(3));
  absl::Status status =
      acting.policy.Load(Publication(larger, std::vector<float>(larger.layout().size()), 9));
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(status.message()), HasSubstr("model 'm' version 9 has 74 parameters"));
  EXPECT_THAT(std::string(status.message()), HasSubstr("this config's network has 64"));

  v1::Parameters same_size = Publication(acting.network, acting.parameters, 9);
  same_size.set_layout_fingerprint(1);
  EXPECT_EQ(acting.policy.Load(same_size).code(), absl::StatusCode::kFailedPrecondition);
  // Three bytes too many are no parameter, but would be written somewhere.
  v1::Parameters stray = Publication(acting.network, acting.parameters, 9);
  stray.mutable_values()->append("abc");
  EXPECT_EQ(acting.policy.Load(stray).code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(acting.policy.version(), 0);
}

TEST(OnPolicyActingTest, MissingStatisticsAreRefused) {
  NormalizationConfig normalization;
  normalization.set_observations(true);
  Acting acting(MlpModelConfig({6}), 2, DiscreteActions(3), normalization);
  const absl::Status status = acting.policy.Load(Publication(acting.network, acting.parameters, 2));
  EXPECT_EQ(status.code(), absl::StatusCode::kDataLoss);
  EXPECT_THAT(std::string(status.message()),
              HasSubstr("carries no statistic 'observation.count', which the config's "
                        "normalization needs"));
}

TEST(OnPolicyActingTest, SeveralMaskedChoicesAreDrawnEachByItself) {
  ActionSpace space = ActionSpace::MultiDiscrete({3, 2});
  space.masked = true;
  Acting acting(MlpModelConfig({6}), 4, space);
  ASSERT_TRUE(acting.policy.Load(Publication(acting.network, acting.parameters, 1)).ok());
  constexpr int64_t kBatch = 20'000;
  const std::vector<float> one = RandomFloats(4, acting.random);
  std::vector<float> rows;
  std::vector<uint8_t> mask;
  for (int64_t b = 0; b < kBatch; ++b) {
    rows.insert(rows.end(), one.begin(), one.end());
    mask.insert(mask.end(), {1, 0, 1, 1, 1});
  }
  acting.observations = one;
  // The product of the softmax over 0 and 2 and that over both of the second choice.
  const std::vector<double> logits =
      NaivePolicy(acting.network, acting.parameters, {one.begin(), one.end()});
  const auto share = [&](int i, int j) { return 1 / (1 + std::exp(logits[j] - logits[i])); };
  const double first[] = {share(0, 2), 0, share(2, 0)}, second[] = {share(3, 4), share(4, 3)};
  for (const bool greedy : {false, true}) {
    std::vector<std::byte> actions(kBatch * space.bytes());
    std::vector<float> log_probs(kBatch);
    acting.policy.Act({Block(rows), {reinterpret_cast<const std::byte*>(mask.data()), mask.size()}},
                      {.greedy = greedy}, acting.random, absl::MakeSpan(actions),
                      absl::MakeSpan(log_probs));
    const std::vector<int32_t> chosen = As<int32_t>(actions);
    double counts[3][2] = {};
    for (int64_t b = 0; b < kBatch; ++b) {
      const int32_t i = chosen[2 * b], j = chosen[2 * b + 1];
      ++counts[i][j];
      ASSERT_NEAR(log_probs[b], std::log(first[i] * second[j]), 1e-4);
    }
    for (int i = 0; i < 3; ++i)
      for (int j = 0; j < 2; ++j) {
        const bool best = first[i] == *std::max_element(first, first + 3) &&
                          second[j] == *std::max_element(second, second + 2);
        const double wanted = greedy ? best : first[i] * second[j];
        EXPECT_NEAR(counts[i][j] / kBatch, wanted, greedy ? 0 : 0.015);
        if (i == 1) EXPECT_EQ(counts[i][j], 0);
      }
  }
}

// Bytes as they are shown, over 255; only floats are normalised.
TEST(OnPolicyActingTest, BytesAreScaledAndFloatsNormalised) {
  const ObservationSpace space{{{.name = "image", .dtype = v1::DTYPE_UINT8, .shape = {2}},
                                {.name = "reading", .shape = {1}}}};
  const ActorCriticNetwork network =
      *MakeActorCritic(MlpModelConfig({5}), space, DiscreteActions(3));
  NormalizationConfig normalization;
  normalization.set_observations(true);
  OnPolicyActing policy(network, normalization);
  Random random(6);
  const std::vector<float> values = RandomFloats(network.layout().size(), random, 0.5);
  v1::Parameters parameters = Publication(network, values, 3);
  Normalizer normalizer(normalization, space.floats());
  normalizer.UpdateObservations({2, 4, 6, 8});  // Mean 5, variance 5.
  normalizer.AddTo(parameters);
  ASSERT_TRUE(policy.Load(parameters).ok());
  const std::vector<uint8_t> image = {255, 51};
  const std::vector<float> reading = {7};
  std::vector<std::byte> action(4);
  std::vector<float> log_prob(1);
  policy.Act({{reinterpret_cast<const std::byte*>(image.data()), 2}, Block(reading)},
             {.greedy = true}, random, absl::MakeSpan(action), absl::MakeSpan(log_prob));
  const std::vector<double> logits =
      NaiveHead(network.network, ActorCriticNetwork::kPolicy, {values.begin(), values.end()},
                {{1, 0.2}, {(7 - 5) / std::sqrt(5.0)}});
  double sum = 0;
  for (const double logit : logits) sum += std::exp(logit);
  const size_t best = std::max_element(logits.begin(), logits.end()) - logits.begin();
  EXPECT_EQ(As<int32_t>(action)[0], best);
  EXPECT_NEAR(log_prob[0], logits[best] - std::log(sum), 1e-5);
}

}  // namespace
}  // namespace cadre
