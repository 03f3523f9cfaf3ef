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
  batch.actions = action.discrete() ? torch::randint(action.count, {items}, torch::kInt64)
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

void MeasureUpdates(benchmark::State& state, const ExperimentConfig& config,
                    int64_t observation_size, const ActionSpace& action) {
  torch::set_num_threads(1);
  ObservationSpace observation;
  observation.shape = {observation_size};
  auto algorithm = MakeOffPolicyAlgorithm(config, observation, action, Random(1));
  CADRE_CHECK(algorithm.ok());
  const int64_t items = config.replay().batch_size();
  const OffPolicyBatch batch = RandomBatch(items, observation_size, action);
  std::vector<float> priorities(items);
  for (auto _ : state) (*algorithm)->Update(batch, 0, absl::MakeSpan(priorities));
  state.SetItemsProcessed(state.iterations());
}

// CartPole's shapes.
void BM_Dqn(benchmark::State& state, const std::vector<int32_t>& hidden, int batch_size,
            const DqnConfig& dqn) {
  ExperimentConfig config;
  *config.mutable_model() = ReluMlp(hidden);
  *config.mutable_dqn() = dqn;
  config.mutable_replay()->set_batch_size(batch_size);
  ActionSpace action;
  action.count = 2;
  MeasureUpdates(state, config, 4, action);
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

}  // namespace
}  // namespace cadre
