// Updates of off-policy algorithms alone: batches that are there already, one thread.
// Items are updates.
#include <torch/types.h>
#include <torch/utils.h>

#include "benchmark/benchmark.h"
#include "common/check.h"
#include "learner/algorithms/off_policy.h"

namespace cadre {
namespace {

OffPolicyBatch RandomBatch(int64_t items, int64_t observation_size, const ActionSpace& action) {
  OffPolicyBatch batch;
  batch.observations = torch::randn({items, observation_size});
  batch.next_observations = torch::randn({items, observation_size});
  batch.actions = action.discrete() ? torch::randint(action.counts[0], {items}, torch::kInt64)
                                    : torch::rand({items, action.dimensions}) * 2 - 1;
  batch.rewards = torch::randn({items});
  batch.discounts = torch::full({items}, 0.99);
  batch.weights = torch::ones({items});
  return batch;
}

ModelConfig ReluMlp(const std::vector<int32_t>& hidden) {
  ModelConfig model;
  model.mutable_mlp()->mutable_hidden()->Add(hidden.begin(), hidden.end());
  model.mutable_mlp()->set_activation(RELU);
  return model;
}

ActionSpace BoundedActions(int64_t dimensions) {
  ActionSpace action;
  action.kind = ActionSpace::Kind::kContinuous;
  action.dimensions = dimensions;
  action.low.assign(dimensions, -1.0f);
  action.high.assign(dimensions, 1.0f);
  return action;
}

void MeasureUpdates(benchmark::State& state, const ExperimentConfig& config,
                    int64_t observation_size, const ActionSpace& action) {
  torch::set_num_threads(1);
  const ObservationSpace observation{{{.shape = {observation_size}}}};
  auto algorithm = MakeOffPolicyAlgorithm(config, observation, action, Random(1));
  CADRE_CHECK(algorithm.ok());
  const int64_t items = config.replay().batch_size();
  const OffPolicyBatch batch = RandomBatch(items, observation_size, action);
  std::vector<float> priorities(items);
  for (auto _ : state) CADRE_CHECK((*algorithm)->Update(batch, 0, absl::MakeSpan(priorities)).ok());
  state.SetItemsProcessed(state.iterations());
}

// CartPole's shapes.
void BM_Dqn(benchmark::State& state, const std::vector<int32_t>& hidden, int batch_size,
            const DqnConfig& dqn) {
  ExperimentConfig config;
  *config.mutable_model() = ReluMlp(hidden);
  *config.mutable_dqn() = dqn;
  config.mutable_replay()->set_batch_size(batch_size);
  MeasureUpdates(state, config, 4, ActionSpace::Discrete(2));
}

enum class Critic { kDdpg, kTd3, kSac };

// With critics of the action: Pendulum's shapes, unless they are given.
void BM_ActorCritic(benchmark::State& state, Critic algorithm, const std::vector<int32_t>& hidden,
                    int batch_size, int64_t observation_size = 3, int64_t dimensions = 1) {
  ExperimentConfig config;
  *config.mutable_model() = ReluMlp(hidden);
  if (algorithm == Critic::kDdpg) config.mutable_ddpg();
  if (algorithm == Critic::kTd3) config.mutable_td3();
  if (algorithm == Critic::kSac) config.mutable_sac();
  config.mutable_replay()->set_batch_size(batch_size);
  MeasureUpdates(state, config, observation_size, BoundedActions(dimensions));
}

DqnConfig DoubleDueling() {
  DqnConfig config;
  config.set_double_q(true);
  config.set_dueling(true);
  return config;
}

DqnConfig Distributional() {
  DqnConfig config;
  config.mutable_distributional();
  return config;
}

const std::vector<int32_t> kWide = {256, 256};
const std::vector<int32_t> kNarrow = {120, 84};
BENCHMARK_CAPTURE(BM_Dqn, 256x256_batch_64, kWide, 64, DqnConfig());
BENCHMARK_CAPTURE(BM_Dqn, 120x84_batch_128, kNarrow, 128, DqnConfig());
BENCHMARK_CAPTURE(BM_Dqn, 256x256_batch_64_double_dueling, kWide, 64, DoubleDueling());
BENCHMARK_CAPTURE(BM_Dqn, 256x256_batch_64_distributional, kWide, 64, Distributional());

const std::vector<int32_t> kWider = {400, 300};
const std::vector<int32_t> kSmall = {64, 64};
#define CADRE_ACTOR_CRITIC(name, ...) \
  BENCHMARK_CAPTURE(BM_ActorCritic, name, __VA_ARGS__)->Unit(benchmark::kMicrosecond)
CADRE_ACTOR_CRITIC(sac_256x256_batch_256, Critic::kSac, kWide, 256);
CADRE_ACTOR_CRITIC(sac_64x64_batch_128, Critic::kSac, kSmall, 128);
CADRE_ACTOR_CRITIC(sac_half_cheetah_256x256_batch_256, Critic::kSac, kWide, 256, 17, 6);
CADRE_ACTOR_CRITIC(td3_400x300_batch_256, Critic::kTd3, kWider, 256);
CADRE_ACTOR_CRITIC(td3_64x64_batch_128, Critic::kTd3, kSmall, 128);
CADRE_ACTOR_CRITIC(ddpg_400x300_batch_256, Critic::kDdpg, kWider, 256);
CADRE_ACTOR_CRITIC(ddpg_64x64_batch_128, Critic::kDdpg, kSmall, 128);

}  // namespace
}  // namespace cadre
