// DQN with a memory: what it learns from sequences.
#include <algorithm>
#include <memory>
#include <string>
#include <vector>

#include "google/protobuf/text_format.h"
#include "gtest/gtest.h"
#include "learner/algorithms/value_based/dqn.h"
#include "policy/networks/acting_network.h"
#include "policy/networks/off_policy_network.h"
#include "tests/policy/example_networks.h"

namespace cadre {
namespace {

constexpr int64_t kItems = 16, kActions = 2;

// An episode shows +1 or -1 at its first step and nothing afterwards. Only its last action counts:
// 1 is right after +1, 0 after -1.
struct Recall {
  int64_t burn_in = 0, length = 4;
  int64_t steps() const { return burn_in + length; }

  // Whole episodes.
  OffPolicyBatch Batch(int64_t state_size, Random& random) const {
    OffPolicyBatch batch;
    batch.states = torch::zeros({kItems, state_size});
    batch.lengths = torch::full({kItems}, steps(), torch::kInt64);
    batch.terminated = torch::ones({kItems}, torch::kUInt8);
    batch.weights = torch::ones({kItems});
    batch.rewards = torch::zeros({steps() * kItems});
    batch.actions = torch::empty({steps() * kItems}, torch::kInt64);
    torch::Tensor shown = torch::zeros({(steps() + 1) * kItems, 1});
    for (int64_t b = 0; b < kItems; ++b) {
      const int64_t cue = static_cast<int64_t>(random.Below(2));
      shown[b][0] = cue == 1 ? 1.0 : -1.0;
      for (int64_t t = 0; t < steps(); ++t) {
        const auto action = static_cast<int64_t>(random.Below(kActions));
        batch.actions[t * kItems + b] = action;
        if (t + 1 == steps()) batch.rewards[t * kItems + b] = action == cue ? 1.0 : 0.0;
      }
    }
    batch.observations = shown;
    return batch;
  }
};

struct Learner {
  Learner(const std::string& model_text, const Recall& recall, const DeviceOptions& where = {}) {
    DqnConfig config;
    config.set_learning_rate(1e-2);
    config.set_double_q(true);
    config.set_target_update_interval(20);
    ReplayConfig replay;
    replay.set_n_step(2);
    replay.mutable_sequences()->set_length(static_cast<int>(recall.length));
    replay.mutable_sequences()->set_burn_in(static_cast<int>(recall.burn_in));
    ModelConfig model;
    CADRE_CHECK(google::protobuf::TextFormat::ParseFromString(model_text, &model));
    network = *MakeActionValueNetwork(model, config, VectorSpace(1), DiscreteActions(kActions));
    dqn = *MakeDqn(config, replay, model, VectorSpace(1), DiscreteActions(kActions), Random(1),
                   where);
  }

  int64_t state_size() const { return network.network.state_size(); }

  // Of the values of the last step, step by step as an actor has them: how much better the right
  // action is, least over both cues.
  double Margin(int64_t steps) {
    const torch::Tensor flat = dqn->acting_parameters();
    ActingNetwork acting(network.network);
    acting.Load({flat.data_ptr<float>(), static_cast<size_t>(flat.numel())});
    const float cues[] = {-1, 1}, nothing[] = {0, 0};
    const float* values = nullptr;
    for (int64_t t = 0; t < steps; ++t)
      values = acting.Run({static_cast<const void*>(t == 0 ? cues : nothing)}, 2);
    return std::min(values[0] - values[1], values[3] - values[2]);
  }

  ActionValueNetwork network;
  std::unique_ptr<OffPolicyAlgorithm> dqn;
};

constexpr char kGru[] = "memory { units: 8 }", kLstm[] = "memory { kind: LSTM units: 8 }";

TEST(R2d2Test, RemembersWhatItSawAtTheFirstStep) {
  for (const char* model : {kGru, kLstm}) {
    const Recall recall;
    Learner learner(model, recall);
    Random random(3);
    for (int update = 0; update < 500; ++update)
      ASSERT_TRUE(learner.dqn->Update(recall.Batch(learner.state_size(), random), 0, {}).ok());
    EXPECT_GT(learner.Margin(recall.steps()), 0.5) << model;
  }
}

// What was seen during the burn-in is in the state that the window starts with. Items that do not
// begin an episode have a stored state that is not 0.
TEST(R2d2Test, TheBurnInBringsTheStateUpToDate) {
  const Recall recall{.burn_in = 2, .length = 3};
  Learner learner(kGru, recall);
  Random random(3);
  for (int update = 0; update < 800; ++update) {
    OffPolicyBatch batch = recall.Batch(learner.state_size(), random);
    batch.states.fill_(1e-6);
    ASSERT_TRUE(learner.dqn->Update(batch, 0, {}).ok());
  }
  // No gradient flows into the burn-in, so the memory has to keep the cue by chance; 8 random units
  // do.
  EXPECT_GT(learner.Margin(recall.steps()), 0.3);
}

TEST(R2d2Test, BothRunnersLearnTheSame) {
  const Recall recall{.burn_in = 2, .length = 3};
  for (const char* model : {kGru, kLstm}) {
    Learner kernels(model, recall), tensors(model, recall, {.tensor_operations = true});
    Random random(3);
    for (int update = 0; update < 10; ++update) {
      OffPolicyBatch batch = recall.Batch(kernels.state_size(), random);
      batch.states.narrow(0, 0, kItems / 2).normal_();
      batch.lengths[1] = 4;
      std::vector<float> a(kItems), b(kItems);
      ASSERT_TRUE(kernels.dqn->Update(batch, 0, absl::MakeSpan(a)).ok());
      ASSERT_TRUE(tensors.dqn->Update(batch, 0, absl::MakeSpan(b)).ok());
      for (int64_t i = 0; i < kItems; ++i) EXPECT_NEAR(a[i], b[i], 1e-4);
    }
    EXPECT_LT((kernels.dqn->acting_parameters() - tensors.dqn->acting_parameters())
                  .abs()
                  .max()
                  .item<float>(),
              1e-4);
  }
}

TEST(R2d2Test, PaddingIsNotLearnedFrom) {
  const Recall recall;
  Learner one(kGru, recall), other(kGru, recall);
  Random random(3);
  OffPolicyBatch batch = recall.Batch(one.state_size(), random);
  batch.lengths.fill_(2);
  OffPolicyBatch changed = batch;
  // Whatever stands behind the second step, and its next observation, does not matter.
  changed.rewards = batch.rewards.clone();
  changed.rewards.narrow(0, 2 * kItems, 2 * kItems).fill_(99);
  changed.observations = batch.observations.columns[0].clone();
  changed.observations.columns[0].narrow(0, 3 * kItems, 2 * kItems).fill_(99);
  ASSERT_TRUE(one.dqn->Update(batch, 0, {}).ok());
  ASSERT_TRUE(other.dqn->Update(changed, 0, {}).ok());
  EXPECT_TRUE(torch::equal(one.dqn->acting_parameters(), other.dqn->acting_parameters()));
}

}  // namespace
}  // namespace cadre
