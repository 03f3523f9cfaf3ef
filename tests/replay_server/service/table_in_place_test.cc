// Large rows that are sent from where they stand.
#include <algorithm>
#include <atomic>
#include <cstring>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/time/clock.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "replay_server/storage/row_pins.h"
#include "replay_server/storage/table.h"
#include "tests/replay_server/service/table_streams.h"

namespace cadre {
namespace {

using ::testing::IsEmpty;

constexpr int64_t kRowBytes = 20'000;
constexpr int64_t kLength = 4;  // Steps of an episode.

v1::ExperienceSpec LargeSpec() {
  v1::ExperienceSpec spec;
  v1::ColumnSpec* obs = spec.add_columns();
  obs->set_name("obs");
  obs->set_dtype(v1::DTYPE_UINT8);
  obs->add_shape(kRowBytes);
  obs->set_per_observation(true);
  v1::ColumnSpec* reward = spec.add_columns();
  reward->set_name("reward");
  reward->set_dtype(v1::DTYPE_FLOAT32);
  return spec;
}

// Every byte of observation t of the n-th is 16 n + t.
std::shared_ptr<v1::Rollout> LargeEpisode(uint64_t writer, uint64_t n) {
  auto rollout = std::make_shared<v1::Rollout>();
  rollout->set_run_id(kRun);
  rollout->set_writer_id(writer);
  rollout->set_sequence(n);
  v1::Segment* segment = rollout->add_segments();
  segment->set_length(kLength);
  segment->set_end(v1::SEGMENT_END_TERMINATED);
  std::string obs;
  for (int64_t t = 0; t <= kLength; ++t)
    obs += std::string(kRowBytes, static_cast<char>(16 * n + static_cast<uint64_t>(t)));
  rollout->add_columns(obs);
  rollout->add_columns(std::string(kLength * sizeof(float), 'r'));
  return rollout;
}

TableOptions LargeTable(int64_t episodes) {
  TableOptions options;
  options.run_id = kRun;
  options.config.set_name("replay");
  options.config.set_capacity_bytes(episodes * (kLength + 1) * (kRowBytes + 500));
  return options;
}

class TableInPlaceTest : public ::testing::Test {
 protected:
  void Make(TableOptions options) {
    table_ = *Table::Create(std::move(options));
    stream_ = table_->OpenWriter(kRun, 7, LargeSpec(), 0, [](uint64_t) {})->id;
    sampler_ = *table_->OpenSampler(kRun, LargeSpec(), [this] { overdue_ = true; });
  }
  // Whether it went in at once.
  std::shared_ptr<std::atomic<bool>> Append() {
    auto done = std::make_shared<std::atomic<bool>>(false);
    table_->Append(stream_, ViewOf(LargeEpisode(7, ++sequence_)),
                   [done](absl::Status status) { *done = status.ok(); });
    return done;
  }
  BatchInPlace Sample(int64_t items) { return *table_->SampleInPlace(sampler_, {.items = items}); }
  // Until there is no more room.
  void Fill() {
    do {
      ASSERT_TRUE(*Append());
    } while (table_->Info().removed_items() == 0);
  }

  std::unique_ptr<Table> table_;
  uint64_t stream_ = 0, sampler_ = 0, sequence_ = 0;
  std::atomic<bool> overdue_ = false;
};

void CheckItems(const BatchInPlace& sampled) {
  ASSERT_EQ(sampled.rows.size(), 4u);  // obs, reward, next_obs, discount.
  EXPECT_THAT(sampled.rows[1], IsEmpty());
  EXPECT_THAT(sampled.rows[3], IsEmpty());
  EXPECT_EQ(sampled.batch.columns[1].bytes.size(), sampled.batch.items * sizeof(float));
  for (const size_t column : {0, 2}) {
    EXPECT_TRUE(sampled.batch.columns[column].bytes.empty());
    ASSERT_EQ(sampled.rows[column].size(), static_cast<size_t>(sampled.batch.items));
  }
  for (int64_t i = 0; i < sampled.batch.items; ++i) {
    const absl::Span<const std::byte> obs = sampled.rows[0][i], next = sampled.rows[2][i];
    ASSERT_EQ(obs.size(), kRowBytes);
    EXPECT_EQ(static_cast<int>(next[0]), static_cast<int>(obs[0]) + 1);
    for (const absl::Span<const std::byte> row : {obs, next})
      EXPECT_EQ(std::count(row.begin(), row.end(), row[0]), kRowBytes);
  }
}

TEST_F(TableInPlaceTest, LargeRowsAreWhatTheItemsAre) {
  Make(LargeTable(8));
  ASSERT_TRUE(*Append());
  ASSERT_TRUE(*Append());
  CheckItems(Sample(50));
}

TEST_F(TableInPlaceTest, SmallBatchesAndSmallRowsAreGathered) {
  Make(LargeTable(8));
  ASSERT_TRUE(*Append());
  EXPECT_THAT(table_->SampleInPlace(sampler_, {.items = 0})->rows, IsEmpty());
  EXPECT_THAT(table_->SampleInPlace(sampler_, {.items = 3, .min_inserted_steps = 1})->rows,
              IsEmpty())
      << "in lockstep nothing may depend on when a batch is sent";
  const absl::StatusOr<ReplayBatch> gathered = table_->Sample(sampler_, {.items = 3});
  EXPECT_EQ(gathered->columns[0].bytes.size(), 3 * kRowBytes);
}

TEST_F(TableInPlaceTest, RowsStayUntilTheBatchIsGoneAndThenAreWrittenOver) {
  Make(LargeTable(4));
  Fill();
  auto sampled = std::make_unique<BatchInPlace>(Sample(20));
  const auto waits = Append();
  EXPECT_FALSE(*waits);
  CheckItems(*sampled);
  sampled.reset();
  EXPECT_TRUE(Eventually([&] { return waits->load(); }));
  EXPECT_FALSE(overdue_);
}

TEST_F(TableInPlaceTest, WhereInsertsHadToWaitRowsAreCopiedForAWhile) {
  Make(LargeTable(4));
  Fill();
  auto sampled = std::make_unique<BatchInPlace>(Sample(20));
  ASSERT_THAT(sampled->rows, ::testing::SizeIs(4));
  const auto waits = Append();
  EXPECT_THAT(Sample(20).rows, IsEmpty());
  sampled.reset();
  ASSERT_TRUE(Eventually([&] { return waits->load(); }));
  for (int i = 0; i < 64; ++i) ASSERT_THAT(Sample(1).rows, IsEmpty()) << i;
  EXPECT_THAT(Sample(1).rows, ::testing::SizeIs(4));
}

TEST_F(TableInPlaceTest, WhoHoldsRowsForTooLongIsTold) {
  Make(LargeTable(4));
  Fill();
  const BatchInPlace sampled = Sample(20);
  const absl::Time start = absl::Now();
  const auto waits = Append();
  EXPECT_TRUE(Eventually([&] { return overdue_.load(); }));
  EXPECT_GE(absl::Now() - start, RowPins::kLongestWait);
  EXPECT_FALSE(*waits);
}

TEST_F(TableInPlaceTest, ABatchOutlivesItsTable) {
  Make(LargeTable(4));
  Fill();
  const BatchInPlace sampled = Sample(20);
  table_.reset();
  CheckItems(sampled);
}

TEST_F(TableInPlaceTest, AFileIsNotSentFrom) {
  TableOptions options = LargeTable(4);
  options.storage_path = ::testing::TempDir() + "/table_in_place_test.rows";
  Make(std::move(options));
  ASSERT_TRUE(*Append());
  EXPECT_THAT(Sample(3).rows, IsEmpty());
}

// --- Over the network ---

class LargeRowStreamsTest : public TableStreamsTest {
 protected:
  std::unique_ptr<Sampler> OpenSampler() {
    v1::SampleOpen open = SampleOpen();
    *open.mutable_spec() = LargeSpec();
    auto sampler = Sample(open);
    EXPECT_TRUE(sampler->stream->Read(&sampler->response));
    return sampler;
  }
  void OpenWriter() {
    v1::AppendOpen open = AppendOpen(7);
    *open.mutable_spec() = LargeSpec();
    writer_ = Append(open);
    ASSERT_TRUE(writer_->stream->Read(&writer_->response));
  }
  // So many more episodes, all of them settled.
  void Insert(int episodes) {
    for (int i = 0; i < episodes; ++i) ASSERT_TRUE(writer_->Send(*LargeEpisode(7, ++sequence_)));
    while (writer_->response.settled_sequence() < sequence_)
      ASSERT_TRUE(writer_->stream->Read(&writer_->response));
  }

  std::unique_ptr<Appender> writer_;
  uint64_t sequence_ = 0;
};

TEST_F(LargeRowStreamsTest, ABatchHasTheRowsOfItsItemsAfterAnother) {
  Serve(LargeTable(8));
  OpenWriter();
  Insert(3);
  auto sampler = OpenSampler();
  for (int batch = 0; batch < 20; ++batch) {
    sampler->Want({16});
    const v1::SampleBatch got = sampler->Next();
    ASSERT_EQ(got.columns(0).size(), 16 * kRowBytes);
    ASSERT_EQ(got.columns(2).size(), 16 * kRowBytes);
    for (int i = 0; i < 16; ++i) {
      const std::string obs = got.columns(0).substr(i * kRowBytes, kRowBytes);
      ASSERT_EQ(obs, std::string(kRowBytes, obs[0]));
      ASSERT_EQ(got.columns(2).substr(i * kRowBytes, kRowBytes),
                std::string(kRowBytes, static_cast<char>(obs[0] + 1)));
    }
  }
  sampler->stream->WritesDone();
  EXPECT_TRUE(sampler->End().ok());
}

TEST_F(LargeRowStreamsTest, ALearnerThatDoesNotReadCannotHoldTheWritersUp) {
  Serve(LargeTable(8));
  OpenWriter();
  Insert(10);
  ASSERT_GT(Info().removed_items(), 0);
  auto sampler = OpenSampler();
  // More than the network holds, so that rows of the last ones are still to be sent.
  sampler->Want(std::vector<int32_t>(16, 200));
  ASSERT_TRUE(Eventually([&] { return Info().sampled_batches() >= 3; }));
  Insert(20);
  EXPECT_FALSE(sampler->End().ok()) << "its stream was cut off";
  // It may come back.
  auto again = OpenSampler();
  again->Want({4});
  EXPECT_EQ(again->Next().keys_size(), 4);
  again->stream->WritesDone();
  EXPECT_TRUE(again->End().ok());
  writer_->stream->WritesDone();
  EXPECT_TRUE(writer_->End().ok());
}

}  // namespace
}  // namespace cadre
