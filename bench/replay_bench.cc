// A replay table in one process, one thread: CartPole's transitions (observation
// float32[4], action, reward, version), a million of them. Items are transitions.
#include <benchmark/benchmark.h>

#include <cmath>
#include <memory>
#include <string>
#include <vector>

#include "common/check.h"
#include "common/experience/rollout_view.h"
#include "google/protobuf/text_format.h"
#include "replay_server/storage/table.h"

namespace cadre {
namespace {

constexpr int64_t kItems = 1'000'000;
constexpr int64_t kSegments = 16;  // Of a rollout.
constexpr int64_t kSteps = 64;     // Of a segment.
constexpr char kRun[] = "bench";

v1::ExperienceSpec CartPoleSpec() {
  v1::ExperienceSpec spec;
  CADRE_CHECK(google::protobuf::TextFormat::ParseFromString(
      R"pb(
        columns { name: "obs" dtype: DTYPE_FLOAT32 shape: 4 per_observation: true }
        columns { name: "action" dtype: DTYPE_INT32 }
        columns { name: "reward" dtype: DTYPE_FLOAT32 }
        columns { name: "version" dtype: DTYPE_INT64 })pb",
      &spec));
  return spec;
}

RolloutView CartPoleRollout() {
  auto rollout = std::make_shared<v1::Rollout>();
  rollout->set_run_id(kRun);
  rollout->set_writer_id(1);
  for (int i = 0; i < kSegments; ++i) {
    v1::Segment* segment = rollout->add_segments();
    segment->set_length(kSteps);
    segment->set_end(v1::SEGMENT_END_CUT);
    segment->set_environment(i);
  }
  rollout->add_columns(std::string(kSegments * (kSteps + 1) * 16, 'o'));
  for (int bytes : {4, 4, 8}) rollout->add_columns(std::string(kSegments * kSteps * bytes, 's'));
  return ViewOf(rollout);
}

// A table with one writer, who fills it by inserting.
class FilledTable {
 public:
  explicit FilledTable(const std::string& config) {
    TableOptions options;
    CADRE_CHECK(google::protobuf::TextFormat::ParseFromString(config, &options.config));
    options.config.set_capacity_items(kItems);
    table_ = *Table::Create(options);
    writer_ = table_->OpenWriter(kRun, 1, CartPoleSpec(), 0, [](uint64_t) {})->id;
    sampler_ = *table_->OpenSampler(kRun, CartPoleSpec());
    while (table_->Info().items() < kItems) Insert();
  }

  void Insert() {
    RolloutView rollout = rollout_;
    rollout.sequence = ++sequence_;
    table_->Append(writer_, std::move(rollout),
                   [](const absl::Status& status) { CADRE_CHECK(status.ok()); });
  }
  ReplayBatch Sample(int64_t items) {
    return *table_->Sample(sampler_, {.items = items, .importance_exponent = 0.5});
  }
  Table& table() { return *table_; }

 private:
  std::unique_ptr<Table> table_;
  const RolloutView rollout_ = CartPoleRollout();
  uint64_t writer_ = 0;
  uint64_t sampler_ = 0;
  uint64_t sequence_ = 0;
};

// Priorities such as errors are: all different.
void SpreadPriorities(FilledTable& table) {
  std::vector<float> priorities(kItems);
  for (size_t i = 0; i < priorities.size(); ++i)
    priorities[i] = 0.5f + std::fabs(std::sin(static_cast<float>(i)));
  const ReplayBatch batch = table.Sample(kItems);
  CADRE_CHECK(table.table().UpdatePriorities(batch.keys, priorities).ok());
}

void BM_Sample(benchmark::State& state, const char* config) {
  FilledTable table(config);
  SpreadPriorities(table);
  const int64_t items = state.range(0);
  for (auto _ : state) benchmark::DoNotOptimize(table.Sample(items));
  state.SetItemsProcessed(state.iterations() * items);
}

void BM_Insert(benchmark::State& state, const char* config) {
  FilledTable table(config);
  for (auto _ : state) table.Insert();
  state.SetItemsProcessed(state.iterations() * kSegments * kSteps);
}

// New priorities of the items of a batch, as a learner sends them.
void BM_UpdatePriorities(benchmark::State& state, const char* config) {
  FilledTable table(config);
  const int64_t items = state.range(0);
  std::vector<float> priorities(items);
  float priority = 1;
  for (auto _ : state) {
    state.PauseTiming();
    const ReplayBatch batch = table.Sample(items);
    for (float& p : priorities) p = priority = priority < 9 ? priority * 1.01f : 1;
    state.ResumeTiming();
    CADRE_CHECK(table.table().UpdatePriorities(batch.keys, priorities).ok());
  }
  state.SetItemsProcessed(state.iterations() * items);
}

constexpr char kUniform[] = "";
constexpr char kPrioritized[] = "sampler { prioritized { alpha: 0.6 } }";
constexpr char kThreeSteps[] = "transitions { n_step: 3 }";

BENCHMARK_CAPTURE(BM_Sample, uniform, kUniform)->Arg(64)->Arg(1024);
BENCHMARK_CAPTURE(BM_Sample, prioritized, kPrioritized)->Arg(64)->Arg(1024);
BENCHMARK_CAPTURE(BM_Sample, three_steps, kThreeSteps)->Arg(1024);
BENCHMARK_CAPTURE(BM_Insert, uniform, kUniform);
BENCHMARK_CAPTURE(BM_Insert, prioritized, kPrioritized);
BENCHMARK_CAPTURE(BM_Insert, three_steps, kThreeSteps);
BENCHMARK_CAPTURE(BM_UpdatePriorities, prioritized, kPrioritized)->Arg(1024);

}  // namespace
}  // namespace cadre
