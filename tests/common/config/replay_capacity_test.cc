#include "common/config/replay_capacity.h"

#include <algorithm>
#include <cstdint>
#include <deque>
#include <limits>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/config/config.h"
#include "common/config/replay_config.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace cadre {
namespace {

using ::testing::HasSubstr;

TEST(ReplayCapacityTest, ARolloutCompletesMostWhereEveryEpisodeEndsAtOnce) {
  const TableWriters writers{.count = 3, .environments = 4, .segment_length = 5};
  EXPECT_EQ(MostItemsPerRollout({1, 1}, writers), 4 * 5);
  EXPECT_EQ(MostItemsPerRollout({10, 1}, writers), 4 * 14);
  EXPECT_EQ(MostItemsPerRollout({80, 40}, writers), 4 * (2 + 4));
}

TEST(ReplayCapacityTest, AWindowExtendsOverTheRolloutsOfAllEnvironments) {
  // Ten steps that begin with the last of a rollout of five: two more rollouts.
  EXPECT_EQ(StepsForWindows({10, 1}, {.count = 1, .environments = 4, .segment_length = 5}),
            4 * 5 * 3);
  EXPECT_EQ(StepsForWindows({11, 1}, {.count = 1, .environments = 4, .segment_length = 5}),
            4 * 5 * 3);
  EXPECT_EQ(StepsForWindows({12, 1}, {.count = 1, .environments = 4, .segment_length = 5}),
            4 * 5 * 4);
  EXPECT_EQ(StepsForWindows({10, 1}, {.count = 3, .environments = 4, .segment_length = 5}),
            12 * 5 * 4)
      << "and one more, as writers change their order";
  EXPECT_EQ(StepsForWindows({1, 1}, {.count = 3, .environments = 4, .segment_length = 5}), 20);
}

// Whether a table of `rows` rows completes every window: the writers append in turn, the oldest
// segments make room for each rollout, and no episode ends.
bool CompletesEveryWindow(const WindowShape& shape, const TableWriters& writers, int64_t rows) {
  const int64_t length = writers.segment_length;
  std::deque<std::pair<int64_t, int64_t>> held;  // Environment and first step of each segment.
  const auto free = [&] { return rows - static_cast<int64_t>(held.size()) * (length + 1); };
  for (int64_t step = 0; step < 5 * (shape.length + length); step += length) {
    for (int64_t w = 0; w < writers.count; ++w) {
      while (free() < writers.environments * (length + 1)) {
        if (held.empty()) return false;
        held.pop_front();
      }
      for (int64_t e = 0; e < writers.environments; ++e)
        held.emplace_back(w * writers.environments + e, step);
      for (int64_t e = 0; e < writers.environments; ++e) {
        const auto oldest = std::find_if(held.begin(), held.end(), [&](const auto& segment) {
          return segment.first == w * writers.environments + e;
        });
        // Of the windows that end with one of the rollout's steps.
        for (int64_t begin = std::max<int64_t>(0, step + 1 - shape.length);
             begin + shape.length <= step + length; ++begin)
          if (begin % shape.period == 0 && begin < oldest->second) return false;
      }
    }
  }
  return true;
}

TEST(ReplayCapacityTest, WithOneRowLessThanTheLeastSomeWindowsAreNeverCompleted) {
  const int64_t periods[] = {1, 3, 8};
  for (const int64_t length : {2, 5, 16, 33}) {
    for (const int64_t period : periods) {
      for (const int64_t segment : {1, 2, 4, 7, 40}) {
        for (const TableWriters& writers :
             {TableWriters{1, 8, segment}, TableWriters{3, 4, segment},
              TableWriters{2, 9, segment}}) {
          TableConfig config;
          config.mutable_rate_limiter()->set_min_size(1);
          config.mutable_sequences()->set_length(static_cast<int32_t>(length));
          config.mutable_sequences()->set_period(static_cast<int32_t>(period));
          const int64_t least = LeastRowsOfLongEpisodes(config, writers);
          const std::string where = absl::StrCat(length, " ", period, " ", segment, " ",
                                                 writers.count, " ", writers.environments);
          EXPECT_TRUE(CompletesEveryWindow(WindowShapeOf(config), writers, least)) << where;
          EXPECT_LE(least, LeastRows(config, writers)) << where;
          if (period == 1) {
            EXPECT_FALSE(CompletesEveryWindow(WindowShapeOf(config), writers, least - 1)) << where;
          }
        }
      }
    }
  }
}

TEST(ReplayCapacityTest, ShardsShareTheWriters) {
  ExperimentConfig config;
  config.mutable_actors()->set_count(5);
  config.mutable_actors()->set_environments_per_actor(7);
  config.mutable_actors()->set_segment_length(2);
  EXPECT_EQ(TableWritersOf(config).all_environments(), 35);
  EXPECT_EQ(TableWritersOf(config, 2).all_environments(), 21);
}

TEST(ReplayCapacityTest, EachServerHoldsItsShareOfTheWindows) {
  const ExperimentConfig config = ResolveConfig(
      *ParseConfig("dqn {} actors { count: 4 environments_per_actor: 8 segment_length: 2 } "
                   "replay { n_step: 20 capacity_steps: 700 warmup_steps: 10 batch_size: 8 }",
                   "test"));
  EXPECT_THAT(CapacityStepsError(config), HasSubstr("wanted at least 768: "));
  EXPECT_THAT(CapacityStepsError(config, 2),
              HasSubstr("wanted at least 768: on each of 2 servers "));
}

TEST(ReplayCapacityTest, BytesAndRowsAgree) {
  const TableConfig config = ReplayTable(ResolveConfig(*ParseConfig("dqn {}", "test")));
  for (const int64_t rows : {2, 1000, 123457}) {
    TableConfig exact = config;
    exact.set_capacity_bytes(BytesForRows(config, 4, 36, rows));
    EXPECT_EQ(RowsInBytes(exact, 4, 36), rows);
    exact.set_capacity_bytes(exact.capacity_bytes() - 1);
    EXPECT_EQ(RowsInBytes(exact, 4, 36), rows - 1);
  }
}

TEST(ReplayCapacityTest, HugeNumbersDoNotOverflow) {
  ExperimentConfig config;
  config.mutable_actors()->set_count(100'000);
  config.mutable_actors()->set_environments_per_actor(1'000'000);
  config.mutable_actors()->set_segment_length(1'000'000);
  config.mutable_replay()->set_n_step(10'000);
  config.mutable_dqn();
  EXPECT_NE(CapacityStepsError(config), "");
  EXPECT_NE(CapacityBytesError(config, 4, 36), "");
  EXPECT_GT(LeastRows(ReplayTable(config), TableWritersOf(config)), 0);
}

// By hand, for two environments in segments of five steps and sequences of ten, of which one begins
// every four steps.
TEST(ReplayCapacityTest, RowsAreThoseOfAllItemsOfWindowsUnderWayAndOfTheSegmentThatMadeRoom) {
  TableConfig table;
  table.mutable_sequences()->set_length(10);
  table.mutable_sequences()->set_period(4);
  table.mutable_rate_limiter()->set_min_size(100);
  const TableWriters writers{.count = 1, .environments = 2, .segment_length = 5};
  EXPECT_EQ(LeastRows(table, writers), 2 * (100 * 4 + 2 * 9 + 5));
  EXPECT_EQ(LeastRowsOfAny(table), 99 * 4 + 10 + 1);
  EXPECT_EQ(LeastRowsOfLongEpisodes(table, writers), (2 * 9 + 99 * 4 + 1) * 6 / 5);
  table.mutable_rate_limiter()->set_min_size(1);
  // What decides are the three rollouts over which a sequence may extend, of ten steps each.
  EXPECT_EQ(LeastRows(table, writers), 2 * 30);
  EXPECT_EQ(LeastRowsOfLongEpisodes(table, writers), 3 * 12);
  // The segment in which a sequence under way begins is kept whole: of 9 steps, and 5 in 3
  // segments.
  table.mutable_sequences()->set_period(5);
  EXPECT_EQ(LeastRowsOfLongEpisodes(table, {.environments = 1, .segment_length = 5}), 9 + 5 + 3);
}

TEST(ReplayCapacityTest, MoreRowsThanThoseOfAllItemsAreOfNoUse) {
  constexpr int64_t kSpare = 16384;
  TableConfig table;
  EXPECT_EQ(RowsForItems(table), 0);
  table.set_capacity_items(100);
  table.mutable_transitions()->set_n_step(3);
  EXPECT_EQ(RowsForItems(table), 2 * 100 + kSpare);
  table.mutable_sequences()->set_length(10);
  table.mutable_sequences()->set_period(4);
  EXPECT_EQ(RowsForItems(table), 2 * (100 * 4 + 9) + kSpare);
}

// Of sizes that a user may give; the largest number stands for all that are larger.
TEST(ReplayCapacityTest, WhatDoesNotFitIntoANumberIsTheLargest) {
  constexpr int64_t kMost = std::numeric_limits<int64_t>::max();
  TableConfig table;
  table.mutable_sequences()->set_length(5);
  table.mutable_sequences()->set_period(3);
  table.mutable_rate_limiter()->set_min_size(kMost - 1);
  table.set_capacity_items(kMost - 1);
  const TableWriters few{.count = 2, .environments = 3, .segment_length = 4};
  EXPECT_EQ(LeastRows(table, few), kMost);
  EXPECT_EQ(LeastRowsOfAny(table), kMost);
  EXPECT_EQ(LeastRowsOfLongEpisodes(table, few), kMost);
  EXPECT_EQ(RowsForItems(table), kMost);
  EXPECT_EQ(BytesForRows(table, 4, 36, kMost), kMost);
  table.mutable_sequences()->set_period(1);  // Sums alone.
  EXPECT_EQ(LeastRows(table, few), kMost);
  EXPECT_EQ(LeastRowsOfAny(table), kMost);
  EXPECT_EQ(LeastRowsOfLongEpisodes(table, few), kMost);
  const TableWriters many{
      .count = 1 << 20, .environments = 1 << 30, .segment_length = int64_t{1} << 40};
  EXPECT_EQ(StepsForWindows({10, 1}, many), kMost);
  EXPECT_EQ(MostItemsPerRollout({10, 1}, many), kMost);
  ExperimentConfig config;
  config.mutable_dqn();
  config.mutable_replay()->set_warmup_steps(kMost);
  EXPECT_THAT(CapacityStepsError(config, 2), HasSubstr("wanted at least 9223372036854775807: "));
}

}  // namespace
}  // namespace cadre
