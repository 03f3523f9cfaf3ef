// How fast environments step as one batch, automatic resets included. One thread;
// items are environment steps.
#include <benchmark/benchmark.h>

#include <algorithm>
#include <cstring>
#include <string>
#include <vector>

#include "common/check.h"
#include "common/random.h"
#include "envs/registry.h"

namespace cadre {
namespace {

// `batches` batches of random actions, so that drawing them is not measured.
std::vector<std::vector<std::byte>> RandomActions(const VectorEnvironment& environment,
                                                  int batches) {
  const ActionSpace& space = environment.spec().action;
  Random random(1);
  std::vector<std::vector<std::byte>> result(batches);
  for (std::vector<std::byte>& batch : result) {
    batch.resize(environment.count() * space.bytes());
    for (size_t offset = 0; offset < batch.size(); offset += 4) {
      const int64_t count = space.discrete() ? space.counts[offset / 4 % space.counts.size()] : 1;
      const int32_t discrete = static_cast<int32_t>(random.Below(count));
      const float continuous = static_cast<float>(random.Uniform(-1, 1));
      if (space.discrete()) {
        std::memcpy(&batch[offset], &discrete, 4);
      } else {
        std::memcpy(&batch[offset], &continuous, 4);
      }
    }
  }
  return result;
}

void BM_Step(benchmark::State& state, const std::string& id) {
  auto environment = MakeVectorEnvironment(id, state.range(0));
  CADRE_CHECK(environment.ok() && (*environment)->Reset(1).ok());
  const auto actions = RandomActions(**environment, 64);
  size_t batch = 0;
  for (auto _ : state) {
    CADRE_CHECK((*environment)->Step(actions[batch++ % actions.size()]).ok());
    benchmark::DoNotOptimize((*environment)->observations()[0].data());
  }
  state.SetItemsProcessed(state.iterations() * state.range(0));
}

}  // namespace
}  // namespace cadre

int main(int argc, char** argv) {
  for (const cadre::EnvironmentSpec& spec : cadre::RegisteredEnvironments()) {
    benchmark::RegisterBenchmark(("BM_Step/" + spec.id).c_str(), cadre::BM_Step, spec.id)
        ->Arg(8)
        ->Arg(256);
  }
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 2;
  benchmark::RunSpecifiedBenchmarks();
}
