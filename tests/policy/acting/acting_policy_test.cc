// The policies of the off-policy algorithms, as MakeActingPolicy gives them, against
// plain forward passes. On-policy acting: on_policy_acting_test.cc.
#include "policy/acting/acting_policy.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "policy/networks/off_policy_network.h"
#include "policy/normalization.h"
#include "tests/policy/example_networks.h"

namespace cadre {
namespace {

using testing::Each;
using testing::HasSubstr;

constexpr int64_t kObservation = 4;

// Two dimensions with different bounds.
ActionSpace TwoDimensions() {
  ActionSpace space = ContinuousActions(2);
  space.low = {-2, 0};
  space.high = {2, 10};
  return space;
}

// In units of half the range of TwoDimensions.
double Unit(const std::vector<float>& actions, size_t i) {
  return i % 2 == 0 ? actions[i] / 2 : (actions[i] - 5) / 5;
}

ExperimentConfig Config(std::initializer_list<int32_t> hidden = {9, 7}) {
  ExperimentConfig config;
  *config.mutable_model() = MlpModelConfig(hidden, RELU);
  return config;
}

// A policy with random parameters, and a batch of its actions.
struct Acting {
  Acting(const ExperimentConfig& config, const ActionSpace& action, const ActingPlace& place = {})
      : action(action) {
    auto made = MakeActingPolicy(config, VectorSpace(kObservation), action, place);
    CADRE_CHECK(made.ok());
    policy = *std::move(made);
    parameters = RandomFloats(policy->layout().size(), random, 0.5);
    Load();
  }
  v1::Parameters Publication() const {
    v1::Parameters publication;
    publication.set_model("m");
    publication.set_version(6);
    publication.set_values(parameters.data(), parameters.size() * sizeof(float));
    publication.set_layout_fingerprint(policy->layout().fingerprint());
    return publication;
  }
  void Load() { CADRE_CHECK(policy->Load(Publication()).ok()); }
  // The network's outputs become its last layer's biases, whatever the observation.
  void SetOutputs(const std::vector<float>& outputs) {
    std::fill(parameters.begin(), parameters.end(), 0.0f);
    std::copy(outputs.begin(), outputs.end(), parameters.end() - outputs.size());
    Load();
  }
  template <typename T>
  std::vector<T> Act(int64_t batch, const ActMode& mode) {
    observations = RandomFloats(batch * kObservation, random);
    std::vector<std::byte> bytes(batch * action.bytes());
    policy->Act({Block(observations)}, mode, random, absl::MakeSpan(bytes), {});
    std::vector<T> actions(bytes.size() / sizeof(T));
    std::memcpy(actions.data(), bytes.data(), bytes.size());
    return actions;
  }
  std::vector<double> Observation(int64_t row) const {
    const auto begin = observations.begin() + row * kObservation;
    return {begin, begin + kObservation};
  }
  std::vector<double> Wide() const { return {parameters.begin(), parameters.end()}; }

  const ActionSpace action;
  Random random{5};
  std::unique_ptr<ActingPolicy> policy;
  std::vector<float> parameters, observations;
};

// The value of each action of one observation, as the papers have it.
std::vector<double> NaiveActionValues(const ActionValueNetwork& network,
                                      const std::vector<double>& parameters,
                                      const std::vector<double>& observation) {
  const std::vector<double> outputs = NaiveHead(network.network, 0, parameters, {observation});
  const int64_t n = network.actions, atoms = network.atoms;
  std::vector<double> values;
  for (int64_t action = 0; action < n; ++action) {
    double sum = 0, weighted = 0, logit = 0;
    for (int64_t i = 0; i < atoms; ++i) {
      logit = outputs[action * atoms + i];
      const double atom =
          network.min_value + (network.max_value - network.min_value) * i / (atoms - 1.0);
      sum += std::exp(logit);
      weighted += atom * std::exp(logit);
    }
    values.push_back(atoms > 1 ? weighted / sum : logit);
  }
  return values;
}

// What a policy does with observations as they come and statistics is what it does without either.
TEST(NormalizedActingTest, EveryPolicyActsOnNormalisedObservations) {
  NormalizationConfig normalization;
  normalization.set_observations(true);
  for (const std::string algorithm : {"dqn", "td3", "ddpg", "sac", "sac discrete", "redq", "ppo"}) {
    ExperimentConfig config = Config();
    ActionSpace action = TwoDimensions();
    if (algorithm == "dqn") config.mutable_dqn(), action = DiscreteActions(3);
    if (algorithm == "td3") config.mutable_td3();
    if (algorithm == "ddpg") config.mutable_ddpg();
    if (algorithm == "sac") config.mutable_sac();
    if (algorithm == "sac discrete") config.mutable_sac(), action = DiscreteActions(3);
    if (algorithm == "redq") config.mutable_redq();
    if (algorithm == "ppo") config.mutable_ppo();
    Acting plain(config, action);

    *config.mutable_normalization() = normalization;
    auto normalizing = MakeActingPolicy(config, VectorSpace(kObservation), action, {});
    ASSERT_TRUE(normalizing.ok()) << normalizing.status();
    v1::Parameters publication = plain.Publication();
    EXPECT_EQ((*normalizing)->Load(publication).code(), absl::StatusCode::kDataLoss)
        << algorithm << ": a publication without statistics";
    Normalizer normalizer(normalization, kObservation);
    Random random(3);
    std::vector<float> seen = RandomFloats(kObservation * 50, random, 1000);
    for (float& value : seen) value += 5000;
    normalizer.UpdateObservations(seen);
    normalizer.AddTo(publication);
    ASSERT_TRUE((*normalizing)->Load(publication).ok());

    std::vector<float> normalized(seen.size());
    normalizer.observation_transform().Apply(seen, absl::MakeSpan(normalized));
    std::vector<std::byte> got(50 * action.bytes()), wanted(got.size());
    std::vector<float> log_probs(algorithm == "ppo" ? 50 : 0);
    (*normalizing)
        ->Act({Block(seen)}, {.greedy = true}, random, absl::MakeSpan(got),
              absl::MakeSpan(log_probs));
    plain.policy->Act({Block(normalized)}, {.greedy = true}, random, absl::MakeSpan(wanted),
                      absl::MakeSpan(log_probs));
    EXPECT_EQ(got, wanted) << algorithm;
  }
}

TEST(ActionValueActingTest, GreedyIsTheLargestOfTheNaiveValues) {
  for (const bool dueling : {false, true})
    for (const int atoms : {1, 11})
      for (const bool deep : {false, true}) {
        ExperimentConfig config = deep ? Config() : Config({9});
        config.mutable_dqn()->set_dueling(dueling);
        if (atoms > 1) {
          config.mutable_dqn()->mutable_distributional()->set_atoms(atoms);
          config.mutable_dqn()->mutable_distributional()->set_min_value(-3);
        }
        const auto network = MakeActionValueNetwork(config.model(), config.dqn(),
                                                    VectorSpace(kObservation), DiscreteActions(5));
        Acting acting(config, DiscreteActions(5));
        const auto actions = acting.Act<int32_t>(50, {.greedy = true});
        for (int64_t b = 0; b < 50; ++b) {
          const std::vector<double> values =
              NaiveActionValues(*network, acting.Wide(), acting.Observation(b));
          EXPECT_EQ(actions[b], std::max_element(values.begin(), values.end()) - values.begin());
        }
        // They differ, or a constant would pass as well.
        EXPECT_NE(*std::min_element(actions.begin(), actions.end()),
                  *std::max_element(actions.begin(), actions.end()));
      }
}

// The share of actions that are not the greedy one.
double Explored(Acting& acting, double progress) {
  constexpr int64_t kBatch = 4000;
  const Random before = acting.random;
  const auto explored = acting.Act<int32_t>(kBatch, {.progress = progress});
  acting.random = before;
  const auto greedy = acting.Act<int32_t>(kBatch, {.greedy = true});
  int64_t other = 0;
  for (int64_t b = 0; b < kBatch; ++b) other += explored[b] != greedy[b];
  return static_cast<double>(other) / kBatch;
}

TEST(ActionValueActingTest, ExploresByTheProgressOfTheRun) {
  ExperimentConfig config = Config();
  config.mutable_dqn()->mutable_epsilon_greedy()->set_final(0);
  Acting acting(config, DiscreteActions(4));
  EXPECT_NEAR(Explored(acting, 0), 0.75, 0.03);  // Epsilon is 1 at first,
  EXPECT_NEAR(Explored(acting, 0.25), 0.375, 0.03);
  EXPECT_EQ(Explored(acting, 1), 0);
}

TEST(ActionValueActingTest, ExploresByThePlaceInTheRun) {
  ExperimentConfig config = Config();
  config.mutable_dqn()->mutable_epsilon_greedy()->set_initial(0.5);
  config.mutable_dqn()->mutable_epsilon_greedy()->set_spread(100);
  Acting first(config, DiscreteActions(4), {.first_row = 0, .all_rows = 100'000'000});
  Acting last(config, DiscreteActions(4), {.first_row = 90'000'000, .all_rows = 100'000'000});
  EXPECT_NEAR(Explored(first, 0), 0.375, 0.03);
  EXPECT_EQ(Explored(last, 0), 0);
}

TEST(ActionValueActingTest, ExploresByTemperatureWhereTold) {
  ExperimentConfig config = Config();
  config.mutable_dqn()->mutable_boltzmann()->set_initial_temperature(1e6);
  config.mutable_dqn()->mutable_boltzmann()->set_final_temperature(1e-6);
  Acting acting(config, DiscreteActions(4));
  EXPECT_NEAR(Explored(acting, 0), 0.75, 0.03);
  EXPECT_LT(Explored(acting, 1), 0.01);
}

// The algorithms with continuous actions.
ExperimentConfig Ddpg() {
  ExperimentConfig config = Config();
  config.mutable_ddpg();
  return config;
}
ExperimentConfig Td3() {
  ExperimentConfig config = Config();
  config.mutable_td3();
  return config;
}
ExperimentConfig Sac() {
  ExperimentConfig config = Config();
  config.mutable_sac();
  return config;
}

TEST(ContinuousActingTest, GreedyIsTheSquashedMeanInItsBounds) {
  for (const ExperimentConfig& config : {Ddpg(), Td3(), Sac()}) {
    const auto network = MakeContinuousPolicy(config.model(), config.has_sac(),
                                              VectorSpace(kObservation), TwoDimensions());
    Acting acting(config, TwoDimensions());
    const auto actions = acting.Act<float>(30, {.greedy = true});
    for (int64_t b = 0; b < 30; ++b) {
      const std::vector<double> mean =
          NaiveHead(network->network, 0, acting.Wide(), {acting.Observation(b)});
      EXPECT_NEAR(actions[2 * b], 2 * std::tanh(mean[0]), 1e-5);
      EXPECT_NEAR(actions[2 * b + 1], 5 + 5 * std::tanh(mean[1]), 1e-5);
    }
  }
}

TEST(ContinuousActingTest, GaussianNoiseIsInUnitsOfHalfTheRange) {
  ExperimentConfig ddpg = Ddpg(), td3 = Td3();
  ddpg.mutable_ddpg()->mutable_noise()->mutable_gaussian()->set_deviation(0.2);
  td3.mutable_td3()->mutable_noise()->mutable_gaussian()->set_deviation(0.2);
  for (const ExperimentConfig& config : {ddpg, td3}) {
    Acting acting(config, TwoDimensions());
    acting.SetOutputs({0, 0});
    const auto actions = acting.Act<float>(10'000, {});
    double square[2] = {};
    for (size_t i = 0; i < actions.size(); ++i)
      square[i % 2] += Unit(actions, i) * Unit(actions, i) / 10'000;
    EXPECT_NEAR(square[0], 0.04, 0.04 * 4 * std::sqrt(2.0 / 10'000));
    EXPECT_NEAR(square[1], 0.04, 0.04 * 4 * std::sqrt(2.0 / 10'000));
  }
}

TEST(ContinuousActingTest, NoiseNeverLeadsOutOfTheBounds) {
  ExperimentConfig gaussian = Ddpg(), correlated = Td3();
  gaussian.mutable_ddpg()->mutable_noise()->mutable_gaussian()->set_deviation(5);
  correlated.mutable_td3()->mutable_noise()->mutable_ornstein_uhlenbeck()->set_deviation(5);
  for (const ExperimentConfig& config : {gaussian, correlated, Sac()}) {
    Acting acting(config, TwoDimensions());
    for (float& parameter : acting.parameters) parameter *= 10;
    acting.Load();
    const auto actions = acting.Act<float>(2000, {});
    std::vector<double> units;
    for (size_t i = 0; i < actions.size(); ++i) units.push_back(Unit(actions, i));
    EXPECT_EQ(*std::min_element(units.begin(), units.end()), -1);  // And the bounds are met.
    EXPECT_EQ(*std::max_element(units.begin(), units.end()), 1);
  }
}

TEST(ContinuousActingTest, CorrelatedNoiseBeginsAfreshInTheRowThatEnded) {
  ExperimentConfig config = Ddpg();
  auto* noise = config.mutable_ddpg()->mutable_noise()->mutable_ornstein_uhlenbeck();
  noise->set_rate(0.1);
  noise->set_deviation(0.05);
  Acting acting(config, TwoDimensions());
  acting.SetOutputs({0, 0});
  const std::vector<float> observations(2 * kObservation);
  Random twin = acting.random;
  std::vector<double> x(4);
  for (int step = 0; step < 20; ++step) {
    if (step == 12) {
      acting.policy->EndEpisode(1);
      x[2] = x[3] = 0;
    }
    std::vector<float> actions(4);
    acting.policy->Act({Block(observations)}, {}, acting.random,
                       absl::MakeSpan(reinterpret_cast<std::byte*>(actions.data()), 16), {});
    for (size_t i = 0; i < 4; ++i) {
      x[i] += -0.1 * x[i] + 0.05 * twin.Normal();
      EXPECT_NEAR(Unit(actions, i), x[i], 1e-5);
    }
  }
}

TEST(ContinuousActingTest, SacSamplesTheSquashedGaussian) {
  Acting acting(Sac(), TwoDimensions());
  acting.SetOutputs({0.3f, -0.5f, std::log(0.5f), std::log(0.2f)});  // Means, log deviations.
  constexpr int64_t kBatch = 20'000;
  const auto actions = acting.Act<float>(kBatch, {});
  double mean[2] = {}, square[2] = {};
  for (size_t i = 0; i < actions.size(); ++i) {
    const double u = std::atanh(Unit(actions, i));
    mean[i % 2] += u / kBatch;
    square[i % 2] += u * u / kBatch;
  }
  EXPECT_NEAR(mean[0], 0.3, 4 * 0.5 / std::sqrt(kBatch));
  EXPECT_NEAR(mean[1], -0.5, 4 * 0.2 / std::sqrt(kBatch));
  EXPECT_NEAR(std::sqrt(square[0] - mean[0] * mean[0]), 0.5, 0.5 * 4 / std::sqrt(2.0 * kBatch));
  EXPECT_NEAR(std::sqrt(square[1] - mean[1] * mean[1]), 0.2, 0.2 * 4 / std::sqrt(2.0 * kBatch));
}

TEST(ContinuousActingTest, SacsLogDeviationIsAtMostTwo) {
  Acting acting(Sac(), TwoDimensions());
  acting.SetOutputs({0, 0, 50, 50});
  const auto actions = acting.Act<float>(10'000, {});
  int64_t inner = 0;  // Before tanh within [-1, 1].
  for (size_t i = 0; i < actions.size(); ++i) inner += std::abs(Unit(actions, i)) < std::tanh(1);
  EXPECT_NEAR(static_cast<double>(inner) / 20'000, std::erf(1 / std::exp(2) / std::sqrt(2)), 0.01);
}

TEST(ContinuousActingTest, SacsLogDeviationIsAtMostWhatTheModelSays) {
  ExperimentConfig config = Sac();
  config.mutable_model()->mutable_mlp()->set_max_log_std(-3);
  Acting acting(config, TwoDimensions());
  acting.SetOutputs({0, 0, 50, 50});
  const auto actions = acting.Act<float>(1'000, {});
  for (size_t i = 0; i < actions.size(); ++i)
    EXPECT_LT(std::abs(Unit(actions, i)), 6 * std::exp(-3));
}

TEST(CategoricalActingTest, GreedyIsTheLargestLogit) {
  const ExperimentConfig config = Sac();
  const auto network =
      MakeDiscretePolicy(config.model(), VectorSpace(kObservation), DiscreteActions(4));
  Acting acting(config, DiscreteActions(4));
  const auto actions = acting.Act<int32_t>(50, {.greedy = true});
  for (int64_t b = 0; b < 50; ++b) {
    const std::vector<double> logits =
        NaiveHead(network->network, 0, acting.Wide(), {acting.Observation(b)});
    EXPECT_EQ(actions[b], std::max_element(logits.begin(), logits.end()) - logits.begin());
  }
}

TEST(CategoricalActingTest, SamplesFollowTheSoftmax) {
  Acting acting(Sac(), DiscreteActions(3));
  const double probabilities[] = {0.2, 0.7, 0.1};
  acting.SetOutputs({std::log(0.2f) + 3, std::log(0.7f) + 3, std::log(0.1f) + 3});
  std::vector<int> counts(3);
  for (const int32_t action : acting.Act<int32_t>(30'000, {})) ++counts.at(action);
  double chi_square = 0;
  for (int i = 0; i < 3; ++i) {
    const double expected = 30'000 * probabilities[i];
    chi_square += (counts[i] - expected) * (counts[i] - expected) / expected;
  }
  EXPECT_LT(chi_square, 13.8);  // 2 degrees of freedom, p = 0.001.
}

struct Kind {
  std::string name;
  ExperimentConfig config;
  ActionSpace action;
};

std::vector<Kind> Kinds() {
  ExperimentConfig ppo = Config(), dqn = Config(), n_step_q = Config(), n_step_sarsa = Config();
  ppo.mutable_ppo();
  dqn.mutable_dqn();
  n_step_q.mutable_n_step_q();
  n_step_sarsa.mutable_n_step_sarsa();
  return {{"ppo", ppo, DiscreteActions(3)},
          {"dqn", dqn, DiscreteActions(3)},
          {"ddpg", Ddpg(), TwoDimensions()},
          {"td3", Td3(), TwoDimensions()},
          {"sac", Sac(), TwoDimensions()},
          {"discrete sac", Sac(), DiscreteActions(3)},
          {"n_step_q", n_step_q, DiscreteActions(3)},
          {"n_step_sarsa", n_step_sarsa, DiscreteActions(3)}};
}

TEST(MakeActingPolicyTest, ParametersOfAnotherNetworkAreRefused) {
  for (const Kind& kind : Kinds()) {
    Acting acting(kind.config, kind.action);
    EXPECT_EQ(acting.policy->version(), 6);
    v1::Parameters other = acting.Publication();
    other.set_version(7);
    other.set_layout_fingerprint(1);
    const absl::Status status = acting.policy->Load(other);
    EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition) << kind.name;
    EXPECT_THAT(std::string(status.message()), HasSubstr("model 'm' version 7 has"));
    v1::Parameters shorter = acting.Publication();
    shorter.mutable_values()->pop_back();
    EXPECT_EQ(acting.policy->Load(shorter).code(), absl::StatusCode::kFailedPrecondition);
    EXPECT_EQ(acting.policy->version(), 6) << kind.name;
  }
}

TEST(MakeActingPolicyTest, TheSameRandomNumbersGiveTheSameActions) {
  for (const Kind& kind : Kinds()) {
    Acting a(kind.config, kind.action), b(kind.config, kind.action);
    const auto first = a.Act<float>(20, {.progress = 0.2});
    EXPECT_EQ(0, std::memcmp(first.data(), b.Act<float>(20, {.progress = 0.2}).data(),
                             first.size() * sizeof(float)))
        << kind.name;
  }
}

TEST(MakeActingPolicyTest, ActionsThatTheAlgorithmDoesNotChooseAreRefused) {
  for (const Kind& kind : Kinds()) {
    if (kind.config.has_ppo() || kind.config.has_sac()) continue;  // Both kinds.
    const ActionSpace other = kind.action.discrete() ? TwoDimensions() : DiscreteActions(3);
    const auto policy = MakeActingPolicy(kind.config, VectorSpace(kObservation), other);
    EXPECT_EQ(policy.status().code(), absl::StatusCode::kInvalidArgument) << kind.name;
  }
}

TEST(MakeActingPolicyTest, ActionsWithoutBoundsAreForOnPolicyAlgorithmsAlone) {
  ActionSpace unbounded = TwoDimensions();
  unbounded.high[1] = std::numeric_limits<float>::infinity();
  for (const ExperimentConfig& config : {Ddpg(), Td3(), Sac()}) {
    EXPECT_EQ(MakeActingPolicy(config, VectorSpace(kObservation), unbounded).status().code(),
              absl::StatusCode::kInvalidArgument);
  }
  EXPECT_TRUE(MakeActingPolicy(Config(), VectorSpace(kObservation), unbounded).ok());
}

// Whatever the algorithm: the only allowed action is taken, greedily or not.
TEST(MaskedActingTest, EveryPolicyOfDiscreteActionsTakesWhatIsAllowed) {
  ActionSpace space = DiscreteActions(5);
  space.masked = true;
  for (const std::string algorithm : {"dqn", "boltzmann", "c51", "n_step_q", "sac", "ppo"}) {
    ExperimentConfig config = Config();
    if (algorithm == "dqn") config.mutable_dqn();
    if (algorithm == "boltzmann") config.mutable_dqn()->mutable_boltzmann();
    if (algorithm == "c51") config.mutable_dqn()->mutable_distributional()->set_atoms(7);
    if (algorithm == "n_step_q") config.mutable_n_step_q();
    if (algorithm == "sac") config.mutable_sac();
    if (algorithm == "ppo") config.mutable_ppo();
    Acting acting(config, space);
    constexpr int64_t kBatch = 500;
    const std::vector<float> observations = RandomFloats(kBatch * kObservation, acting.random);
    std::vector<uint8_t> mask(kBatch * 5, 0);
    for (int64_t b = 0; b < kBatch; ++b) mask[b * 5 + b % 5] = 1;
    for (const ActMode mode :
         {ActMode{.greedy = true}, ActMode{.progress = 0}, ActMode{.progress = 1}}) {
      std::vector<std::byte> bytes(kBatch * space.bytes());
      acting.policy->Act(
          {Block(observations), {reinterpret_cast<const std::byte*>(mask.data()), mask.size()}},
          mode, acting.random, absl::MakeSpan(bytes), {});
      std::vector<int32_t> actions(kBatch);
      std::memcpy(actions.data(), bytes.data(), bytes.size());
      for (int64_t b = 0; b < kBatch; ++b) ASSERT_EQ(actions[b], b % 5) << algorithm;
    }
  }
}

}  // namespace
}  // namespace cadre
