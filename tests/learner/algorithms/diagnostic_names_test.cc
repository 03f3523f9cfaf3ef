// Every algorithm names all that it reports before it reports anything.
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "common/check.h"
#include "google/protobuf/text_format.h"
#include "gtest/gtest.h"
#include "learner/algorithms/off_policy.h"
#include "learner/algorithms/optimization/pushed_gradient.h"
#include "learner/algorithms/policy_gradient/on_policy.h"
#include "tests/learner/algorithms/example_batch.h"
#include "tests/learner/algorithms/example_transitions.h"

namespace cadre {
namespace {

ExperimentConfig ConfigOf(const std::string& algorithm) {
  ExperimentConfig config;
  CADRE_CHECK(google::protobuf::TextFormat::ParseFromString(algorithm, &config));
  *config.mutable_model() = MlpModelConfig({5});
  return config;
}

// On the kernels and in tensor operations.
const DeviceOptions kPlaces[] = {{}, {.tensor_operations = true}};

void ExpectNamed(OnPolicyAlgorithm& algorithm, const std::string& what) {
  const DiagnosticNames before = algorithm.diagnostic_names();
  Random random(2);
  const OnPolicyBatch batch = ExampleBatch(algorithm.model(), {6, 6, 4}, random);
  const auto diagnostics = algorithm.Update(batch, 0);
  ASSERT_TRUE(diagnostics.ok()) << what << ": " << diagnostics.status();
  EXPECT_EQ(NamesOf(*diagnostics), before) << what;
  EXPECT_EQ(algorithm.diagnostic_names(), before) << what;
}

TEST(DiagnosticNamesTest, OnPolicyAlgorithmsReportWhatTheyName) {
  for (const char* algorithm :
       {"ppo { minibatch_size: 4 }", "ppo { minibatch_size: 4 objective: ADAPTIVE_KL }",
        "reinforce { baseline: NONE }", "reinforce { baseline: CONSTANT_BASELINE }",
        "reinforce { baseline: TIME_DEPENDENT }", "reinforce { baseline: VALUE }", "a2c {}",
        "impala {}", "off_policy_gradient {}", "npg {}", "trpo {}"})
    for (const ActionSpace& action : {DiscreteActions(3), ContinuousActions(2)}) {
      const ActorCriticNetwork network = ExampleNetwork(MlpModelConfig({5}), 4, action);
      for (const DeviceOptions& where : kPlaces) {
        auto model = std::make_unique<ActorCritic>(network, where.runner());
        const auto made = MakeOnPolicyAlgorithm(ConfigOf(algorithm),
                                                WithParameters(std::move(model)), Random(1), where);
        ASSERT_TRUE(made.ok()) << made.status();
        ExpectNamed(**made, algorithm);
      }
    }
}

TEST(DiagnosticNamesTest, AlgorithmsThatPushTheirGradientsReportWhatTheyName) {
  for (const char* algorithm : {"a3c {}", "n_step_q {}", "n_step_sarsa {}"}) {
    for (const DeviceOptions& where : kPlaces) {
      const auto made = MakePushedGradient(ConfigOf(algorithm), VectorSpace(4), DiscreteActions(3),
                                           Random(1), where);
      ASSERT_TRUE(made.ok()) << made.status();
      const DiagnosticNames before = (*made)->diagnostic_names();
      auto behaviour =
          WithParameters(OnKernels(ExampleNetwork(MlpModelConfig({5}), 4, DiscreteActions(3))));
      Random random(2);
      const OnPolicyBatch batch = ExampleBatch(*behaviour, {6, 6}, random);
      Diagnostics diagnostics;
      ASSERT_TRUE((*made)->ComputeGradient(batch, 0, diagnostics).value());
      EXPECT_EQ(NamesOf(diagnostics), before) << algorithm;
    }
  }
}

TEST(DiagnosticNamesTest, OffPolicyAlgorithmsReportWhatTheyName) {
  const std::pair<const char*, ActionSpace> cases[] = {
      {"dqn {}", DiscreteActions(3)},    {"dqn { distributional {} }", DiscreteActions(3)},
      {"sac {}", DiscreteActions(3)},    {"sac {}", ContinuousActions(2)},
      {"ddpg {}", ContinuousActions(2)}, {"td3 {}", ContinuousActions(2)}};
  for (const auto& [text, action] : cases) {
    const ExperimentConfig config = ConfigOf(text);
    for (const DeviceOptions& where : kPlaces) {
      const auto made = MakeOffPolicyAlgorithm(config, VectorSpace(4), action, Random(1), where);
      ASSERT_TRUE(made.ok()) << made.status();
      const DiagnosticNames before = (*made)->diagnostic_names();
      Random random(2);
      OffPolicyBatch batch = ExampleTransitions(8, 4, 3, random);
      if (!action.discrete()) batch.actions = RandomTensor({8, 2}, random).tanh();
      ASSERT_TRUE((*made)->Update(batch, 0, {}).ok());
      EXPECT_EQ(NamesOf((*made)->diagnostics()), before) << text;
    }
  }
}

}  // namespace
}  // namespace cadre
