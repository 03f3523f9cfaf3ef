// Gradient steps of the actor-critic algorithms with replay, without acting and without
// the replay: one batch, over and over. Items are updates.
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include <torch/types.h>

#include "benchmark/benchmark.h"
#include "common/check.h"
#include "learner/algorithms/ddpg.h"
#include "learner/algorithms/sac.h"
#include "learner/algorithms/td3.h"

namespace cadre {
namespace {

struct Task {
  int64_t observation_size;
  int64_t action_dimensions;
};
constexpr Task kPendulum{3, 1};
constexpr Task kHalfCheetah{17, 6};

ObservationSpace Observations(const Task& task) {
  ObservationSpace space;
  space.shape = {task.observation_size};
  return space;
}

ActionSpace Actions(const Task& task) {
  ActionSpace space;
  space.kind = ActionSpace::Kind::kContinuous;
  space.dimensions = task.action_dimensions;
  space.low.assign(task.action_dimensions, -2.0f);
  space.high.assign(task.action_dimensions, 2.0f);
  return space;
}

ModelConfig Model(const std::vector<int>& hidden) {
  ModelConfig model;
  for (const int units : hidden) model.mutable_mlp()->add_hidden(units);
  model.mutable_mlp()->set_activation(RELU);
  return model;
}

OffPolicyBatch ExampleBatch(const Task& task, int64_t size) {
  torch::manual_seed(1);
  OffPolicyBatch batch;
  batch.observations = torch::randn({size, task.observation_size});
  batch.actions = torch::rand({size, task.action_dimensions}) * 4 - 2;
  batch.rewards = torch::randn({size});
  batch.next_observations = torch::randn({size, task.observation_size});
  batch.discounts = torch::full({size}, 0.99);
  batch.weights = torch::ones({size});
  return batch;
}

using Factory = std::function<absl::StatusOr<std::unique_ptr<OffPolicyAlgorithm>>(
    const ModelConfig&, const ObservationSpace&, const ActionSpace&)>;

Factory FactoryOf(const std::string& algorithm) {
  return [=](const ModelConfig& model, const ObservationSpace& o, const ActionSpace& a) {
    if (algorithm == "ddpg") return MakeDdpg({}, model, o, a, Random(1), torch::kCPU);
    if (algorithm == "td3") return MakeTd3({}, model, o, a, Random(1), torch::kCPU);
    return MakeSac({}, model, o, a, Random(1), torch::kCPU);
  };
}

void BM_Update(benchmark::State& state, const std::string& algorithm, const Task& task,
               const std::vector<int>& hidden) {
  auto learner = FactoryOf(algorithm)(Model(hidden), Observations(task), Actions(task));
  CADRE_CHECK(learner.ok());
  const OffPolicyBatch batch = ExampleBatch(task, state.range(0));
  std::vector<float> priorities(state.range(0));
  for (auto _ : state) (*learner)->Update(batch, 0, absl::MakeSpan(priorities));
  state.SetItemsProcessed(state.iterations());
}

#define CADRE_UPDATES(name, ...) \
  BENCHMARK_CAPTURE(BM_Update, name, __VA_ARGS__)->Unit(benchmark::kMicrosecond)

CADRE_UPDATES(sac_pendulum_256_256, "sac", kPendulum, {256, 256})->Arg(256);
CADRE_UPDATES(sac_pendulum_64_64, "sac", kPendulum, {64, 64})->Arg(128);
CADRE_UPDATES(sac_half_cheetah_256_256, "sac", kHalfCheetah, {256, 256})->Arg(256);
CADRE_UPDATES(td3_pendulum_400_300, "td3", kPendulum, {400, 300})->Arg(256);
CADRE_UPDATES(td3_pendulum_64_64, "td3", kPendulum, {64, 64})->Arg(128);
CADRE_UPDATES(ddpg_pendulum_400_300, "ddpg", kPendulum, {400, 300})->Arg(256);
CADRE_UPDATES(ddpg_pendulum_64_64, "ddpg", kPendulum, {64, 64})->Arg(128);

}  // namespace
}  // namespace cadre
