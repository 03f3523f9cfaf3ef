#include "replay_server/storage/row_storage.h"

#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <string>
#include <utility>
#include <vector>

#include "common/random.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "replay_server/storage/segment_table.h"
#include "replay_server/storage/table_capacity.h"
#include "tests/replay_server/replay_experience.h"

namespace cadre {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

// Bytes in pieces of random sizes.
PiecewiseBytes Cut(const std::string& bytes, Random& random) {
  PiecewiseBytes pieces;
  for (size_t at = 0; at < bytes.size();) {
    const size_t n = std::min<size_t>(random.Below(9), bytes.size() - at);
    pieces.push_back({reinterpret_cast<const std::byte*>(bytes.data()) + at, n});
    at += n;
  }
  return pieces;
}

TEST(RowStorageTest, SegmentsGoToTheirRowsWhateverPiecesTheyCameIn) {
  RowStorage storage = *RowStorage::Create(ReplaySpec(), 20, "");
  v1::Rollout rollout = EmptyReplayRollout();
  AddSegment(&rollout, 1, 0, 3, v1::SEGMENT_END_CUT);
  AddSegment(&rollout, 2, 0, 2, v1::SEGMENT_END_CUT);
  // The first in rows 18, 19, 0, 1; the second in rows 7, 5, 6.
  const std::vector<SegmentRows> segments = {{3, {{18, 2}, {0, 2}}}, {2, {{7, 1}, {5, 2}}}};
  Random random(4);
  std::vector<PiecewiseBytes> columns;
  for (const std::string& column : rollout.columns()) columns.push_back(Cut(column, random));
  storage.Write(columns, segments);
  const auto obs = [&](uint32_t row) {
    const auto* values = reinterpret_cast<const float*>(storage.columns()[0].row(row));
    return std::make_pair(values[0], values[1]);
  };
  const std::vector<uint32_t> first = {18, 19, 0, 1}, second = {7, 5, 6};
  for (int t = 0; t < 4; ++t) EXPECT_EQ(obs(first[t]), std::make_pair(1.0f, float(t)));
  for (int t = 0; t < 3; ++t) EXPECT_EQ(obs(second[t]), std::make_pair(2.0f, float(t)));
  const auto* rewards = reinterpret_cast<const float*>(storage.columns()[2].data);
  for (int t = 0; t < 3; ++t) EXPECT_EQ(rewards[first[t]], ReplayReward(1, t));
  for (int t = 0; t < 2; ++t) EXPECT_EQ(rewards[second[t]], ReplayReward(2, t));
  EXPECT_EQ(rewards[1], 0) << "the last row has an observation alone";
}

class MappedMemoryTest : public ::testing::Test {
 protected:
  MappedMemoryTest()
      : path_(std::filesystem::path(::testing::TempDir()) / ("rows-" + std::to_string(getpid()))) {}
  ~MappedMemoryTest() override { std::filesystem::remove(path_); }

  const std::filesystem::path path_;
};

TEST_F(MappedMemoryTest, AFileIsTakenWholeAndGoesWithItsMapping) {
  std::ofstream(path_) << "of an earlier run";
  {
    const MappedMemory memory = *MappedMemory::OfFile(path_, 100'000);
    EXPECT_EQ(std::filesystem::file_size(path_), 100'000);
    EXPECT_EQ(memory.data()[0], std::byte{0});
    memory.data()[99'999] = std::byte{7};
    // A file is locked by whoever opened it, of this process too.
    EXPECT_EQ(MappedMemory::OfFile(path_, 100'000).status().code(),
              absl::StatusCode::kFailedPrecondition);
    EXPECT_EQ(std::filesystem::file_size(path_), 100'000) << "and stays as it is";
  }
  EXPECT_FALSE(std::filesystem::exists(path_));
}

TEST_F(MappedMemoryTest, WhatTheSystemHasNotIsAnError) {
  const absl::Status disk = MappedMemory::OfFile(path_, size_t{1} << 60).status();
  EXPECT_EQ(disk.code(), absl::StatusCode::kResourceExhausted) << disk;
  EXPECT_THAT(std::string(disk.message()), HasSubstr(path_.string()));
  EXPECT_EQ(MappedMemory::Anonymous(size_t{1} << 60).status().code(),
            absl::StatusCode::kResourceExhausted);
  EXPECT_FALSE(MappedMemory::OfFile("/no/such/folder/rows", 10).ok());
}

TEST(TableRowsTest, ColumnsAndBookkeepingFitTheBudget) {
  TableConfig config;
  config.set_capacity_bytes(10'000'000);
  const int64_t rows = *TableRows(config, ReplaySpec());
  EXPECT_GT(rows, 100'000);
  config.mutable_sampler()->mutable_prioritized();
  EXPECT_LT(*TableRows(config, ReplaySpec()), rows);
  config.set_capacity_items(10);
  EXPECT_LT(*TableRows(config, ReplaySpec()), 20'000);
  config.set_capacity_bytes(100);
  EXPECT_EQ(TableRows(config, ReplaySpec()).status().code(), absl::StatusCode::kResourceExhausted);
}

class SegmentTableTest : public ::testing::Test {
 protected:
  uint32_t Take(uint32_t length) {
    rows_ = {};
    return table_.Take(length, &rows_);
  }
  std::vector<std::pair<uint32_t, uint32_t>> Runs() const {
    std::vector<std::pair<uint32_t, uint32_t>> runs;
    for (const RowRun& run : rows_.runs) runs.emplace_back(run.first, run.count);
    return runs;
  }

  SegmentTable table_ = *SegmentTable::Create(10);
  SegmentRows rows_;
};

TEST_F(SegmentTableTest, RowsAreARingWhereTheOldestGoFirst) {
  const uint32_t first = Take(3);
  EXPECT_THAT(Runs(), ElementsAre(std::make_pair(0, 4)));
  const uint32_t second = Take(4);
  EXPECT_THAT(Runs(), ElementsAre(std::make_pair(4, 5)));
  table_.Free(first);
  EXPECT_EQ(table_.free_rows(), 5);
  const uint32_t third = Take(2);
  table_.Free(second);
  Take(4);
  EXPECT_EQ(table_.row(table_.segment(third).first_row).segment, third);
  EXPECT_EQ(table_.used_rows(), 8);
}

TEST_F(SegmentTableTest, RowsThatAGatherMayReadAreNotTaken) {
  const uint32_t first = Take(4);
  const uint32_t second = Take(4);
  const uint64_t early = table_.BeginGather();
  table_.Free(first);
  const uint64_t late = table_.BeginGather();
  EXPECT_EQ(table_.free_rows(), 5);
  EXPECT_EQ(table_.takable_rows(), 0);
  table_.Free(second);
  table_.EndGather(early);
  EXPECT_EQ(table_.takable_rows(), 5) << "the late one began after the first had gone";
  table_.EndGather(late);
  EXPECT_EQ(table_.takable_rows(), 10);
}

TEST_F(SegmentTableTest, WalksOverCutsAndStopsWhereNothingLeadsOn) {
  const uint32_t first = Take(2);
  const uint32_t second = Take(3);
  table_.Link(first, second);
  table_.row(6).is_terminal = 0;
  std::vector<RowRun> runs;
  const Window window = table_.Walk(1, 3, &runs);
  EXPECT_EQ(window.steps, 3);
  EXPECT_EQ(window.last_row, 5);
  ASSERT_EQ(runs.size(), 2);
  EXPECT_EQ(runs[1].first, 3);
  EXPECT_EQ(runs[1].count, 2);
  EXPECT_EQ(table_.Walk(0, 9, nullptr).steps, 5);
  EXPECT_EQ(table_.Walk(1, 1, nullptr).last_row, 2) << "the cut's own observation";
  table_.Free(second);
  EXPECT_EQ(table_.Walk(0, 9, nullptr).steps, 2);
  EXPECT_EQ(table_.Ahead(0, 1), 1);
  EXPECT_EQ(table_.Ahead(0, 2), kNone);
}

}  // namespace
}  // namespace cadre
