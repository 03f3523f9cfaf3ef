// What several servers sampled as one say of their steps: before anything can be sampled,
// of servers that come late, and of those that start anew.
#include <atomic>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "absl/types/span.h"
#include "gtest/gtest.h"
#include "rpc/shards/sharded_replay_source.h"
#include "tests/replay_server/experience_server.h"
#include "tests/replay_server/replay_experience.h"
#include "tests/rpc/table_client.h"

namespace cadre {
namespace {

constexpr int64_t kSteps[] = {4, 10, 26};
constexpr int64_t kTotal = 40;

class ShardCountsTest : public ::testing::Test {
 protected:
  void Start(int64_t min_size = 1) {
    options_.config.mutable_rate_limiter()->set_min_size(min_size);
    for (int shard = 0; shard < 3; ++shard) {
      servers_[shard].emplace(options_);
      addresses_.push_back(servers_[shard]->server->address());
      Insert(addresses_[shard], shard, kSteps[shard]);
    }
  }
  std::unique_ptr<ShardedReplaySource> Source(
      absl::Duration connect_timeout = absl::Seconds(60)) const {
    ReplaySourceOptions options = SourceOptions();
    options.outage.connect_timeout = connect_timeout;
    return *ShardedReplaySource::Create(addresses_, options);
  }
  static bool Live(const ShardedReplaySource& source, int shards) {
    return Eventually([&] { return source.live_shards() == shards; });
  }
  // Closes the source where that takes unreasonably long.
  static absl::StatusOr<ReplayBatch> Counts(ShardedReplaySource& source) {
    std::atomic<bool> done = false;
    absl::StatusOr<ReplayBatch> counts;
    std::thread sampler([&] {
      counts = source.Sample({});
      done = true;
    });
    if (!Eventually([&done] { return done.load(); })) source.Close();
    sampler.join();
    return counts;
  }
  static int64_t InsertedSteps(ShardedReplaySource& source) {
    return source.Sample(Items(4))->inserted_steps;
  }

  TableOptions options_ = ReplayTableOptions();
  std::optional<TableServer> servers_[3];
  std::vector<std::string> addresses_;
};

TEST_F(ShardCountsTest, TheyAreToldWhileNoTableMayBeSampled) {
  Start(/*min_size=*/1000);
  auto source = Source();
  const absl::StatusOr<ReplayBatch> counts = Counts(*source);
  ASSERT_TRUE(counts.ok()) << counts.status();
  EXPECT_EQ(counts->items, 0);
  EXPECT_EQ(counts->inserted_steps, kTotal);
}

TEST_F(ShardCountsTest, AllShardsAreAskedFirst) {
  Start();
  for (int i = 0; i < 20; ++i) ASSERT_EQ(Counts(*Source())->inserted_steps, kTotal);
}

TEST_F(ShardCountsTest, WhatWasFetchedAheadIsLeftAlone) {
  Start();
  auto source = Source();
  ASSERT_TRUE(Live(*source, 3));
  for (int i = 0; i < 10; ++i) {
    EXPECT_EQ(Counts(*source)->items, 0);
    EXPECT_EQ(source->Sample(Items(4))->items, 4);
  }
}

TEST_F(ShardCountsTest, AShardThatWasAwayCountsFromItsFirstAnswerOn) {
  Start();
  servers_[2]->server->Shutdown(absl::ZeroDuration());
  auto source = Source(/*connect_timeout=*/absl::Milliseconds(50));
  ASSERT_TRUE(Live(*source, 2));
  EXPECT_EQ(Counts(*source)->inserted_steps, 14);
  ExperienceService service({&servers_[2]->queue}, {servers_[2]->table.get()});
  const auto server = *RpcServer::Create(addresses_[2], {&service});
  ASSERT_TRUE(Live(*source, 3));
  EXPECT_EQ(Counts(*source)->inserted_steps, 14);
  Insert(addresses_[2], 3, 5);
  EXPECT_TRUE(Eventually([&source] { return InsertedSteps(*source) == 19; }));
}

TEST_F(ShardCountsTest, CloseEndsTheWaitForThem) {
  Start();
  for (auto& server : servers_) server->server->Shutdown(absl::ZeroDuration());
  auto source = Source();
  std::thread closer([&source] { source->Close(); });
  EXPECT_EQ(source->Sample({}).status().code(), absl::StatusCode::kCancelled);
  closer.join();
}

TEST_F(ShardCountsTest, StepsThatAShardMakesAgainAreCounted) {
  Start();
  auto source = Source();
  ASSERT_TRUE(Live(*source, 3));
  servers_[2]->server->Shutdown(absl::ZeroDuration());
  servers_[2].reset();
  servers_[2].emplace(options_, addresses_[2]);
  Insert(addresses_[2], 2, 3);
  ASSERT_TRUE(Eventually([&source] { return source->Sample(Items(4))->table_items == 17; }));
  const int64_t before = InsertedSteps(*source);  // Perhaps without the first 3 of them.
  EXPECT_GE(before, kTotal);
  Insert(addresses_[2], 3, 5);
  EXPECT_TRUE(Eventually([&] { return InsertedSteps(*source) == before + 5; }));
}

// A learner that is started again and again, while shards come and go.
TEST_F(ShardCountsTest, EachStepCountsOnceOverTheLivesOfALearner) {
  Start();
  auto source = Source();
  ASSERT_EQ(Counts(*source)->inserted_steps, kTotal);
  const auto live_again = [&](int live, absl::Span<const std::string> addresses) {
    const std::vector<TableCount> counts = source->Counts();
    ReplaySourceOptions options = SourceOptions();
    options.outage.connect_timeout = absl::Milliseconds(live == 3 ? 60'000 : 50);
    source = *ShardedReplaySource::Create({addresses.begin(), addresses.end()}, options);
    const int64_t others = source->CountOn(counts);
    EXPECT_TRUE(Live(*source, live));
    return others;
  };

  servers_[2]->server->Shutdown(absl::ZeroDuration());
  Insert(addresses_[0], 3, 5);
  EXPECT_EQ(live_again(2, addresses_), 0);
  EXPECT_EQ(Counts(*source)->inserted_steps, kTotal + 5) << "those of the third as it was";

  ExperienceService service({&servers_[2]->queue}, {servers_[2]->table.get()});
  {
    const auto server = *RpcServer::Create(addresses_[2], {&service});
    Insert(addresses_[2], 4, 7);
    EXPECT_EQ(live_again(3, addresses_), 0);
    EXPECT_EQ(Counts(*source)->inserted_steps, kTotal + 12);
    server->Shutdown(absl::ZeroDuration());
  }

  servers_[2].reset();  // It loses all of its steps.
  servers_[2].emplace(options_, addresses_[2]);
  Insert(addresses_[2], 5, 2);
  EXPECT_EQ(live_again(3, addresses_), 0);
  EXPECT_EQ(Counts(*source)->inserted_steps, kTotal + 12);

  const std::string other[] = {addresses_[0], addresses_[2]};
  EXPECT_EQ(live_again(2, other), kSteps[1]) << "of the one that is not sampled any more";
  EXPECT_EQ(Counts(*source)->inserted_steps, kTotal + 12 - kSteps[1]);
  EXPECT_EQ(live_again(3, addresses_), 0);
  EXPECT_EQ(Counts(*source)->inserted_steps, kTotal + 12 - kSteps[1]) << "nor counts it twice";
}

}  // namespace
}  // namespace cadre
