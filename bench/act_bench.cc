// Acting alone: the act loop as an actor runs it (inference, environment, segment
// building), with parameters that never change and a sink that drops its rollouts.
// Items are environment steps.
#include <algorithm>
#include <memory>
#include <string>
#include <utility>

#include "actor/act_loop.h"
#include "benchmark/benchmark.h"
#include "common/check.h"
#include "envs/registry.h"
#include "policy/networks/actor_critic_network.h"

namespace cadre {
namespace {

class FixedParameters final : public ParameterSource {
 public:
  explicit FixedParameters(ParametersPtr parameters) : parameters_(std::move(parameters)) {}
  ParametersPtr Newest() override { return parameters_; }
  absl::StatusOr<ParametersPtr> WaitNewer(int64_t, absl::Duration) override { return parameters_; }
  v1::RunState run_state() override { return v1::RUN_STATE_RUNNING; }
  void Close() override {}

 private:
  const ParametersPtr parameters_;
};

// Ends the loop, with CANCELLED, once it has taken `rollouts`.
class DroppingSink final : public ExperienceSink {
 public:
  explicit DroppingSink(int64_t rollouts) : left_(rollouts) {}
  absl::Status Append(v1::Rollout rollout) override {
    benchmark::DoNotOptimize(rollout.columns(0).data());
    return --left_ > 0 ? absl::OkStatus() : absl::CancelledError();
  }
  void Close() override {}

 private:
  int64_t left_;
};

ParametersPtr InitialPublication(const ExperimentConfig& config, const EnvironmentSpec& spec) {
  const auto network = MakeActorCritic(config.model(), spec.observation, spec.action);
  CADRE_CHECK(network.ok());
  Random random(1);
  const std::vector<float> values = InitialParameters(*network, random);
  auto parameters = std::make_shared<v1::Parameters>();
  parameters->set_version(1);
  parameters->set_values(values.data(), values.size() * sizeof(float));
  parameters->set_layout_fingerprint(network->layout().fingerprint());
  return parameters;
}

void BM_Act(benchmark::State& state, const std::string& id) {
  ExperimentConfig config;
  config.mutable_environment()->set_id(id);
  config.mutable_model()->mutable_mlp()->add_hidden(64);
  config.mutable_model()->mutable_mlp()->add_hidden(64);
  config.mutable_ppo();
  config.mutable_actors()->set_environments_per_actor(static_cast<int32_t>(state.range(0)));
  config.mutable_actors()->set_segment_length(128);
  config.mutable_actors()->set_mode(ActorsConfig::ASYNCHRONOUS);
  const auto spec = FindEnvironment(id);
  CADRE_CHECK(spec.ok());
  FixedParameters source(InitialPublication(config, *spec));
  // So many that making the loop does not count.
  const int64_t rollouts = std::max<int64_t>(4, 256 / state.range(0));
  int64_t steps = 0;
  for (auto _ : state) {
    DroppingSink sink(rollouts);
    auto loop = ActLoop::Create(config, 0, &source, &sink);
    CADRE_CHECK(loop.ok());
    CADRE_CHECK(absl::IsCancelled((*loop)->Run()));
    steps += (*loop)->steps();
    const double total = (*loop)->times().total_seconds();
    state.counters["inference"] = (*loop)->times().seconds(ActStage::kInference) / total;
    state.counters["environment"] = (*loop)->times().seconds(ActStage::kEnvironment) / total;
    state.counters["build"] = (*loop)->times().seconds(ActStage::kBuild) / total;
  }
  state.SetItemsProcessed(steps);
}
BENCHMARK_CAPTURE(BM_Act, CartPole, "CartPole-v1")->Arg(1)->Arg(8)->Arg(64)->Arg(256)->Arg(1024);
BENCHMARK_CAPTURE(BM_Act, Pendulum, "Pendulum-v1")->Arg(256);
BENCHMARK_CAPTURE(BM_Act, Acrobot, "Acrobot-v1")->Arg(256);

}  // namespace
}  // namespace cadre
