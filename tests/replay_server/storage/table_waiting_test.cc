// Samplers that wait without a thread: who is called, when, and in what order.
#include <memory>
#include <optional>

#include "gtest/gtest.h"
#include "replay_server/storage/table.h"
#include "tests/replay_server/replay_experience.h"

namespace cadre {
namespace {

constexpr int64_t kLength = 4;  // Steps of an episode, and items.

// One sample for each item that is inserted after the first kLength, and no lead.
TableOptions StrictTable() {
  TableOptions options = ReplayTableOptions();
  RateLimiterConfig& limiter = *options.config.mutable_rate_limiter();
  limiter.set_samples_per_insert(1);
  limiter.set_min_size(kLength);
  limiter.set_error_buffer(kLength);
  return options;
}

class TableWaitingTest : public ::testing::Test {
 protected:
  uint64_t OpenSampler() { return *table_->OpenSampler(kReplayRun, ReplaySpec()); }
  void Insert() { writer_.Append(ReplayRollout(++episodes_, kLength)); }
  // Whether `sampler` gets a batch now.
  bool Samples(uint64_t sampler, int64_t items = kLength) {
    const auto sampled = table_->TrySampleInPlace(sampler, {.items = items});
    EXPECT_TRUE(sampled.ok()) << sampled.status();
    return sampled.ok() && sampled->has_value();
  }
  // The number of calls, so far.
  std::shared_ptr<int> Wait(uint64_t sampler, int64_t items = kLength) {
    auto calls = std::make_shared<int>(0);
    table_->WhenSampleable(sampler, {.items = items}, [calls] { ++*calls; });
    return calls;
  }

  const std::unique_ptr<Table> table_ = *Table::Create(StrictTable());
  TestWriter writer_{table_.get(), 7};
  int episodes_ = 0;
};

TEST_F(TableWaitingTest, WhoMaySampleIsCalledAtOnce) {
  const uint64_t sampler = OpenSampler();
  Insert();
  EXPECT_EQ(*Wait(sampler), 1);
  EXPECT_TRUE(Samples(sampler));
}

TEST_F(TableWaitingTest, TheFirstToWaitIsTheFirstToSample) {
  const uint64_t first = OpenSampler(), second = OpenSampler();
  EXPECT_FALSE(Samples(first));
  const auto first_calls = Wait(first), second_calls = Wait(second);
  EXPECT_EQ(table_->Info().waiting_samplers(), 2);
  Insert();
  EXPECT_EQ(*first_calls, 1);
  EXPECT_EQ(*second_calls, 0) << "there is enough for one";
  EXPECT_EQ(table_->Info().waiting_samplers(), 1);
  EXPECT_TRUE(Samples(first));
  Insert();
  EXPECT_EQ(*second_calls, 1);
  EXPECT_TRUE(Samples(second));
  EXPECT_EQ(*first_calls, 1) << "once";
}

TEST_F(TableWaitingTest, NobodyTakesWhatIsKeptForAnother) {
  const uint64_t waiting = OpenSampler(), late = OpenSampler();
  const auto calls = Wait(waiting);
  Insert();
  ASSERT_EQ(*calls, 1);
  EXPECT_FALSE(Samples(late, 1));
  EXPECT_TRUE(Samples(waiting));
}

TEST_F(TableWaitingTest, WhatIsKeptForASamplerThatClosesGoesToTheNext) {
  const uint64_t first = OpenSampler(), second = OpenSampler();
  Wait(first);
  const auto calls = Wait(second);
  Insert();
  ASSERT_EQ(*calls, 0);
  table_->CloseSampler(first);
  EXPECT_EQ(*calls, 1);
  EXPECT_TRUE(Samples(second));
}

TEST_F(TableWaitingTest, WhatWasRemovedMeanwhileIsWaitedForAgain) {
  const uint64_t sampler = OpenSampler();
  Wait(sampler);
  Insert();
  table_->Reset([](const absl::Status&) {});
  EXPECT_FALSE(Samples(sampler));
  const auto calls = Wait(sampler);
  EXPECT_EQ(*calls, 0);
  Insert();
  EXPECT_EQ(*calls, 1);
  EXPECT_TRUE(Samples(sampler));
}

TEST_F(TableWaitingTest, ClosingEndsEveryWait) {
  const uint64_t first = OpenSampler(), second = OpenSampler();
  const auto first_calls = Wait(first), second_calls = Wait(second);
  table_->CloseSampler(first);
  EXPECT_EQ(*first_calls, 1);
  table_->Close();
  EXPECT_EQ(*second_calls, 1);
  for (const uint64_t sampler : {first, second}) {
    EXPECT_EQ(table_->TrySampleInPlace(sampler, {.items = 1}).status().code(),
              absl::StatusCode::kCancelled);
    EXPECT_EQ(*Wait(sampler), 1) << "to hear of it";
  }
}

}  // namespace
}  // namespace cadre
