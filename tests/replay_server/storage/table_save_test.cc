#include <algorithm>
#include <cstdint>
#include <cstring>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/status/status.h"
#include "absl/synchronization/notification.h"
#include "common/random.h"
#include "gmock/gmock.h"
#include "google/protobuf/text_format.h"
#include "gtest/gtest.h"
#include "replay_server/storage/table.h"
#include "tests/replay_server/replay_experience.h"

namespace cadre {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

std::string Saved(const Table& table) {
  std::string bytes;
  const absl::Status status = table.Save([&bytes](absl::Span<const std::byte> piece) {
    bytes.append(reinterpret_cast<const char*>(piece.data()), piece.size());
    return absl::OkStatus();
  });
  EXPECT_TRUE(status.ok()) << status;
  return bytes;
}

absl::Status RestoreFrom(const std::string& bytes, Table* table) {
  size_t position = 0;
  return table->Restore([&](absl::Span<std::byte> piece) {
    if (bytes.size() - position < piece.size()) return absl::DataLossError("the bytes end here");
    std::memcpy(piece.data(), bytes.data() + position, piece.size());
    position += piece.size();
    return absl::OkStatus();
  });
}

// One writer with two environments whose episodes go on across its rollouts, and a
// learner that samples and sets priorities: the same each time it is played.
class Training {
 public:
  explicit Training(Table* table, uint64_t last_sequence = 0, int played = 0)
      : table_(table), writer_(table, 5), sequence_(last_sequence), played_(played) {
    sampler_ = *table->OpenSampler(kReplayRun, ReplaySpec());
  }

  // What the learner has seen, to compare.
  std::string Play(int rollouts) {
    std::string seen;
    for (int end = played_ + rollouts; played_ < end; ++played_) {
      v1::Rollout rollout = EmptyReplayRollout();
      const int64_t t = played_ % 5 * 4;
      for (int e = 0; e < 2; ++e)
        AddSegment(&rollout, 2 * (played_ / 5) + e, t, 4,
                   t == 16 ? v1::SEGMENT_END_TERMINATED : v1::SEGMENT_END_CUT, e);
      if (t == 16) rollout.add_episodes()->set_length(played_);
      EXPECT_TRUE(writer_.Append(rollout, ++sequence_)->at(0).ok());
      if (table_->Info().items() == 0) continue;
      const ReplayBatch batch = *table_->Sample(sampler_, {.items = 3, .importance_exponent = 1});
      for (const TensorView& column : batch.columns)
        seen.append(reinterpret_cast<const char*>(column.bytes.data()), column.bytes.size());
      seen.append(reinterpret_cast<const char*>(batch.keys.data()), 8 * batch.keys.size());
      seen.append(reinterpret_cast<const char*>(batch.weights.data()), 4 * batch.weights.size());
      seen.append(std::to_string(batch.inserted_steps) + std::to_string(batch.table_mass));
      for (const v1::Episode& episode : batch.episodes) seen.append(episode.SerializeAsString());
      std::vector<float> priorities;
      for (int64_t i = 0; i < batch.items; ++i)
        priorities.push_back(static_cast<float>(1 + (played_ + i) % 7));
      EXPECT_TRUE(table_->UpdatePriorities(batch.keys, priorities).ok());
    }
    return seen;
  }
  uint64_t sequence() const { return sequence_; }
  int played() const { return played_; }

 private:
  Table* const table_;
  TestWriter writer_;
  uint64_t sampler_ = 0;
  uint64_t sequence_;
  int played_;
};

class TableSaveTest : public ::testing::TestWithParam<const char*> {
 protected:
  static TableOptions Options(const char* config) {
    TableOptions options = ReplayTableOptions();
    EXPECT_TRUE(google::protobuf::TextFormat::MergeFromString(config, &options.config));
    return options;
  }
};

TEST_P(TableSaveTest, ARestoredTableGoesOnExactlyAsTheOneThatWasSaved) {
  for (const int rollouts : {1, 7, 200}) {
    const auto table = *Table::Create(Options(GetParam()));
    Training run(table.get());
    run.Play(rollouts);
    const std::string saved = Saved(*table);
    const auto restored = *Table::Create(Options(GetParam()));
    ASSERT_EQ(RestoreFrom(saved, restored.get()), absl::OkStatus());
    v1::TableInfo before = table->Info(), after = restored->Info();
    for (v1::TableInfo* info : {&before, &after}) {
      info->clear_blocked_writers_seconds();
      info->clear_waiting_samplers_seconds();
    }
    EXPECT_EQ(after.DebugString(), before.DebugString());
    Training resumed(restored.get(), run.sequence(), run.played());
    EXPECT_EQ(resumed.Play(300), run.Play(300)) << "after " << rollouts;
  }
}

INSTANTIATE_TEST_SUITE_P(
    Tables, TableSaveTest,
    ::testing::Values(
        "capacity_items: 150", "capacity_items: 150 sampler { prioritized {} }",
        "capacity_items: 150 transitions { n_step: 6 } sampler { prioritized { alpha: 1 } }",
        "capacity_items: 60 sequences { length: 6 burn_in: 3 period: 2 }",
        "capacity_items: 150 sampler { max_heap {} } remover { uniform {} }",
        "capacity_items: 150 transitions { n_step: 3 } remover { min_heap {} }",
        "sampler { fifo {} } max_times_sampled: 2", "capacity_items: 90 sampler { lifo {} }",
        "rate_limiter { samples_per_insert: 0.375 error_buffer: 30 min_size: 5 }"));

// What a server gave away after its last checkpoint, and was lost with it, must not name
// what the next one puts in the same rows.
TEST(TableRestoreTest, KeysOfItemsThatWereLostNameNoNewOnes) {
  const auto inserted_after = [](uint32_t skipped_keys) {
    TableOptions options = ReplayTableOptions();
    options.config.mutable_sampler()->mutable_prioritized();
    const auto saved_table = *Table::Create(options);
    TestWriter(saved_table.get(), 1).Append(ReplayRollout(1, 3));
    const std::string saved = Saved(*saved_table);
    std::vector<uint64_t> keys[2];
    int64_t updated = 0;
    for (const bool lost : {true, false}) {
      options.skipped_keys = lost ? 0 : skipped_keys;
      const auto table = *Table::Create(options);
      EXPECT_EQ(RestoreFrom(saved, table.get()), absl::OkStatus());
      TestWriter(table.get(), 2).Append(ReplayRollout(2, 3));
      const uint64_t sampler = *table->OpenSampler(kReplayRun, ReplaySpec());
      const ReplayBatch batch = *table->Sample(sampler, {.items = 200});
      for (int64_t i = 0; i < batch.items; ++i)
        if (batch.columns[0].As<float>()[2 * i] == 2) keys[lost].push_back(batch.keys[i]);
      EXPECT_FALSE(keys[lost].empty());
      if (lost) continue;
      const std::vector<float> priorities(keys[true].size(), 5);
      EXPECT_TRUE(table->UpdatePriorities(keys[true], priorities).ok());
      updated = table->Info().updated_priorities();
    }
    return updated;
  };
  EXPECT_EQ(inserted_after(0x9000'0000), 0);
  EXPECT_GT(inserted_after(0), 0) << "or else this test shows nothing";
}

TEST(TableRestoreTest, WhatIsSavedTellsBeforeItIsRestoredWhoseItIs) {
  const auto table = *Table::Create(ReplayTableOptions());
  TestWriter(table.get(), 1).Append(ReplayRollout(1, 2));
  const std::string saved = Saved(*table);
  const auto check = [&](const TableOptions& options, size_t bytes) {
    size_t position = 0;
    return (*Table::Create(options))->CheckSaved([&](absl::Span<std::byte> piece) {
      if (bytes - position < piece.size()) return absl::DataLossError("the bytes end here");
      std::memcpy(piece.data(), saved.data() + position, piece.size());
      position += piece.size();
      return absl::OkStatus();
    });
  };
  TableOptions options = ReplayTableOptions();
  EXPECT_EQ(check(options, saved.size()), absl::OkStatus());
  EXPECT_EQ(check(options, 20).code(), absl::StatusCode::kDataLoss);
  options.run_id = "another";
  EXPECT_EQ(check(options, saved.size()).code(), absl::StatusCode::kFailedPrecondition);
  options = ReplayTableOptions();
  options.config.set_capacity_items(5);
  EXPECT_EQ(check(options, saved.size()).code(), absl::StatusCode::kFailedPrecondition);
}

TEST(TableRestoreTest, AnotherRateLimiterBeginsInBalance) {
  const auto table = *Table::Create(ReplayTableOptions());
  TestWriter(table.get(), 1).Append(ReplayRollout(1, 6));
  const int64_t items = table->Info().items();
  TableOptions options = ReplayTableOptions();
  RateLimiterConfig& limiter = *options.config.mutable_rate_limiter();
  limiter.set_samples_per_insert(4);
  limiter.set_min_size(2);
  limiter.set_error_buffer(40);
  const auto restored = *Table::Create(options);
  ASSERT_EQ(RestoreFrom(Saved(*table), restored.get()), absl::OkStatus());
  EXPECT_EQ(restored->Info().items(), items);
  EXPECT_EQ(restored->Info().inserted_items(), items);
  EXPECT_DOUBLE_EQ(restored->Info().observed_samples_per_insert(), 4);
}

TEST(TableRestoreTest, KnowsWhatEachWriterHasSent) {
  const auto table = *Table::Create(ReplayTableOptions());
  TestWriter first(table.get(), 1), second(table.get(), 2);
  for (int i = 0; i < 3; ++i) first.Append(ReplayRollout(1, 2));
  second.Append(ReplayRollout(2, 2));
  table->CloseWriter(second.stream());
  const auto restored = *Table::Create(ReplayTableOptions());
  ASSERT_EQ(RestoreFrom(Saved(*table), restored.get()), absl::OkStatus());
  const auto open = [&](uint64_t writer, uint64_t first_sequence) {
    return restored->OpenWriter(kReplayRun, writer, ReplaySpec(), first_sequence, [](uint64_t) {})
        ->settled_sequence;
  };
  EXPECT_EQ(open(1, 1), 3);
  EXPECT_EQ(open(2, 1), 1);
  TestWriter again(restored.get(), 1);
  EXPECT_TRUE(again.Append(ReplayRollout(1, 2), 3)->at(0).ok());
  EXPECT_EQ(restored->Info().duplicate_rollouts(), 1);
  EXPECT_EQ(open(1, 6), 5) << "4 and 5 were settled after the table was saved";
  EXPECT_EQ(restored->Info().lost_rollouts(), 2);
}

TEST(TableRestoreTest, AnUnusedTableIsSavedToo) {
  const auto table = *Table::Create(ReplayTableOptions());
  const auto restored = *Table::Create(ReplayTableOptions());
  ASSERT_EQ(RestoreFrom(Saved(*table), restored.get()), absl::OkStatus());
  TestWriter writer(restored.get(), 1);
  EXPECT_TRUE(writer.Append(ReplayRollout(1, 2))->at(0).ok());
}

TEST(TableRestoreTest, ItemsMayBeSampledAsOftenAsWasLeft) {
  TableOptions options = ReplayTableOptions();
  options.config.mutable_sampler()->mutable_fifo();
  options.config.set_max_times_sampled(2);
  const auto table = *Table::Create(options);
  TestWriter writer(table.get(), 1);
  writer.Append(ReplayRollout(1, 3));
  ASSERT_TRUE(table->Sample(*table->OpenSampler(kReplayRun, ReplaySpec()), {.items = 1}).ok());
  const auto restored = *Table::Create(options);
  ASSERT_EQ(RestoreFrom(Saved(*table), restored.get()), absl::OkStatus());
  const auto batch =
      restored->Sample(*restored->OpenSampler(kReplayRun, ReplaySpec()), {.items = 5});
  EXPECT_THAT(batch->columns[1].As<int32_t>(), ElementsAre(0, 1, 1, 2, 2));
  EXPECT_EQ(restored->Info().rows(), 0);
}

TEST(TableRestoreTest, RefusesAnotherConfigAndRunWithBoth) {
  const auto table = *Table::Create(ReplayTableOptions());
  TestWriter writer(table.get(), 1);
  const std::string saved = Saved(*table);
  TableOptions other = ReplayTableOptions();
  other.config.set_capacity_items(77);
  absl::Status status = RestoreFrom(saved, Table::Create(other)->get());
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(status.message()), HasSubstr("capacity_items: 77"));
  other = ReplayTableOptions();
  other.run_id = "run-2";
  status = RestoreFrom(saved, Table::Create(other)->get());
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(status.message()), HasSubstr("'run-1'; wanted 'run-2'"));
  EXPECT_EQ(RestoreFrom(saved, table.get()).code(), absl::StatusCode::kFailedPrecondition);
}

// Files are checksummed elsewhere; whatever gets past that must not crash the table.
TEST(TableRestoreTest, DamagedBytesAreRefusedOrHarmless) {
  TableOptions options = ReplayTableOptions();
  options.config.set_capacity_items(100);
  options.config.mutable_transitions()->set_n_step(3);
  const auto table = *Table::Create(options);
  Training run(table.get());
  run.Play(60);
  const std::string saved = Saved(*table);
  EXPECT_EQ(RestoreFrom(saved.substr(0, saved.size() - 1), Table::Create(options)->get()).code(),
            absl::StatusCode::kDataLoss);
  Random random(3);
  int refused = 0;
  for (int round = 0; round < 1500; ++round) {
    std::string damaged = saved;
    const size_t at = random.Below(damaged.size());
    damaged[at] = static_cast<char>(damaged[at] ^ 1 << random.Below(8));
    const auto restored = *Table::Create(options);
    if (!RestoreFrom(damaged, restored.get()).ok()) ++refused;
  }
  EXPECT_GT(refused, 300);
}

TEST(TableRestoreTest, SamplesGoOnAndInsertsWaitWhileItIsSaved) {
  TableOptions options = ReplayTableOptions();
  options.config.mutable_sampler()->mutable_prioritized()->set_alpha(1);
  const auto table = *Table::Create(options);
  TestWriter writer(table.get(), 1);
  writer.Append(ReplayRollout(1, 4));
  const uint64_t sampler = *table->OpenSampler(kReplayRun, ReplaySpec());
  TestWriter::Answer waiting;
  bool first = true;
  std::string bytes;
  const absl::Status status = table->Save([&](absl::Span<const std::byte> piece) {
    bytes.append(reinterpret_cast<const char*>(piece.data()), piece.size());
    if (!std::exchange(first, false)) return absl::OkStatus();
    waiting = writer.Append(ReplayRollout(2, 4));
    EXPECT_THAT(*waiting, IsEmpty());
    const ReplayBatch batch = *table->Sample(sampler, {.items = 1});
    const float nine = 9;
    return table->UpdatePriorities(batch.keys, {&nine, 1});
  });
  ASSERT_TRUE(status.ok()) << status;
  EXPECT_TRUE(waiting->at(0).ok());
  EXPECT_DOUBLE_EQ(table->Info().mass(), 12 + 9 * 4) << "the update came before the new items";
  const auto restored = *Table::Create(options);
  ASSERT_EQ(RestoreFrom(bytes, restored.get()), absl::OkStatus());
  EXPECT_EQ(restored->Info().items(), 4);
  EXPECT_DOUBLE_EQ(restored->Info().mass(), 4);
}

TEST(TableRestoreTest, AFailedSaveLeavesTheTableAsItWas) {
  const auto table = *Table::Create(ReplayTableOptions());
  TestWriter writer(table.get(), 1);
  writer.Append(ReplayRollout(1, 4));
  const absl::Status full = absl::ResourceExhaustedError("No space left on device");
  EXPECT_EQ(table->Save([&](absl::Span<const std::byte>) { return full; }), full);
  EXPECT_TRUE(writer.Append(ReplayRollout(2, 4))->at(0).ok());
  EXPECT_THAT(Saved(*table), Not(IsEmpty()));
}

TEST(TableSaveTest, AResetIsDoneAfterASaveThatIsUnderWayAndWaitsForNothing) {
  const auto table = *Table::Create(ReplayTableOptions());
  TestWriter(table.get(), 1).Append(ReplayRollout(1, 6));
  std::vector<absl::Status> resets;
  std::string saved;
  int pieces = 0;
  // On the thread that saves: a Reset that waited for it would wait for ever.
  ASSERT_TRUE(table
                  ->Save([&](absl::Span<const std::byte> piece) {
                    if (pieces++ == 0) {
                      table->Reset([&](absl::Status status) { resets.push_back(status); });
                      EXPECT_EQ(table->Info().items(), 6);
                    }
                    EXPECT_THAT(resets, IsEmpty());
                    saved.append(reinterpret_cast<const char*>(piece.data()), piece.size());
                    return absl::OkStatus();
                  })
                  .ok());
  EXPECT_THAT(resets, ElementsAre(absl::OkStatus()));
  EXPECT_EQ(table->Info().items(), 0);
  const auto restored = *Table::Create(ReplayTableOptions());
  ASSERT_EQ(RestoreFrom(saved, restored.get()), absl::OkStatus());
  EXPECT_EQ(restored->Info().items(), 6) << "as it was before the reset";
}

TEST(TableSaveTest, AResetThatWaitsIsCancelledIfTheTableCloses) {
  const auto table = *Table::Create(ReplayTableOptions());
  TestWriter(table.get(), 1).Append(ReplayRollout(1, 6));
  std::vector<absl::StatusCode> resets;
  const auto reset = [&] {
    table->Reset([&](const absl::Status& status) { resets.push_back(status.code()); });
  };
  ASSERT_TRUE(table
                  ->Save([&](absl::Span<const std::byte>) {
                    if (resets.empty()) reset();
                    table->Close();
                    return absl::OkStatus();
                  })
                  .ok());
  reset();
  EXPECT_THAT(resets, ElementsAre(absl::StatusCode::kCancelled, absl::StatusCode::kCancelled));
}

}  // namespace
}  // namespace cadre
