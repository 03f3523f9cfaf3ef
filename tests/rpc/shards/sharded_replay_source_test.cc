// Three servers of different sizes, sampled as one, and what happens as they die.
#include "rpc/shards/sharded_replay_source.h"

#include <atomic>
#include <map>
#include <optional>
#include <set>
#include <thread>
#include <utility>

#include "gmock/gmock.h"
#include "tests/rpc/table_client.h"

namespace cadre {
namespace {

using ::testing::HasSubstr;

// Shard s holds one episode of that number.
constexpr int64_t kSteps[] = {4, 10, 26};
constexpr int64_t kTotal = 40;

class ShardedReplaySourceTest : public ::testing::Test {
 protected:
  ShardedReplaySourceTest() {
    for (int shard = 0; shard < 3; ++shard) {
      servers_[shard].emplace(Options());
      addresses_.push_back(servers_[shard]->server->address());
      Insert(addresses_[shard], shard, kSteps[shard]);
    }
  }
  static TableOptions Options() {
    TableOptions options = ReplayTableOptions();
    options.config.mutable_sampler()->mutable_prioritized()->set_alpha(1);
    return options;
  }
  std::unique_ptr<ShardedReplaySource> Source(uint64_t seed = 1) const {
    auto source = *ShardedReplaySource::Create(addresses_, SourceOptions(), seed);
    EXPECT_TRUE(Eventually([&source] { return source->live_shards() == 3; }));
    return source;
  }
  void Kill(int shard) {
    servers_[shard]->server->Shutdown(absl::ZeroDuration());
    servers_[shard].reset();
  }
  void Revive(int shard) {
    servers_[shard].emplace(Options(), addresses_[shard]);
    Insert(addresses_[shard], shard, kSteps[shard]);
  }
  static int Shard(const ReplayBatch& batch, int64_t item) {
    return static_cast<int>(Observation(batch, item)[0]);
  }
  // How often each item of each shard comes in so many batches.
  static std::map<std::pair<int, int>, int> CountItems(ShardedReplaySource& source, int batches,
                                                       int64_t items) {
    std::map<std::pair<int, int>, int> counts;
    for (int i = 0; i < batches; ++i) {
      const ReplayBatch batch = *source.Sample(Items(items));
      EXPECT_EQ(batch.items, items);
      for (int64_t j = 0; j < batch.items; ++j)
        ++counts[{Shard(batch, j), static_cast<int>(Observation(batch, j)[1])}];
    }
    return counts;
  }
  static double ChiSquare(const std::map<std::pair<int, int>, int>& counts, double expected) {
    double sum = 0;
    for (const auto& [item, count] : counts)
      sum += (count - expected) * (count - expected) / expected;
    return sum;
  }

  std::optional<TableServer> servers_[3];
  std::vector<std::string> addresses_;
};

TEST_F(ShardedReplaySourceTest, EveryItemOfEveryShardIsAsLikely) {
  auto source = Source();
  constexpr int kBatches = 800;
  constexpr int64_t kItems = 25;  // Not a multiple of anything.
  const auto counts = CountItems(*source, kBatches, kItems);
  EXPECT_EQ(counts.size(), kTotal);
  // 39 degrees of freedom, and less as batches are stratified: 72.1 is the 0.999 quantile.
  EXPECT_LT(ChiSquare(counts, static_cast<double>(kBatches * kItems) / kTotal), 72.1);
}

TEST_F(ShardedReplaySourceTest, ProbabilitiesAndWeightsAreThoseOfTheWhole) {
  auto source = Source();
  const ReplayBatch batch = *source->Sample(Items(16, 0.5));
  EXPECT_EQ(batch.table_items, kTotal);
  EXPECT_FLOAT_EQ(static_cast<float>(batch.table_mass), kTotal);
  EXPECT_EQ(batch.inserted_steps, kTotal);
  for (int64_t i = 0; i < batch.items; ++i) {
    EXPECT_NEAR(batch.probabilities[i], 1.0 / kTotal, 1e-6);
    EXPECT_NEAR(batch.weights[i], 1, 1e-5);
  }
}

TEST_F(ShardedReplaySourceTest, PrioritiesFindTheirShardsAndShiftTheirShares) {
  auto source = Source();
  std::map<std::pair<int, int>, uint64_t> keys;
  while (keys.size() < kTotal) {
    const ReplayBatch batch = *source->Sample(Items(40));
    for (int64_t i = 0; i < batch.items; ++i)
      keys[{Shard(batch, i), static_cast<int>(Observation(batch, i)[1])}] = batch.keys[i];
  }
  // Only step 2 of each: 3 of 6 to shard 0, 1 of 6 to shard 1, 2 of 6 to shard 2.
  const float wanted[] = {3, 1, 2};
  std::vector<uint64_t> all;
  std::vector<float> priorities;
  for (const auto& [item, key] : keys) {
    all.push_back(key);
    priorities.push_back(item.second == 2 ? wanted[item.first] : 0);
  }
  ASSERT_EQ(source->UpdatePriorities(all, priorities), absl::OkStatus());
  ASSERT_TRUE(Eventually([&source] { return source->Sample(Items(1))->table_mass < 6.5; }));
  for (int i = 0; i < SourceOptions().prefetch; ++i) ASSERT_TRUE(source->Sample(Items(6)).ok());
  std::map<int, int> shards;
  for (int i = 0; i < 100; ++i) {
    const ReplayBatch batch = *source->Sample(Items(6, 1));
    for (int64_t j = 0; j < batch.items; ++j) {
      const int shard = Shard(batch, j);
      ++shards[shard];
      ASSERT_EQ(Observation(batch, j)[1], 2);
      ASSERT_NEAR(batch.probabilities[j], wanted[shard] / 6, 1e-5);
      ASSERT_NEAR(batch.weights[j], 1 / wanted[shard], 1e-4);  // Shard 1 has the largest.
    }
  }
  EXPECT_EQ(shards[0], 300);
  EXPECT_EQ(shards[1], 100);
  EXPECT_EQ(shards[2], 200);
}

TEST_F(ShardedReplaySourceTest, AShardThatDiesIsLeftOutAndTakenBack) {
  auto source = Source();
  for (int i = 0; i < 5; ++i) ASSERT_EQ(source->Sample(Items(20))->items, 20);
  Kill(2);
  ASSERT_TRUE(Eventually([&source] { return source->live_shards() == 2; }));
  bool only_the_others = false;
  for (int i = 0; i < 20; ++i) {
    const auto batch = source->Sample(Items(28, 0.5));
    ASSERT_TRUE(batch.ok()) << batch.status();
    ASSERT_GE(batch->items, 20);
    only_the_others = true;
    for (int64_t j = 0; j < batch->items; ++j) only_the_others &= Shard(*batch, j) != 2;
    if (only_the_others) {
      EXPECT_EQ(batch->table_items, 14);
      EXPECT_EQ(batch->inserted_steps, kTotal);  // Never goes back.
    }
  }
  EXPECT_TRUE(only_the_others);
  Revive(2);
  EXPECT_TRUE(Eventually([&source] {
    const ReplayBatch batch = *source->Sample(Items(28));
    for (int64_t j = 0; j < batch.items; ++j)
      if (Shard(batch, j) == 2) return true;
    return false;
  }));
}

TEST_F(ShardedReplaySourceTest, ShardsMayDieWhileTheyAreSampled) {
  auto source = Source();
  std::thread killer([this] {
    for (int round = 0; round < 5; ++round)
      for (int shard = 0; shard < 3; ++shard) {
        Kill(shard);
        Revive(shard);
      }
  });
  for (int i = 0; i < 2000; ++i) {
    const auto batch = source->Sample(Items(11));
    ASSERT_TRUE(batch.ok()) << batch.status();
    ASSERT_EQ(batch->items, 11);
  }
  killer.join();
  ASSERT_TRUE(Eventually([&source] { return source->live_shards() == 3; }));
  for (int i = 0; i < SourceOptions().prefetch; ++i) ASSERT_TRUE(source->Sample(Items(11)).ok());
  ASSERT_TRUE(Eventually([&source] { return source->Sample(Items(11))->table_items == kTotal; }));
}

// Two servers whose limiters allow one sample for each insert, within a buffer.
class FedShardsTest : public ::testing::Test {
 protected:
  static constexpr int64_t kBatch = 8;

  FedShardsTest() {
    options_.config.mutable_rate_limiter()->set_samples_per_insert(1);
    options_.config.mutable_rate_limiter()->set_error_buffer(2 * kBatch);
    for (int shard = 0; shard < 2; ++shard) {
      servers_[shard].emplace(options_);
      addresses_.push_back(servers_[shard]->server->address());
      Insert(addresses_[shard], shard, kBatch);
    }
  }
  std::unique_ptr<ShardedReplaySource> Source() const {
    ReplaySourceOptions options = SourceOptions();
    options.prefetch = 2;
    options.unfed_after = absl::Milliseconds(100);
    auto source = *ShardedReplaySource::Create(addresses_, options);
    EXPECT_TRUE(Eventually([&source] { return source->live_shards() == 2; }));
    return source;
  }
  // An actor of that shard alone, for as long as it lives.
  class Actor {
   public:
    Actor(const std::string& address, int shard) {
      ExperienceSinkOptions options;
      options.address = address;
      options.run_id = kReplayRun;
      options.target = "replay";
      options.spec = ReplaySpec();
      options.max_unsettled_rollouts = 1;
      sink_ = *RemoteExperienceSink::Create(options);
      thread_ = std::thread([this, shard] {
        while (sink_->Append(ReplayRollout(shard, 1, v1::SEGMENT_END_TERMINATED)).ok()) {
        }
      });
    }
    ~Actor() {
      sink_->Close();
      thread_.join();
    }

   private:
    std::unique_ptr<RemoteExperienceSink> sink_;
    std::thread thread_;
  };

  TableOptions options_ = ReplayTableOptions();
  std::optional<TableServer> servers_[2];
  std::vector<std::string> addresses_;
};

TEST_F(FedShardsTest, AShardThatLostItsOnlyActorKeepsNobodyWaiting) {
  auto source = Source();
  const Actor actor(addresses_[0], 0);
  // Far more than what shard 1 may give of its share.
  for (int i = 0; i < 40; ++i) {
    const auto batch = source->Sample(Items(kBatch));
    ASSERT_TRUE(batch.ok()) << batch.status();
    ASSERT_EQ(batch->items, kBatch);
  }
  // What was asked of it and not given is not held against it: it keeps to its ratio.
  const v1::TableInfo left = servers_[1]->table->Info();
  EXPECT_LE(left.sampled_items(), left.inserted_items() + 2 * kBatch);
  EXPECT_GE(servers_[0]->table->Info().sampled_items(), 40 * kBatch - left.sampled_items());
}

TEST_F(FedShardsTest, AShardThatIsFedAgainIsTakenBack) {
  auto source = Source();
  const Actor actor(addresses_[0], 0);
  for (int i = 0; i < 40; ++i) ASSERT_TRUE(source->Sample(Items(kBatch)).ok());
  const Actor another(addresses_[1], 1);
  EXPECT_TRUE(Eventually([&] {
    const ReplayBatch batch = *source->Sample(Items(kBatch));
    for (int64_t i = 0; i < batch.items; ++i)
      if (Observation(batch, i)[0] == 1 && servers_[1]->table->Info().sampled_items() > 40)
        return true;
    return false;
  }));
}

TEST_F(FedShardsTest, AShardThatWasAskedWhileNoneWasFedIsLeftOutAgain) {
  auto source = Source();
  {
    const Actor actor(addresses_[0], 0);
    for (int i = 0; i < 40; ++i) ASSERT_TRUE(source->Sample(Items(kBatch)).ok());
  }
  servers_[0]->server->Shutdown(absl::ZeroDuration());
  servers_[0].reset();
  std::atomic<int> batches = 0;
  std::thread sampler([&] {
    while (source->Sample(Items(kBatch)).ok()) ++batches;
  });
  // Nobody else is there to give anything, and shard 1 has given all that it may.
  EXPECT_TRUE(Eventually([this] { return servers_[1]->table->Info().waiting_samplers() > 0; }));
  servers_[0].emplace(options_, addresses_[0]);
  Insert(addresses_[0], 0, kBatch);
  const Actor actor(addresses_[0], 0);
  const int before = batches;
  EXPECT_TRUE(Eventually([&] { return batches > before + 40; }));
  source->Close();
  sampler.join();
}

TEST_F(FedShardsTest, WhereNoShardIsFedSampleWaitsForAnyAndIsClosed) {
  auto source = Source();
  std::thread sampler([&source] {
    absl::Status status;
    while (status.ok()) status = source->Sample(Items(kBatch)).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kCancelled);
  });
  EXPECT_TRUE(Eventually([this] {
    const v1::TableInfo first = servers_[0]->table->Info(), second = servers_[1]->table->Info();
    return first.waiting_samplers() + second.waiting_samplers() > 0 &&
           first.sampled_items() + second.sampled_items() > 3 * kBatch;
  }));
  source->Close();
  sampler.join();
}

TEST_F(ShardedReplaySourceTest, WithoutAnyShardSampleWaitsAndThenGivesUp) {
  ReplaySourceOptions options = SourceOptions();
  options.outage.reconnect_timeout = absl::Milliseconds(300);
  options.prefetch = 1;
  auto source = *ShardedReplaySource::Create(addresses_, options);
  ASSERT_TRUE(source->Sample(Items(1)).ok());
  for (int shard = 0; shard < 3; ++shard) Kill(shard);
  absl::Status status;
  while (status.ok()) status = source->Sample(Items(1)).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kUnavailable);
  EXPECT_THAT(std::string(status.message()), HasSubstr("none of 3 replay servers"));
  Revive(1);
  EXPECT_TRUE(Eventually([&source] { return source->Sample(Items(1)).ok(); }));
}

TEST_F(ShardedReplaySourceTest, LockstepWaitsForTheStepsOfAllShards) {
  auto source = Source();
  SampleOptions options = Items(4);
  options.min_inserted_steps = kTotal + 3;
  std::thread later([this] { Insert(addresses_[1], 1, 3); });
  EXPECT_EQ(source->Sample(options)->inserted_steps, kTotal + 3);
  later.join();
}

TEST_F(ShardedReplaySourceTest, CloseEndsASampleThatWaits) {
  auto source = Source();
  SampleOptions options = Items(4);
  options.min_inserted_steps = 1'000'000;
  std::thread closer([&source] { source->Close(); });
  EXPECT_EQ(source->Sample(options).status().code(), absl::StatusCode::kCancelled);
  closer.join();
}

TEST_F(ShardedReplaySourceTest, AShardThatRefusesEndsTheSource) {
  ReplaySourceOptions options = SourceOptions();
  options.run_id = "another";
  auto source = *ShardedReplaySource::Create(addresses_, options);
  EXPECT_EQ(source->Sample(Items(1)).status().code(), absl::StatusCode::kFailedPrecondition);
}

}  // namespace
}  // namespace cadre
