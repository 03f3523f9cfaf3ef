// Writers, samplers and priority updates at once, on a table so small that every row is
// reused all the time.
#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstdint>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/time/clock.h"
#include "common/random.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "replay_server/storage/table.h"
#include "replay_server/storage/table_ports.h"
#include "tests/replay_server/replay_experience.h"

namespace cadre {
namespace {

constexpr int kThreads = 8;  // Of each kind.

// Rows wide enough that copying one takes a while: every value of a row is the same, and
// the next observation's is one more.
constexpr int64_t kWidth = 256;

v1::ExperienceSpec WideSpec() {
  v1::ExperienceSpec spec = ReplaySpec();
  spec.mutable_columns(0)->set_shape(0, kWidth);
  return spec;
}

v1::Rollout WideRollout(int first, int64_t steps, v1::SegmentEnd end) {
  v1::Rollout rollout = EmptyReplayRollout();
  v1::Segment* segment = rollout.add_segments();
  segment->set_length(static_cast<int32_t>(steps));
  segment->set_end(end);
  for (int64_t t = 0; t <= steps; ++t)
    for (int64_t i = 0; i < kWidth; ++i)
      AppendValue(rollout.mutable_columns(0), static_cast<float>(first + t));
  for (int64_t t = 0; t < steps; ++t) {
    AppendValue(rollout.mutable_columns(1), static_cast<int32_t>(first + t));
    AppendValue(rollout.mutable_columns(2), static_cast<float>(first + t));
  }
  return rollout;
}

void ExpectWholeRows(const ReplayBatch& batch) {
  const absl::Span<const float> obs = batch.columns[0].As<float>();
  const absl::Span<const int32_t> action = batch.columns[1].As<int32_t>();
  const absl::Span<const float> reward = batch.columns[2].As<float>();
  const absl::Span<const float> next = batch.columns[3].As<float>();
  for (int64_t i = 0; i < batch.items; ++i) {
    const float value = obs[kWidth * i];
    bool whole = action[i] == static_cast<int32_t>(value) && reward[i] == value;
    for (int64_t k = 0; k < kWidth; ++k)
      whole = whole && obs[kWidth * i + k] == value && next[kWidth * i + k] == value + 1;
    ASSERT_TRUE(whole) << "torn row of " << value;
  }
}

void ExpectWholeRowsOf(const TableConfig& config, int rollouts_of_each) {
  TableOptions options;
  options.config = config;
  const auto table = *Table::Create(options);
  std::vector<std::thread> threads;
  std::atomic<int> writing{kThreads};
  for (int w = 0; w < kThreads; ++w)
    threads.emplace_back([&, w] {
      const auto sink = *TableSink::Create(table.get(), kReplayRun, WideSpec(), 1 + w);
      Random random = Random::ForStream(1, w);
      for (int i = 0; i < rollouts_of_each; ++i) {
        const int first = static_cast<int>(random.Below(1000));
        const auto steps = 1 + static_cast<int64_t>(random.Below(20));
        const auto end = random.Below(2) == 0 ? v1::SEGMENT_END_TERMINATED : v1::SEGMENT_END_CUT;
        ASSERT_TRUE(sink->Append(WideRollout(first, steps, end)).ok());
      }
      if (--writing > 0) return;
      while (table->Info().sampled_batches() == 0) absl::SleepFor(absl::Milliseconds(1));
      table->Close();
    });
  for (int r = 0; r < kThreads; ++r)
    threads.emplace_back([&, r] {
      auto source = TableSource::Create(table.get(), kReplayRun, WideSpec());
      Random random = Random::ForStream(2, r);
      while (source.ok()) {
        const auto items = 1 + static_cast<int64_t>(random.Below(40));
        const auto batch = (*source)->Sample({.items = items, .importance_exponent = 0.5});
        if (!batch.ok()) return;
        ExpectWholeRows(*batch);
        std::vector<float> priorities(items);
        for (float& priority : priorities) priority = random.UniformFloat();
        if (!(*source)->UpdatePriorities(batch->keys, priorities).ok()) return;
        EXPECT_LE(table->Info().rows(), table->Info().capacity_rows());
      }
    });
  for (std::thread& thread : threads) thread.join();
  const v1::TableInfo info = table->Info();
  EXPECT_EQ(info.inserted_rollouts(), kThreads * rollouts_of_each);
  EXPECT_EQ(info.items(), info.inserted_items() - info.removed_items());
  EXPECT_GT(info.sampled_batches(), 0);
}

TEST(TableConcurrencyTest, NoSampledRowIsTorn) {
  TableConfig config;
  config.set_capacity_bytes(300'000);  // Some 250 rows.
  config.mutable_sampler()->mutable_prioritized();
  ExpectWholeRowsOf(config, 200);
}

TEST(TableConcurrencyTest, NoSampledRowIsTornWhereAnySegmentMayGo) {
  TableConfig config;
  config.set_capacity_bytes(300'000);
  config.set_max_times_sampled(3);
  config.mutable_remover()->mutable_uniform();
  ExpectWholeRowsOf(config, 200);
}

TEST(TableConcurrencyTest, TheRatioStaysWithinItsErrorBuffer) {
  constexpr int64_t kMinSize = 64;
  constexpr double kRatio = 2;
  constexpr double kBuffer = 128;
  TableOptions options = ReplayTableOptions();
  options.config.set_capacity_items(500);
  RateLimiterConfig& limiter = *options.config.mutable_rate_limiter();
  limiter.set_min_size(kMinSize);
  limiter.set_samples_per_insert(kRatio);
  limiter.set_error_buffer(kBuffer);
  const auto table = *Table::Create(options);
  std::vector<std::thread> threads;
  std::atomic<int> writing{kThreads};
  for (int w = 0; w < kThreads; ++w)
    threads.emplace_back([&, w] {
      const auto sink = *TableSink::Create(table.get(), kReplayRun, ReplaySpec(), 1 + w);
      Random random = Random::ForStream(3, w);
      for (int i = 0; i < 500; ++i)
        ASSERT_TRUE(sink->Append(ReplayRollout(i, 1 + random.Below(40))).ok());
      if (--writing == 0) table->Close();
    });
  for (int r = 0; r < kThreads; ++r)
    threads.emplace_back([&, r] {
      auto source = TableSource::Create(table.get(), kReplayRun, ReplaySpec());
      Random random = Random::ForStream(4, r);
      while (source.ok()) {
        const auto items = 1 + static_cast<int64_t>(random.Below(60));
        if (!(*source)->Sample({.items = items}).ok()) return;
        const v1::TableInfo info = table->Info();
        if (info.inserted_items() <= kMinSize) continue;
        const double lead = kRatio * static_cast<double>(info.inserted_items() - kMinSize) -
                            static_cast<double>(info.sampled_items());
        // Samples may rest on rollouts that are on their way to their rows: at most one of
        // 40 steps for each other writer.
        EXPECT_GE(lead, -kBuffer - kRatio * kThreads * 40);
        EXPECT_LE(lead, kBuffer);
      }
    });
  for (std::thread& thread : threads) thread.join();
  const v1::TableInfo info = table->Info();
  const double lead = kRatio * static_cast<double>(info.inserted_items() - kMinSize) -
                      static_cast<double>(info.sampled_items());
  EXPECT_LE(std::abs(lead), kBuffer);
  EXPECT_NEAR(info.observed_samples_per_insert(), kRatio,
              kBuffer / static_cast<double>(info.inserted_items() - kMinSize));
  EXPECT_EQ(info.waiting_samplers(), 0);
}

TEST(TableConcurrencyTest, EachItemOfAFifoIsHandedOutOnceWhileItIsSaved) {
  TableOptions options = ReplayTableOptions();
  options.config.mutable_sampler()->mutable_fifo();
  options.config.set_max_times_sampled(1);
  const auto table = *Table::Create(options);
  constexpr int64_t kSteps = 4000;
  std::vector<std::atomic<int>> times(2 * kSteps);
  std::atomic<int64_t> taken{0};
  std::vector<std::thread> threads;
  for (int w = 0; w < 2; ++w)
    threads.emplace_back([&, w] {
      const auto sink = *TableSink::Create(table.get(), kReplayRun, ReplaySpec(), 1 + w);
      for (int64_t t = 0; t < kSteps; t += 8) {
        v1::Rollout rollout = EmptyReplayRollout();
        AddSegment(&rollout, w, t, 8, v1::SEGMENT_END_CUT);
        ASSERT_TRUE(sink->Append(rollout).ok());
      }
    });
  // The sources are opened here: a reader that starts late may find the table closed by another.
  for (int r = 0; r < 3; ++r)
    threads.emplace_back([&, source = *TableSource::Create(table.get(), kReplayRun, ReplaySpec())] {
      while (true) {
        const auto batch = source->Sample({.items = 5});
        if (!batch.ok()) return;
        const absl::Span<const float> obs = batch->columns[0].As<float>();
        for (int64_t i = 0; i < 5; ++i)
          ++times[static_cast<int64_t>(obs[2 * i]) * kSteps + static_cast<int64_t>(obs[2 * i + 1])];
        if ((taken += 5) == 2 * kSteps) table->Close();
      }
    });
  for (int i = 0; i < 20; ++i)
    EXPECT_TRUE(table->Save([](absl::Span<const std::byte>) { return absl::OkStatus(); }).ok());
  for (std::thread& thread : threads) thread.join();
  for (const std::atomic<int>& count : times) ASSERT_EQ(count, 1);
}

}  // namespace
}  // namespace cadre
