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

// `batches` batches of random actions within their bounds, so that drawing them is not measured.
std::vector<std::vector<std::byte>> RandomActions(const VectorEnvironment& environment,
                                                  int batches) {
  const ActionSpace& space = environment.spec().action;
  Random random(1);
  std::vector<std::vector<std::byte>> result(batches);
  for (std::vector<std::byte>& batch : result) {
    batch.resize(environment.count() * space.bytes());
    for (size_t offset = 0; offset < batch.size(); offset += 4) {
      const size_t k = offset % space.bytes() / 4;
      if (space.discrete()) {
        const auto choice = static_cast<int32_t>(random.Below(space.counts[k]));
        std::memcpy(&batch[offset], &choice, 4);
      } else {
        const auto number = static_cast<float>(random.Uniform(space.low[k], space.high[k]));
        std::memcpy(&batch[offset], &number, 4);
      }
    }
  }
  return result;
}

void BM_Step(benchmark::State& state, const std::string& id) {
  auto environment = MakeVectorEnvironment(id, state.range(0));
  if (!environment.ok()) return state.SkipWithError(environment.status().ToString().c_str());
  CADRE_CHECK((*environment)->Reset(1).ok());
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
