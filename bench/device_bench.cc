// Gradient steps per second on a device, eager and as a CUDA graph, by batch size: PPO
// (one minibatch is one step, advantages and shuffling counted in), DQN, SAC and TD3. One batch
// that is on the device already, over and over. Prints a Markdown table.
//   device_bench [--device=cuda] [--seconds=1] [--batches=256,1024,4096,16384]
// On the CPU: the kernels, and beside them the device's tensor operations.
#include <torch/cuda.h>
#include <torch/types.h>
#include <torch/utils.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_split.h"
#include "common/check.h"
#include "learner/algorithms/device/device_graph.h"
#include "learner/algorithms/off_policy.h"
#include "learner/algorithms/policy_gradient/ppo.h"

namespace cadre {
namespace {

struct Flags {
  torch::Device device = torch::kCPU;
  double seconds = 1;
  std::vector<int64_t> batches = {256, 1024, 4096, 16384};
};

// HalfCheetah's shapes for PPO, SAC and TD3, LunarLander's for DQN.
constexpr int64_t kObservation = 17, kDimensions = 6;
constexpr int64_t kDiscreteObservation = 8, kActions = 4;

ObservationSpace Observations(int64_t size) { return {.columns = {{.shape = {size}}}}; }

ActionSpace Discrete() { return ActionSpace::Discrete(kActions); }

ActionSpace Continuous() {
  ActionSpace space;
  space.kind = ActionSpace::Kind::kContinuous;
  space.dimensions = kDimensions;
  space.low.assign(kDimensions, -1.0f);
  space.high.assign(kDimensions, 1.0f);
  return space;
}

ModelConfig Layers(int units, Activation activation) {
  ModelConfig model;
  for (int i = 0; i < 2; ++i) model.mutable_mlp()->add_hidden(units);
  model.mutable_mlp()->set_activation(activation);
  return model;
}

OffPolicyBatch Transitions(int64_t items, int64_t observation, const ActionSpace& action,
                           torch::Device device) {
  OffPolicyBatch batch;
  batch.observations = torch::randn({items, observation}).to(device);
  batch.next_observations = torch::randn({items, observation}).to(device);
  batch.actions = action.discrete()
                      ? torch::randint(action.counts[0], {items}, torch::kInt64).to(device)
                      : (torch::rand({items, action.dimensions}) * 2 - 1).to(device);
  batch.rewards = torch::randn({items}).to(device);
  batch.discounts = torch::full({items}, 0.99, device);
  batch.weights = torch::ones({items}, device);
  return batch;
}

// Steps of 16 segments that end in truncation.
OnPolicyBatch Steps(int64_t steps, torch::Device device) {
  constexpr int64_t kSegments = 16;
  OnPolicyBatch batch;
  std::vector<int64_t> rows;
  for (int64_t s = 0; s < kSegments; ++s) {
    batch.segments.push_back({s * steps / kSegments, steps / kSegments, false});
    for (int64_t t = 0; t < steps / kSegments; ++t) rows.push_back(s * steps / kSegments + s + t);
  }
  batch.observations = torch::randn({steps + kSegments, kObservation}).to(device);
  batch.observation_rows = torch::tensor(rows, torch::kInt64).to(device);
  batch.actions = torch::randn({steps, kDimensions}).to(device);
  batch.rewards = torch::randn({steps});
  batch.log_probs = torch::full({steps}, -8.0, device);
  return batch;
}

// Steps per second of `run`, which takes `steps` of them. Three graphs' worth of warm-up.
double Measure(const Flags& flags, int64_t steps, const std::function<void()>& run) {
  const auto wait = [&] {
    if (flags.device.is_cuda()) torch::cuda::synchronize(flags.device.index());
  };
  const auto now = [] { return std::chrono::steady_clock::now(); };
  for (int i = 0; i < 12; ++i) run();
  wait();
  const auto start = now();
  int64_t done = 0;
  double seconds = 0;
  while (seconds < flags.seconds) {
    for (int i = 0; i < 8; ++i) run();
    wait();
    done += 8 * steps;
    seconds = std::chrono::duration<double>(now() - start).count();
  }
  return static_cast<double>(done) / seconds;
}

DeviceOptions Options(const Flags& flags, bool graphs) {
  DeviceOptions options;
  options.device = flags.device;
  options.graphs = graphs;
  options.tensor_operations = true;
  options.on_fallback = [](absl::string_view reason) {
    std::fprintf(stderr, "device_bench: %s\n", std::string(reason).c_str());
  };
  return options;
}

double MeasureReplay(const Flags& flags, OffPolicyAlgorithm& algorithm, int64_t items,
                     int64_t observation, const ActionSpace& action) {
  const OffPolicyBatch batch = Transitions(items, observation, action, flags.device);
  return Measure(flags, 1, [&] { CADRE_CHECK(algorithm.Update(batch, 0, {}).ok()); });
}

enum class Way { kKernels, kEager, kGraphed };

// Where the way computes.
DeviceOptions Place(const Flags& flags, Way way) {
  return way == Way::kKernels ? DeviceOptions() : Options(flags, way == Way::kGraphed);
}

double Replay(const Flags& flags, const ExperimentConfig& config, int64_t items, Way way,
              int64_t observation, const ActionSpace& action) {
  auto algorithm = MakeOffPolicyAlgorithm(config, Observations(observation), action, Random(1),
                                          Place(flags, way));
  CADRE_CHECK(algorithm.ok());
  return MeasureReplay(flags, **algorithm, items, observation, action);
}

ExperimentConfig With256Units() {
  ExperimentConfig config;
  *config.mutable_model() = Layers(256, RELU);
  return config;
}

double Dqn(const Flags& flags, int64_t items, Way way) {
  ExperimentConfig config = With256Units();
  config.mutable_dqn();
  return Replay(flags, config, items, way, kDiscreteObservation, Discrete());
}

double Sac(const Flags& flags, int64_t items, Way way) {
  ExperimentConfig config = With256Units();
  config.mutable_sac();
  return Replay(flags, config, items, way, kObservation, Continuous());
}

double Td3(const Flags& flags, int64_t items, Way way) {
  ExperimentConfig config = With256Units();
  config.mutable_td3();
  return Replay(flags, config, items, way, kObservation, Continuous());
}

double Ppo(const Flags& flags, int64_t items, Way way) {
  constexpr int64_t kMinibatches = 4, kEpochs = 4;
  PpoConfig config;
  config.set_minibatch_size(static_cast<int32_t>(items));
  config.set_epochs(kEpochs);
  auto network = MakeActorCritic(Layers(64, TANH), Observations(kObservation), Continuous());
  CADRE_CHECK(network.ok());
  Random random(1);
  const torch::Tensor initial = torch::tensor(InitialParameters(*network, random));
  const DeviceOptions where = Place(flags, way);
  auto model = std::make_unique<ActorCritic>(*network, where.runner(), where.device);
  model->parameters().copy_(initial);
  model->ParametersChanged();
  const auto algorithm = MakePpo(config, std::move(model), random, where);
  const OnPolicyBatch batch = Steps(kMinibatches * items, flags.device);
  return Measure(flags, kMinibatches * kEpochs,
                 [&] { CADRE_CHECK(algorithm->Update(batch, 0).ok()); });
}

void Print(const Flags& flags) {
  const bool cuda = flags.device.is_cuda();
  std::printf("Updates/s on %s\n\n", cuda ? "cuda" : "cpu, one thread");
  std::printf("| algorithm | batch | %s | %s | ratio |\n|---|---|---|---|---|\n",
              cuda ? "eager" : "kernels", cuda ? "graphed" : "tensor operations");
  const std::pair<const char*, double (*)(const Flags&, int64_t, Way)> algorithms[] = {
      {"PPO 64x64", Ppo}, {"DQN 256x256", Dqn}, {"SAC 256x256", Sac}, {"TD3 256x256", Td3}};
  for (const auto& [name, measure] : algorithms) {
    for (const int64_t items : flags.batches) {
      const double first = measure(flags, items, cuda ? Way::kEager : Way::kKernels);
      const double second = measure(flags, items, cuda ? Way::kGraphed : Way::kEager);
      std::printf("| %s | %lld | %.0f | %.0f | %.2f |\n", name, static_cast<long long>(items),
                  first, second, second / first);
      std::fflush(stdout);
    }
  }
}

bool Parse(int argc, char** argv, Flags& flags) {
  for (int i = 1; i < argc; ++i) {
    const std::pair<std::string, std::string> flag = absl::StrSplit(argv[i], '=');
    if (flag.first == "--device") {
      flags.device = torch::Device(flag.second);
    } else if (flag.first == "--seconds") {
      if (!absl::SimpleAtod(flag.second, &flags.seconds)) return false;
    } else if (flag.first == "--batches") {
      flags.batches.clear();
      for (const absl::string_view text : absl::StrSplit(flag.second, ',')) {
        int64_t items = 0;
        if (!absl::SimpleAtoi(text, &items) || items < 16) return false;
        flags.batches.push_back(items);
      }
    } else {
      return false;
    }
  }
  if (flags.device.is_cuda() && !flags.device.has_index())
    flags.device = torch::Device(torch::kCUDA, 0);
  return true;
}

}  // namespace
}  // namespace cadre

int main(int argc, char** argv) {
  cadre::Flags flags;
  if (!cadre::Parse(argc, argv, flags)) {
    std::fprintf(stderr, "usage: device_bench [--device=cpu|cuda] [--seconds=S] [--batches=N,N]\n");
    return 2;
  }
  if (flags.device.is_cuda() && !torch::cuda::is_available()) {
    std::printf("skipped: no CUDA device\n");
    return 0;
  }
  if (flags.device.is_cpu()) torch::set_num_threads(1);
  cadre::Print(flags);
  return 0;
}
