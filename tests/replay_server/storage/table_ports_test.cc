#include "replay_server/storage/table_ports.h"

#include <cstdint>
#include <memory>
#include <thread>

#include "absl/status/status.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "replay_server/storage/table.h"
#include "tests/replay_server/replay_experience.h"

namespace cadre {
namespace {

using ::testing::HasSubstr;

std::unique_ptr<Table> MakeTable(double samples_per_insert = 0) {
  TableOptions options = ReplayTableOptions();
  options.config.mutable_rate_limiter()->set_samples_per_insert(samples_per_insert);
  options.config.mutable_rate_limiter()->set_error_buffer(10);
  return *Table::Create(options);
}

TEST(TablePortsTest, WhatASinkTakesASourceGives) {
  const auto table = MakeTable();
  const auto sink = *TableSink::Create(table.get(), kReplayRun, ReplaySpec(), 1);
  const auto source = *TableSource::Create(table.get(), kReplayRun, ReplaySpec());
  ASSERT_TRUE(sink->Append(ReplayRollout(3, 1)).ok());
  const ReplayBatch batch = *source->Sample({.items = 2});
  EXPECT_THAT(batch.columns[0].As<float>(), ::testing::ElementsAre(3, 0, 3, 0));
  const float two = 2;
  EXPECT_TRUE(source->UpdatePriorities({batch.keys.data(), 1}, {&two, 1}).ok());
  EXPECT_EQ(table->Info().updated_priorities(), 1);
}

TEST(TablePortsTest, ARefusedRolloutDoesNotHoldUpTheNext) {
  const auto table = MakeTable();
  const auto sink = *TableSink::Create(table.get(), kReplayRun, ReplaySpec(), 1);
  v1::Rollout bad = ReplayRollout(1, 2);
  bad.mutable_columns(1)->pop_back();
  const absl::Status refused = sink->Append(bad);
  EXPECT_EQ(refused.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(refused.message()), HasSubstr("column 'action' has 7 bytes"));
  EXPECT_TRUE(sink->Append(ReplayRollout(1, 2)).ok());
  EXPECT_EQ(table->Info().items(), 2);
}

TEST(TablePortsTest, ASinkGoesOnWhereTheWriterOfItsIdEnded) {
  const auto table = MakeTable();
  ASSERT_TRUE((*TableSink::Create(table.get(), kReplayRun, ReplaySpec(), 1))
                  ->Append(ReplayRollout(1, 2))
                  .ok());
  const auto sink = *TableSink::Create(table.get(), kReplayRun, ReplaySpec(), 1);
  ASSERT_TRUE(sink->Append(ReplayRollout(2, 2)).ok());
  EXPECT_EQ(table->Info().items(), 4);
}

TEST(TablePortsTest, CloseEndsAnAppendThatWaits) {
  const auto table = MakeTable(/*samples_per_insert=*/1);
  const auto sink = *TableSink::Create(table.get(), kReplayRun, ReplaySpec(), 1);
  ASSERT_TRUE(sink->Append(ReplayRollout(1, 10)).ok());
  absl::Status end;
  std::thread actor([&] { end = sink->Append(ReplayRollout(2, 10)); });
  sink->Close();
  actor.join();
  EXPECT_EQ(end.code(), absl::StatusCode::kCancelled);
}

TEST(TablePortsTest, CloseEndsASampleThatWaits) {
  const auto table = MakeTable();
  const auto source = *TableSource::Create(table.get(), kReplayRun, ReplaySpec());
  absl::Status end;
  std::thread learner([&] { end = source->Sample({.items = 1}).status(); });
  source->Close();
  learner.join();
  EXPECT_EQ(end.code(), absl::StatusCode::kCancelled);
}

TEST(TablePortsTest, BatchesOutliveTheTable) {
  ReplayBatch batch;
  {
    const auto table = MakeTable();
    const auto sink = *TableSink::Create(table.get(), kReplayRun, ReplaySpec(), 1);
    const auto source = *TableSource::Create(table.get(), kReplayRun, ReplaySpec());
    ASSERT_TRUE(sink->Append(ReplayRollout(3, 1)).ok());
    batch = *source->Sample({.items = 1});
  }
  EXPECT_EQ(batch.columns[2].As<float>()[0], ReplayReward(3, 0));
}

}  // namespace
}  // namespace cadre
