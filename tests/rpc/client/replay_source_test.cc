// One source against a real server on loopback that is broken in every way.
#include "rpc/client/replay_source.h"

#include <cmath>
#include <limits>
#include <optional>
#include <set>
#include <thread>

#include "gmock/gmock.h"
#include "tests/rpc/table_client.h"

namespace cadre {
namespace {

using ::testing::HasSubstr;

class ReplaySourceTest : public ::testing::Test {
 protected:
  std::unique_ptr<RemoteReplaySource> Source(int prefetch = 4) const {
    ReplaySourceOptions options = Options();
    options.prefetch = prefetch;
    return *RemoteReplaySource::Create(options);
  }
  ReplaySourceOptions Options() const {
    ReplaySourceOptions options = SourceOptions();
    options.address = address_;
    return options;
  }
  static TableOptions Prioritized() {
    TableOptions options = ReplayTableOptions();
    options.config.mutable_sampler()->mutable_prioritized()->set_alpha(1);
    return options;
  }
  v1::TableInfo Info() const { return server_->table->Info(); }
  // As a crash would: the table is empty afterwards.
  void Crash() {
    server_->server->Shutdown(absl::ZeroDuration());
    server_.reset();
    server_.emplace(Prioritized(), address_);
  }

  std::optional<TableServer> server_{std::in_place, Prioritized()};
  const std::string address_ = server_->server->address();
};

TEST_F(ReplaySourceTest, BatchesHoldWhatWasInserted) {
  Insert(address_, 3, 50);
  auto source = Source();
  std::set<float> steps;
  for (int i = 0; i < 10; ++i) {
    const ReplayBatch batch = *source->Sample(Items(32, 0.5));
    ASSERT_EQ(batch.items, 32);
    ASSERT_EQ(batch.table_items, 50);
    ASSERT_EQ(batch.inserted_steps, 50);
    for (int64_t j = 0; j < 32; ++j) {
      ASSERT_EQ(Observation(batch, j)[0], 3);
      steps.insert(Observation(batch, j)[1]);
      ASSERT_FLOAT_EQ(batch.probabilities[j], 1.0f / 50);
      ASSERT_EQ(batch.weights[j], 1);
    }
  }
  EXPECT_GT(steps.size(), 45);
  EXPECT_EQ(*steps.rbegin(), 49);
}

TEST_F(ReplaySourceTest, BatchesAreFetchedAheadButNoFurther) {
  Insert(address_, 1, 10);
  auto source = Source(/*prefetch=*/4);
  ASSERT_TRUE(source->Sample(Items(2)).ok());
  EXPECT_TRUE(Eventually([this] { return Info().sampled_batches() == 4; }));
  // Once half of them are used up as many are asked for again.
  for (const int64_t sampled : {6, 6, 8}) {
    ASSERT_TRUE(source->Sample(Items(2)).ok());
    EXPECT_TRUE(Eventually([&] { return Info().sampled_batches() == sampled; })) << sampled;
  }
}

TEST_F(ReplaySourceTest, OneBatchAheadIsAskedForAsTheLastIsTaken) {
  Insert(address_, 1, 10);
  auto source = Source(/*prefetch=*/1);
  for (const int64_t sampled : {2, 3, 4}) {
    ASSERT_TRUE(source->Sample(Items(2)).ok());
    EXPECT_TRUE(Eventually([&] { return Info().sampled_batches() == sampled; })) << sampled;
  }
}

TEST_F(ReplaySourceTest, InLockstepNothingIsFetchedAhead) {
  Insert(address_, 1, 10);
  auto source = Source();
  SampleOptions options = Items(2);
  options.min_inserted_steps = 10;
  ASSERT_TRUE(source->Sample(options).ok());
  ASSERT_TRUE(source->Sample(options).ok());
  EXPECT_EQ(Info().sampled_batches(), 2);
  options.min_inserted_steps = 15;
  std::thread later([this] { Insert(address_, 2, 5); });
  EXPECT_EQ(source->Sample(options)->inserted_steps, 15);
  later.join();
}

TEST_F(ReplaySourceTest, WhatWasFetchedAheadIsNotUsedInLockstep) {
  Insert(address_, 1, 10);
  auto source = Source();
  ASSERT_TRUE(source->Sample(Items(2)).ok());
  Insert(address_, 1, 10);
  SampleOptions options = Items(7);
  options.min_inserted_steps = 20;
  const ReplayBatch batch = *source->Sample(options);
  EXPECT_EQ(batch.items, 7);
  EXPECT_EQ(batch.inserted_steps, 20);
}

TEST_F(ReplaySourceTest, HowTheTableStandsIsToldAtOnceAndAsItIsNow) {
  auto source = Source();
  EXPECT_EQ(source->Sample({})->inserted_steps, 0) << "nothing holds it back";
  Insert(address_, 1, 10);
  const ReplayBatch batch = *source->Sample({});
  EXPECT_EQ(batch.items, 0);
  EXPECT_EQ(batch.table_items, 10);
  EXPECT_EQ(batch.inserted_steps, 10);
  EXPECT_EQ(Info().sampled_batches(), 0);
}

TEST_F(ReplaySourceTest, WhoeverWaitsForStepsThatAreLostIsToldWhatThereIs) {
  Insert(address_, 1, 20);
  auto source = Source();
  ASSERT_EQ(source->Sample({})->inserted_steps, 20);
  std::thread crash([this] {
    Eventually([this] { return Info().waiting_samplers() == 1; });
    Crash();
  });
  EXPECT_EQ(source->Sample({.min_inserted_steps = 25})->inserted_steps, 20);
  crash.join();
  Insert(address_, 2, 5);
  EXPECT_EQ(source->Sample({.min_inserted_steps = 25})->inserted_steps, 25);
}

TEST_F(ReplaySourceTest, StepsThatWereLostWhileNobodyWaitedAreNotWaitedForEither) {
  Insert(address_, 1, 20);
  auto source = Source();
  ASSERT_EQ(source->Sample({})->inserted_steps, 20);
  Crash();
  ASSERT_TRUE(Eventually([&source] { return source->counts().connections == 2; }));
  EXPECT_EQ(source->Sample({.min_inserted_steps = 25})->inserted_steps, 20);
  Insert(address_, 2, 5);
  EXPECT_EQ(source->Sample({.min_inserted_steps = 25})->inserted_steps, 25);
}

TEST_F(ReplaySourceTest, PrioritiesReachTheTable) {
  Insert(address_, 1, 10);
  auto source = Source(/*prefetch=*/1);
  const ReplayBatch batch = *source->Sample(Items(64));
  const std::set<uint64_t> keys(batch.keys.begin(), batch.keys.end());
  ASSERT_EQ(keys.size(), 10);
  const std::vector<uint64_t> all(keys.begin(), keys.end());
  std::vector<float> priorities(10, 0);
  priorities[4] = 1;
  ASSERT_EQ(source->UpdatePriorities(all, priorities), absl::OkStatus());
  ASSERT_TRUE(Eventually([this] { return Info().updated_priorities() == 10; }));
  ASSERT_TRUE(source->Sample(Items(16)).ok());  // May have been chosen before.
  const ReplayBatch after = *source->Sample(Items(16));
  for (const uint64_t key : after.keys) EXPECT_EQ(key, all[4]);
}

TEST_F(ReplaySourceTest, BadPrioritiesAreRefusedHereAndDoNotEndTheSource) {
  Insert(address_, 1, 10);
  auto source = Source();
  const uint64_t key = source->Sample(Items(1))->keys[0];
  for (const float bad : {-1.0f, std::nanf(""), std::numeric_limits<float>::infinity()})
    EXPECT_EQ(source->UpdatePriorities({&key, 1}, {&bad, 1}).code(),
              absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(source->UpdatePriorities({&key, 1}, {}).code(), absl::StatusCode::kInvalidArgument);
  EXPECT_TRUE(source->Sample(Items(1)).ok());
}

TEST_F(ReplaySourceTest, AfterACrashWhatWasLostIsAskedForAgain) {
  Insert(address_, 1, 20);
  auto source = Source();
  ASSERT_EQ(source->Sample(Items(4))->inserted_steps, 20);
  Crash();
  Insert(address_, 2, 10);
  ASSERT_TRUE(Eventually([&source] { return source->counts().connections == 2; }));
  bool from_new_table = false;
  for (int i = 0; i < 10; ++i) {
    const auto batch = source->Sample(Items(4));
    ASSERT_TRUE(batch.ok()) << batch.status();
    EXPECT_EQ(batch->inserted_steps, 20);  // Never goes back.
    from_new_table = Observation(*batch, 0)[0] == 2;
  }
  EXPECT_TRUE(from_new_table);
}

TEST_F(ReplaySourceTest, PrioritiesWithoutAConnectionAreDroppedAndCounted) {
  Insert(address_, 1, 20);
  auto source = Source();
  const uint64_t key = source->Sample(Items(4))->keys[0];
  server_.reset();
  const float priority = 1;
  EXPECT_TRUE(Eventually([&] {
    EXPECT_EQ(source->UpdatePriorities({&key, 1}, {&priority, 1}), absl::OkStatus());
    return source->counts().dropped_priorities > 0;
  }));
}

TEST_F(ReplaySourceTest, ARefusalEndsTheSourceAndSaysWhoseAndWhy) {
  ReplaySourceOptions options = Options();
  options.table = "other";
  auto no_table = *RemoteReplaySource::Create(options);
  const absl::Status missing = no_table->Sample(Items(1)).status();
  EXPECT_EQ(missing.code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(std::string(missing.message()), HasSubstr("replay server at " + address_));
  Insert(address_, 1, 5);
  options = Options();
  options.spec.mutable_columns(0)->set_shape(0, 3);
  auto other_spec = *RemoteReplaySource::Create(options);
  EXPECT_EQ(other_spec->Sample(Items(1)).status().code(), absl::StatusCode::kFailedPrecondition);
  const uint64_t key = 1;
  const float priority = 1;
  EXPECT_EQ(other_spec->UpdatePriorities({&key, 1}, {&priority, 1}).code(),
            absl::StatusCode::kFailedPrecondition);
}

TEST_F(ReplaySourceTest, AServerThatIsNotThereIsGivenUp) {
  server_.reset();
  ReplaySourceOptions options = Options();
  options.outage.connect_timeout = absl::Milliseconds(50);
  auto source = *RemoteReplaySource::Create(options);
  const absl::Status status = source->Sample(Items(1)).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kUnavailable);
  EXPECT_THAT(std::string(status.message()), HasSubstr("gave up"));
}

TEST_F(ReplaySourceTest, CloseEndsASampleThatWaits) {
  auto source = Source();  // The table is empty.
  std::thread closer([&source] { source->Close(); });
  EXPECT_EQ(source->Sample(Items(1)).status().code(), absl::StatusCode::kCancelled);
  closer.join();
}

TEST_F(ReplaySourceTest, BadOptionsAreRefused) {
  ReplaySourceOptions options = Options();
  options.prefetch = 0;
  EXPECT_EQ(RemoteReplaySource::Create(options).status().code(),
            absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(Source()->Sample(Items(-1)).status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(MakeRemoteReplaySource({}, Options()).status().code(),
            absl::StatusCode::kInvalidArgument);
}

}  // namespace
}  // namespace cadre
