#include "replay_server/storage/table.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <map>
#include <set>
#include <thread>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/replay_server/replay_experience.h"

namespace cadre {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

constexpr auto kCut = v1::SEGMENT_END_CUT;
constexpr auto kTerminated = v1::SEGMENT_END_TERMINATED;
constexpr auto kTruncated = v1::SEGMENT_END_TRUNCATED;

class TableTest : public ::testing::Test {
 protected:
  void Make(const TableOptions& options = ReplayTableOptions()) {
    writer_.reset();
    table_ = *Table::Create(options);
    writer_ = std::make_unique<TestWriter>(table_.get(), 7);
    sampler_ = *table_->OpenSampler(kReplayRun, ReplaySpec());
  }

  absl::StatusOr<ReplayBatch> Sample(int64_t items, double exponent = 0) {
    return table_->Sample(sampler_, {.items = items, .importance_exponent = exponent});
  }
  // Steps of the items that are in the table, as (episode, step): found by sampling.
  std::set<std::pair<int, int>> Items() {
    std::set<std::pair<int, int>> items;
    const ReplayBatch batch = *Sample(64 * table_->Info().items());
    const absl::Span<const float> obs = batch.columns[0].As<float>();
    for (int64_t i = 0; i < batch.items; ++i)
      items.insert({static_cast<int>(obs[2 * i]), static_cast<int>(obs[2 * i + 1])});
    return items;
  }
  std::set<int> Episodes() {
    std::set<int> episodes;
    for (const auto& [episode, step] : Items()) episodes.insert(episode);
    return episodes;
  }

  std::unique_ptr<Table> table_;
  std::unique_ptr<TestWriter> writer_;
  uint64_t sampler_ = 0;
};

bool IsOk(const TestWriter::Answer& answer) { return answer->size() == 1 && answer->front().ok(); }

TEST_F(TableTest, EveryStepIsAnItemWithItsNextObservationAndDiscount) {
  Make();
  v1::Rollout rollout = EmptyReplayRollout();
  AddSegment(&rollout, 1, 0, 3, kTerminated);
  AddSegment(&rollout, 2, 5, 4, kTruncated);
  AddSegment(&rollout, 3, 9, 2, kCut);
  ASSERT_TRUE(IsOk(writer_->Append(rollout)));
  EXPECT_EQ(table_->Info().items(), 9);
  EXPECT_EQ(table_->Info().rows(), 12);
  std::set<std::pair<float, float>> seen;
  const ReplayBatch batch = *Sample(500);
  const absl::Span<const float> obs = batch.columns[0].As<float>();
  const absl::Span<const int32_t> action = batch.columns[1].As<int32_t>();
  const absl::Span<const float> reward = batch.columns[2].As<float>();
  const absl::Span<const float> next = batch.columns[3].As<float>();
  const absl::Span<const float> discount = batch.columns[4].As<float>();
  for (int64_t i = 0; i < batch.items; ++i) {
    const float episode = obs[2 * i], step = obs[2 * i + 1];
    seen.insert({episode, step});
    EXPECT_EQ(action[i], step);
    EXPECT_EQ(reward[i], ReplayReward(static_cast<int>(episode), static_cast<int64_t>(step)));
    EXPECT_EQ(next[2 * i], episode);
    EXPECT_EQ(next[2 * i + 1], step + 1);
    EXPECT_EQ(discount[i], episode == 1 && step == 2 ? 0.0f : 0.99f);
    EXPECT_FLOAT_EQ(batch.probabilities[i], 1.0f / 9);
    EXPECT_EQ(batch.weights[i], 1);
    const int64_t first = episode == 1 ? 0 : episode == 2 ? 3 - 5 : 7 - 9;
    EXPECT_EQ(batch.ages[i], 8 - (first + static_cast<int64_t>(step)));
  }
  EXPECT_THAT(seen, SizeIs(9));
  EXPECT_EQ(batch.table_items, 9);
  EXPECT_EQ(batch.inserted_steps, 9);
}

TEST_F(TableTest, OldestSegmentsMakeRoomAndBytesStayConstant) {
  TableOptions options = ReplayTableOptions();
  options.config.set_capacity_bytes(100'000);
  Make(options);
  const v1::TableInfo before = table_->Info();
  EXPECT_LE(before.allocated_bytes(), 100'000);
  EXPECT_GT(before.allocated_bytes(), 80'000);
  const int64_t rollouts = before.capacity_rows() / 10 + 5;
  for (int episode = 1; episode <= rollouts; ++episode)
    ASSERT_TRUE(IsOk(writer_->Append(ReplayRollout(episode, 9))));
  const v1::TableInfo after = table_->Info();
  EXPECT_EQ(after.allocated_bytes(), before.allocated_bytes());
  EXPECT_EQ(after.rows(), before.capacity_rows() / 10 * 10);
  EXPECT_EQ(after.items() + after.removed_items(), 9 * rollouts);
  const std::set<int> episodes = Episodes();
  EXPECT_EQ(*episodes.begin(), rollouts - before.capacity_rows() / 10 + 1);
  EXPECT_EQ(*episodes.rbegin(), rollouts);
}

TEST_F(TableTest, CapacityItemsIsHeldExactly) {
  TableOptions options = ReplayTableOptions();
  options.config.set_capacity_items(100);
  Make(options);
  for (int episode = 1; episode <= 40; ++episode) {
    ASSERT_TRUE(IsOk(writer_->Append(ReplayRollout(episode, 7))));
    EXPECT_EQ(table_->Info().items(), std::min(7 * episode, 100));
  }
  const std::set<std::pair<int, int>> items = Items();
  EXPECT_THAT(items, SizeIs(100));
  EXPECT_EQ(*items.begin(), std::make_pair(26, 5)) << "the newest hundred of 280";
}

TEST_F(TableTest, ReturnsDuplicatesGapsAndRefusalsAsTheyAre) {
  Make();
  EXPECT_TRUE(IsOk(writer_->Append(ReplayRollout(1, 3), 1)));
  EXPECT_TRUE(IsOk(writer_->Append(ReplayRollout(1, 3), 1)));
  EXPECT_THAT(writer_->Append(ReplayRollout(1, 3), 3)->front().message(), HasSubstr("wanted 2"));
  v1::Rollout bad = ReplayRollout(1, 3);
  for (float priority : {1.0f, -1.0f, 1.0f}) bad.add_priorities(priority);
  const absl::Status refused = writer_->Append(bad, 2)->front();
  EXPECT_EQ(refused.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(refused.message()), HasSubstr("priority of step 1 is -1"));
  EXPECT_TRUE(IsOk(writer_->Append(ReplayRollout(2, 3), 3)));
  const v1::TableInfo info = table_->Info();
  EXPECT_EQ(info.items(), 6);
  EXPECT_EQ(info.inserted_rollouts(), 2);
  EXPECT_EQ(info.duplicate_rollouts(), 1);
  EXPECT_EQ(info.refused_rollouts(), 1);
  EXPECT_THAT(writer_->settled(), ElementsAre(1, 2, 3));
}

TEST_F(TableTest, RefusesWhatCouldNeverFit) {
  TableOptions options = ReplayTableOptions();
  options.config.set_capacity_items(10);
  Make(options);
  EXPECT_THAT(std::string(writer_->Append(ReplayRollout(1, 11))->front().message()),
              HasSubstr("makes 11 items"));
  options.config.clear_capacity_items();
  options.config.set_capacity_bytes(50'000);
  Make(options);
  const int64_t rows = table_->Info().capacity_rows();
  EXPECT_EQ(writer_->Append(ReplayRollout(1, rows))->front().code(),
            absl::StatusCode::kInvalidArgument);
  EXPECT_TRUE(IsOk(writer_->Append(ReplayRollout(1, rows - 1))));
  EXPECT_EQ(table_->Info().items(), rows - 1);
  options.config.mutable_rate_limiter()->set_samples_per_insert(4);
  options.config.mutable_rate_limiter()->set_error_buffer(8);
  Make(options);
  EXPECT_THAT(std::string(writer_->Append(ReplayRollout(1, 3))->front().message()),
              HasSubstr("error_buffer"));
  EXPECT_EQ(Sample(9).status().code(), absl::StatusCode::kInvalidArgument);
}

TEST_F(TableTest, RefusesActorsAndEnvironmentsBelowZero) {
  Make();
  v1::Rollout rollout = ReplayRollout(1, 3);
  rollout.set_actor(-1);
  EXPECT_THAT(*writer_->Append(rollout),
              ElementsAre(absl::InvalidArgumentError("rollout has actor -1; wanted 0 or more")));
  rollout = ReplayRollout(1, 3, kCut, /*environment=*/-1);
  EXPECT_THAT(
      *writer_->Append(rollout),
      ElementsAre(absl::InvalidArgumentError("segment 0 has environment -1; wanted 0 or more")));
  EXPECT_EQ(table_->Info().refused_rollouts(), 2);
  EXPECT_TRUE(IsOk(writer_->Append(ReplayRollout(1, 3))));
}

TEST_F(TableTest, RefusesAnEnvironmentThatTheWriterDoesNotHave) {
  Make();
  v1::ExperienceSpec spec = ReplaySpec();
  v1::AgreedSetting& setting = *spec.add_agreed();
  setting.set_field("actors.environments_per_actor");
  setting.set_value("3");
  TestWriter writer(table_.get(), 8, spec);
  EXPECT_THAT(*writer.Append(ReplayRollout(1, 3, kCut, /*environment=*/3)),
              ElementsAre(absl::InvalidArgumentError(
                  "a segment has environment 3; wanted less than actors.environments_per_actor, "
                  "3")));
  EXPECT_TRUE(IsOk(writer.Append(ReplayRollout(1, 3, kCut, /*environment=*/2))));
  EXPECT_TRUE(IsOk(writer_->Append(ReplayRollout(1, 3, kCut, /*environment=*/3))))
      << "it did not say how many it has";
}

TEST_F(TableTest, RefusesABudgetThatHoldsNothing) {
  TableOptions options = ReplayTableOptions();
  options.config.set_capacity_bytes(20'000);
  options.config.mutable_rate_limiter()->set_min_size(1000);
  const auto table = *Table::Create(options);
  const absl::Status status = table->OpenSampler(kReplayRun, ReplaySpec()).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_THAT(std::string(status.message()), HasSubstr("capacity_bytes is 20000"));
}

TEST_F(TableTest, RefusesOtherRunsAndSpecsWithBoth) {
  Make();
  v1::ExperienceSpec other = ReplaySpec();
  other.mutable_columns(1)->set_dtype(v1::DTYPE_INT64);
  EXPECT_THAT(std::string(table_->OpenSampler(kReplayRun, other).status().message()),
              HasSubstr("action int64[]"));
  EXPECT_THAT(std::string(table_->OpenSampler("run-2", ReplaySpec()).status().message()),
              HasSubstr("got run id 'run-2'; wanted 'run-1'"));
}

TEST_F(TableTest, LimiterParksAppendsUntilSamplesCome) {
  TableOptions options = ReplayTableOptions();
  RateLimiterConfig& limiter = *options.config.mutable_rate_limiter();
  limiter.set_samples_per_insert(2);
  limiter.set_min_size(10);
  limiter.set_error_buffer(20);
  Make(options);
  EXPECT_TRUE(IsOk(writer_->Append(ReplayRollout(1, 10))));
  EXPECT_TRUE(IsOk(writer_->Append(ReplayRollout(2, 10))));
  const TestWriter::Answer parked = writer_->Append(ReplayRollout(3, 10));
  EXPECT_THAT(*parked, IsEmpty());
  EXPECT_EQ(table_->Info().blocked_writers(), 1);
  EXPECT_EQ(table_->Info().limiter(), v1::LIMITER_STATE_WAITS_FOR_SAMPLES);
  ASSERT_TRUE(Sample(19).ok());
  EXPECT_THAT(*parked, IsEmpty());
  ASSERT_TRUE(Sample(1).ok());
  EXPECT_TRUE(IsOk(parked));
  EXPECT_EQ(table_->Info().items(), 30);
  EXPECT_EQ(table_->Info().blocked_writers(), 0);
}

TEST_F(TableTest, SampleWaitsForTheMinimumSizeAndSteps) {
  TableOptions options = ReplayTableOptions();
  options.config.mutable_rate_limiter()->set_min_size(10);
  Make(options);
  int64_t steps_when_sampled = 0;
  std::thread learner([&] {
    steps_when_sampled =
        table_->Sample(sampler_, {.items = 4, .min_inserted_steps = 15})->inserted_steps;
  });
  for (int episode = 1; episode <= 4; ++episode) writer_->Append(ReplayRollout(episode, 5));
  learner.join();
  EXPECT_GE(steps_when_sampled, 15);
}

TEST_F(TableTest, CloseEndsWhatWaits) {
  TableOptions options = ReplayTableOptions();
  RateLimiterConfig& limiter = *options.config.mutable_rate_limiter();
  limiter.set_samples_per_insert(1);
  limiter.set_min_size(1);
  limiter.set_error_buffer(10);
  Make(options);
  const uint64_t other = *table_->OpenSampler(kReplayRun, ReplaySpec());
  std::vector<absl::Status> ends(2);
  std::thread first([&] { ends[0] = Sample(10).status(); });
  std::thread second([&] { ends[1] = table_->Sample(other, {.items = 10}).status(); });
  table_->CloseSampler(sampler_);
  first.join();
  EXPECT_EQ(ends[0].code(), absl::StatusCode::kCancelled);
  table_->Close();
  second.join();
  EXPECT_EQ(ends[1].code(), absl::StatusCode::kCancelled);
  EXPECT_EQ(writer_->Append(ReplayRollout(1, 1))->front().code(), absl::StatusCode::kCancelled);
}

TEST_F(TableTest, ClosingAWriterCancelsItsParkedRollout) {
  TableOptions options = ReplayTableOptions();
  RateLimiterConfig& limiter = *options.config.mutable_rate_limiter();
  limiter.set_samples_per_insert(1);
  limiter.set_error_buffer(5);
  Make(options);
  ASSERT_TRUE(IsOk(writer_->Append(ReplayRollout(1, 5))));
  const TestWriter::Answer parked = writer_->Append(ReplayRollout(2, 5));
  ASSERT_THAT(*parked, IsEmpty());
  table_->CloseWriter(writer_->stream());
  EXPECT_EQ(parked->at(0).code(), absl::StatusCode::kCancelled);
  EXPECT_EQ(table_->Info().blocked_writers(), 0);
}

TEST_F(TableTest, PrioritiesSteerSamplingAndWeightsAndForgetNothing) {
  TableOptions options = ReplayTableOptions();
  options.config.mutable_sampler()->mutable_prioritized()->set_alpha(1);
  Make(options);
  v1::Rollout rollout = ReplayRollout(1, 4);
  for (float priority : {1.0f, 2.0f, 3.0f, 4.0f}) rollout.add_priorities(priority);
  ASSERT_TRUE(IsOk(writer_->Append(rollout)));
  const ReplayBatch batch = *Sample(1000, /*exponent=*/0.5);
  std::map<int, int> times;
  uint64_t last_key = 0;
  for (int64_t i = 0; i < batch.items; ++i) {
    const int step = batch.columns[1].As<int32_t>()[i];
    ++times[step];
    if (step == 3) last_key = batch.keys[i];
    EXPECT_FLOAT_EQ(batch.probabilities[i], 0.1f * static_cast<float>(step + 1));
    EXPECT_NEAR(batch.weights[i], std::sqrt(1.0 / (step + 1)), 1e-6);
  }
  // Stratified: each count is right to one item on either side.
  for (int step = 0; step < 4; ++step) EXPECT_NEAR(times[step], 100 * (step + 1), 1);
  EXPECT_DOUBLE_EQ(batch.table_mass, 10);
  const float zero = 0;
  ASSERT_TRUE(table_->UpdatePriorities({&last_key, 1}, {&zero, 1}).ok());
  EXPECT_DOUBLE_EQ(table_->Info().mass(), 6);
  // Without priorities: the largest that was seen.
  ASSERT_TRUE(IsOk(writer_->Append(ReplayRollout(2, 1))));
  EXPECT_DOUBLE_EQ(table_->Info().mass(), 10);
}

TEST_F(TableTest, BadPrioritiesAreRefusedAndTheOthersSet) {
  TableOptions options = ReplayTableOptions();
  options.config.mutable_sampler()->mutable_prioritized()->set_alpha(1);
  Make(options);
  ASSERT_TRUE(IsOk(writer_->Append(ReplayRollout(1, 1))));
  const uint64_t key = Sample(1)->keys[0];
  for (const float bad :
       {-1.0f, std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity()}) {
    const std::vector<uint64_t> keys = {key, key};
    const std::vector<float> priorities = {bad, 5.0f};
    EXPECT_EQ(table_->UpdatePriorities(keys, priorities).code(),
              absl::StatusCode::kInvalidArgument);
    EXPECT_DOUBLE_EQ(table_->Info().mass(), 5);
  }
  EXPECT_EQ(table_->Info().updated_priorities(), 3);
  EXPECT_EQ(table_->UpdatePriorities({key}, {}).code(), absl::StatusCode::kInvalidArgument);
  EXPECT_TRUE(Sample(10).ok());
}

TEST_F(TableTest, UpdatesForItemsThatAreGoneAreCountedAndTouchNothing) {
  TableOptions options = ReplayTableOptions();
  options.config.set_capacity_items(8);
  options.config.mutable_sampler()->mutable_prioritized()->set_alpha(1);
  Make(options);
  ASSERT_TRUE(IsOk(writer_->Append(ReplayRollout(1, 8))));
  const ReplayBatch old = *Sample(64);
  // The rows of the old items are used again.
  for (int episode = 2; episode <= 4000; ++episode)
    ASSERT_TRUE(IsOk(writer_->Append(ReplayRollout(episode, 8))));
  const std::vector<float> nine(64, 9.0f);
  ASSERT_TRUE(table_->UpdatePriorities(old.keys, nine).ok());
  EXPECT_EQ(table_->Info().stale_priorities(), 64);
  EXPECT_EQ(table_->Info().updated_priorities(), 0);
  EXPECT_DOUBLE_EQ(table_->Info().mass(), 8);
  const uint64_t nonsense = 0xFFFF'FFFF'FFFF'FFFF;
  ASSERT_TRUE(table_->UpdatePriorities({&nonsense, 1}, {nine.data(), 1}).ok());
  EXPECT_EQ(table_->Info().stale_priorities(), 65);
}

TEST_F(TableTest, ItemsGoOnceTheyWereSampledSoOften) {
  TableOptions options = ReplayTableOptions();
  options.config.set_max_times_sampled(2);
  options.config.mutable_sampler()->mutable_fifo();
  Make(options);
  ASSERT_TRUE(IsOk(writer_->Append(ReplayRollout(1, 3))));
  const ReplayBatch batch = *Sample(5);
  EXPECT_THAT(batch.columns[1].As<int32_t>(), ElementsAre(0, 0, 1, 1, 2));
  EXPECT_EQ(table_->Info().items(), 1);
  // Two more are wanted, one is there: it waits for the next rollout.
  std::thread writer([&] { writer_->Append(ReplayRollout(2, 3)); });
  EXPECT_THAT(Sample(2)->columns[0].As<float>(), ElementsAre(1, 2, 2, 0));
  writer.join();
  ASSERT_TRUE(Sample(5).ok());
  EXPECT_EQ(table_->Info().items(), 0);
  EXPECT_EQ(table_->Info().rows(), 0) << "segments without items go";
}

TEST_F(TableTest, RemoverChoosesTheSegmentByItsLargestPriority) {
  TableOptions options = ReplayTableOptions();
  options.config.set_capacity_items(6);
  options.config.mutable_remover()->mutable_min_heap();
  Make(options);
  const auto append = [&](int episode, float a, float b) {
    v1::Rollout rollout = ReplayRollout(episode, 2);
    rollout.add_priorities(a);
    rollout.add_priorities(b);
    ASSERT_TRUE(IsOk(writer_->Append(rollout)));
  };
  append(1, 5, 1);
  append(2, 2, 3);
  append(3, 4, 0);
  append(4, 9, 9);
  EXPECT_THAT(Episodes(), ElementsAre(1, 3, 4));
  const ReplayBatch batch = *Sample(200);
  for (int64_t i = 0; i < batch.items; ++i) {
    if (batch.columns[0].As<float>()[2 * i] != 1) continue;
    const float small = 0.5f;
    ASSERT_TRUE(table_->UpdatePriorities({&batch.keys[i], 1}, {&small, 1}).ok());
  }
  append(5, 9, 9);
  EXPECT_THAT(Episodes(), ElementsAre(3, 4, 5));
}

TEST_F(TableTest, EpisodesReachEachSamplerOnce) {
  Make();
  v1::Rollout rollout = ReplayRollout(1, 2, kTerminated);
  rollout.add_episodes()->set_total_reward(3);
  writer_->Append(rollout);
  EXPECT_THAT(Sample(1)->episodes, SizeIs(1));
  EXPECT_THAT(Sample(1)->episodes, IsEmpty());
  const uint64_t late = *table_->OpenSampler(kReplayRun, ReplaySpec());
  rollout.mutable_episodes(0)->set_total_reward(4);
  writer_->Append(rollout);
  for (const uint64_t sampler : {sampler_, late}) {
    const ReplayBatch batch = *table_->Sample(sampler, {.items = 1});
    ASSERT_THAT(batch.episodes, SizeIs(1));
    EXPECT_EQ(batch.episodes[0].total_reward(), 4);
  }
}

TEST_F(TableTest, CountsWhatAWriterHadSettledAndTheTableDoesNotKnow) {
  Make();
  writer_->Append(ReplayRollout(1, 2));
  table_->CloseWriter(writer_->stream());
  const auto stream = table_->OpenWriter(kReplayRun, 7, ReplaySpec(), 5, [](uint64_t) {});
  EXPECT_EQ(stream->settled_sequence, 4);
  EXPECT_EQ(table_->Info().lost_rollouts(), 3);
  const auto unknown = table_->OpenWriter(kReplayRun, 8, ReplaySpec(), 3, [](uint64_t) {});
  EXPECT_EQ(unknown->settled_sequence, 2);
  EXPECT_EQ(table_->Info().lost_rollouts(), 5);
}

TEST_F(TableTest, ResetEmptiesItAndRemembersWriters) {
  TableOptions options = ReplayTableOptions();
  RateLimiterConfig& limiter = *options.config.mutable_rate_limiter();
  limiter.set_samples_per_insert(1);
  limiter.set_error_buffer(5);
  Make(options);
  ASSERT_TRUE(IsOk(writer_->Append(ReplayRollout(1, 5))));
  const ReplayBatch old = *Sample(1);
  const TestWriter::Answer parked = writer_->Append(ReplayRollout(2, 5));
  ASSERT_THAT(*parked, IsEmpty());
  absl::Status reset = absl::InternalError("not yet");
  table_->Reset([&](absl::Status status) { reset = std::move(status); });
  EXPECT_EQ(reset, absl::OkStatus());
  EXPECT_TRUE(IsOk(parked)) << "the empty table has room for it";
  EXPECT_EQ(table_->Info().items(), 5);
  EXPECT_EQ(table_->Info().inserted_steps(), 5);
  EXPECT_EQ(Sample(1)->columns[0].As<float>()[0], 2);
  const float one = 1;
  ASSERT_TRUE(table_->UpdatePriorities(old.keys, {&one, 1}).ok());
  EXPECT_EQ(table_->Info().stale_priorities(), 1);
  EXPECT_TRUE(IsOk(writer_->Append(ReplayRollout(2, 5), 2)));
  EXPECT_EQ(table_->Info().duplicate_rollouts(), 1);
}

}  // namespace
}  // namespace cadre
