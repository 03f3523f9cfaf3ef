// Selectors alone, one thread, over a million slots; items are slots.
#include <benchmark/benchmark.h>

#include <vector>

#include "common/check.h"
#include "common/random.h"
#include "google/protobuf/text_format.h"
#include "replay_server/selectors/selector.h"

namespace cadre {
namespace {

constexpr int64_t kSlots = 1'000'000;
constexpr int64_t kBatch = 1024;

std::unique_ptr<Selector> FullSelector(const char* kind) {
  SelectorConfig config;
  CADRE_CHECK(google::protobuf::TextFormat::ParseFromString(kind, &config));
  std::unique_ptr<Selector> selector = MakeSelector(config, kSlots);
  Random random(1);
  for (int64_t slot = 0; slot < kSlots; ++slot) selector->Insert(slot, random.Uniform());
  return selector;
}

void BM_Select(benchmark::State& state, const char* kind) {
  const std::unique_ptr<Selector> selector = FullSelector(kind);
  Random random(2);
  std::vector<Selection> batch(kBatch);
  for (auto _ : state) {
    selector->Select(random, absl::MakeSpan(batch));
    benchmark::DoNotOptimize(batch.data());
  }
  state.SetItemsProcessed(state.iterations() * kBatch);
}

// New priorities of random slots, one call each.
void BM_Update(benchmark::State& state, const char* kind) {
  const std::unique_ptr<Selector> selector = FullSelector(kind);
  Random random(3);
  for (auto _ : state)
    selector->Update(static_cast<int64_t>(random.Below(kSlots)), random.Uniform());
  state.SetItemsProcessed(state.iterations());
}

// A table's own work: the oldest slot goes, a new one comes with the usual priority.
void BM_Replace(benchmark::State& state, const char* kind) {
  const std::unique_ptr<Selector> selector = FullSelector(kind);
  int64_t slot = 0;
  for (auto _ : state) {
    selector->Remove(slot);
    selector->Insert(slot, 1.5);
    slot = slot + 1 < kSlots ? slot + 1 : 0;
  }
  state.SetItemsProcessed(state.iterations());
}

#define CADRE_BENCHMARK_KINDS(work)                                   \
  BENCHMARK_CAPTURE(work, uniform, "uniform {}");                     \
  BENCHMARK_CAPTURE(work, prioritized, "prioritized {}");             \
  BENCHMARK_CAPTURE(work, prioritized_1, "prioritized { alpha: 1 }"); \
  BENCHMARK_CAPTURE(work, fifo, "fifo {}");                           \
  BENCHMARK_CAPTURE(work, max_heap, "max_heap {}")

CADRE_BENCHMARK_KINDS(BM_Select);
CADRE_BENCHMARK_KINDS(BM_Update);
CADRE_BENCHMARK_KINDS(BM_Replace);

}  // namespace
}  // namespace cadre
