// The factory: each algorithm's config gives that algorithm.
#include "learner/algorithms/off_policy.h"

#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/policy/example_networks.h"

namespace cadre {
namespace {

using testing::AllOf;
using testing::Contains;
using testing::HasSubstr;
using testing::Not;

absl::StatusOr<std::unique_ptr<OffPolicyAlgorithm>> Make(const ExperimentConfig& config,
                                                         const ActionSpace& action) {
  return MakeOffPolicyAlgorithm(config, VectorSpace(3), action, Random(1));
}

// Names of what a new algorithm saves, which differ with the algorithm.
std::vector<std::string> Saved(const ExperimentConfig& config, const ActionSpace& action) {
  const auto algorithm = Make(config, action);
  EXPECT_TRUE(algorithm.ok()) << algorithm.status();
  if (!algorithm.ok()) return {};
  TensorMap state;
  (*algorithm)->Save(state);
  std::vector<std::string> names;
  for (const NamedTensor& tensor : state.tensors()) names.push_back(tensor.name);
  return names;
}

TEST(MakeOffPolicyAlgorithmTest, MakesTheAlgorithmOfTheConfig) {
  ExperimentConfig dqn, ddpg, td3, sac;
  dqn.mutable_dqn();
  ddpg.mutable_ddpg();
  td3.mutable_td3();
  sac.mutable_sac();
  const auto has = [](const std::string& part) { return Contains(HasSubstr(part)); };
  EXPECT_THAT(Saved(dqn, DiscreteActions(2)), has("dqn."));
  EXPECT_THAT(Saved(ddpg, ContinuousActions(2)),
              AllOf(has("policy"), Not(has("td3.")), Not(has("temperature"))));
  EXPECT_THAT(Saved(td3, ContinuousActions(2)), has("td3."));
  EXPECT_THAT(Saved(sac, ContinuousActions(2)), has("temperature"));
  EXPECT_THAT(Saved(sac, DiscreteActions(2)), has("temperature"));
}

TEST(MakeOffPolicyAlgorithmTest, RefusesOnPolicyAlgorithmsAndSpacesThatDoNotFit) {
  ExperimentConfig ppo, td3;
  ppo.mutable_ppo();
  td3.mutable_td3();
  for (const ExperimentConfig& config : {ppo, ExperimentConfig()}) {
    const absl::Status status = Make(config, DiscreteActions(2)).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
    EXPECT_THAT(std::string(status.message()), HasSubstr("dqn, ddpg, td3, sac"));
  }
  EXPECT_EQ(Make(td3, DiscreteActions(2)).status().code(), absl::StatusCode::kInvalidArgument);
}

}  // namespace
}  // namespace cadre
