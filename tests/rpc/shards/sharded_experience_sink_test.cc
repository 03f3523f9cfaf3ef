// An actor and two servers that share a replay.
#include "rpc/shards/sharded_experience_sink.h"

#include <atomic>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "absl/synchronization/notification.h"
#include "common/process/event.h"
#include "gmock/gmock.h"
#include "proto/experience.grpc.pb.h"
#include "tests/rpc/table_client.h"

namespace cadre {
namespace {

using ::testing::HasSubstr;

constexpr int64_t kSteps = 4;  // In a rollout.

class ShardedExperienceSinkTest : public ::testing::Test {
 protected:
  ShardedExperienceSinkTest() {
    for (int shard = 0; shard < 2; ++shard) {
      servers_[shard].emplace(Table());
      addresses_.push_back(servers_[shard]->server->address());
    }
  }
  static TableOptions Table() { return ReplayTableOptions(); }
  ShardedSinkOptions Options(size_t first = 0) const {
    ShardedSinkOptions options;
    for (const std::string& address : addresses_) options.places.push_back({address, "replay"});
    options.first = first;
    options.ask_every = absl::Milliseconds(5);
    options.sink.run_id = kReplayRun;
    options.sink.spec = ReplaySpec();
    options.sink.name = "test";
    options.sink.max_unsettled_rollouts = 2;
    options.sink.outage = SourceOptions().outage;
    options.sink.channel = SourceOptions().channel;
    return options;
  }
  std::unique_ptr<ShardedExperienceSink> Sink(const ShardedSinkOptions& options) const {
    auto sink = ShardedExperienceSink::Create(options);
    EXPECT_TRUE(sink.ok()) << sink.status();
    return *std::move(sink);
  }
  int64_t Inserted(int shard) const { return servers_[shard]->table->Info().inserted_steps(); }
  static absl::Status AppendOne(ShardedExperienceSink& sink) {
    return sink.Append(ReplayRollout(1, kSteps));
  }
  // Appends until `condition` holds; how many rollouts.
  template <typename Condition>
  int64_t AppendUntil(ShardedExperienceSink& sink, Condition condition) {
    int64_t rollouts = 0;
    EXPECT_TRUE(Eventually([&] {
      EXPECT_EQ(AppendOne(sink), absl::OkStatus());
      ++rollouts;
      return condition();
    }));
    return rollouts;
  }

  std::optional<TableServer> servers_[2];
  std::vector<std::string> addresses_;
};

TEST_F(ShardedExperienceSinkTest, OfOneServerItIsAPlainSink) {
  ShardedSinkOptions options = Options();
  options.places.pop_back();
  const auto sink = Sink(options);
  ASSERT_EQ(sink->WaitConnected(), absl::OkStatus());
  for (int i = 0; i < 5; ++i) ASSERT_EQ(AppendOne(*sink), absl::OkStatus());
  ASSERT_EQ(sink->Flush(absl::Seconds(30)), absl::OkStatus());
  EXPECT_EQ(Inserted(0), 5 * kSteps);
  EXPECT_EQ(sink->counts().appended, 5);
  EXPECT_EQ(sink->counts().unsettled, 0);
}

TEST_F(ShardedExperienceSinkTest, ASingleActorFeedsBothServersAndEachStepIsThereOnce) {
  const auto sink = Sink(Options(1));
  const int64_t rollouts = AppendUntil(
      *sink, [&] { return Inserted(0) > 0 && sink->current() == 1 && Inserted(1) > 0; });
  ASSERT_EQ(sink->Flush(absl::Seconds(30)), absl::OkStatus());
  EXPECT_EQ(Inserted(0) + Inserted(1), rollouts * kSteps);
  for (const auto& server : servers_) {
    // Each time another writer: a table joins nothing over the steps that are elsewhere.
    EXPECT_EQ(server->table->Info().duplicate_rollouts(), 0);
    EXPECT_EQ(server->table->Info().refused_rollouts(), 0);
  }
  EXPECT_EQ(sink->counts().appended, rollouts);
}

TEST_F(ShardedExperienceSinkTest, AServerThatDiesIsLeftInTheMiddleOfAnAppend) {
  const auto sink = Sink(Options(0));
  ASSERT_EQ(sink->WaitConnected(), absl::OkStatus());
  servers_[0]->server->Shutdown(absl::ZeroDuration());
  servers_[0].reset();
  // More than the window holds: one of them waits for room until it goes elsewhere.
  for (int i = 0; i < 10; ++i) ASSERT_EQ(AppendOne(*sink), absl::OkStatus());
  EXPECT_EQ(sink->current(), 1);
  EXPECT_TRUE(Eventually([&] { return Inserted(1) >= 8 * kSteps; }));
}

TEST_F(ShardedExperienceSinkTest, WhatTheDeadServerHadNotSettledItGetsOnceItIsBack) {
  const auto sink = Sink(Options(0));
  ASSERT_EQ(sink->WaitConnected(), absl::OkStatus());
  servers_[0]->server->Shutdown(absl::ZeroDuration());
  servers_[0].reset();
  for (int i = 0; i < 10; ++i) ASSERT_EQ(AppendOne(*sink), absl::OkStatus());
  servers_[0].emplace(Table(), addresses_[0]);
  ASSERT_EQ(sink->Flush(absl::Seconds(30)), absl::OkStatus());
  EXPECT_EQ(Inserted(0) + Inserted(1), 10 * kSteps);
}

TEST_F(ShardedExperienceSinkTest, AnActorBeginsWithTheServerThatIsThere) {
  servers_[0]->server->Shutdown(absl::ZeroDuration());
  servers_[0].reset();
  const auto sink = Sink(Options(0));
  EXPECT_EQ(sink->WaitConnected(), absl::OkStatus());
  EXPECT_EQ(sink->current(), 1);
  EXPECT_EQ(sink->counts().connections, 1) << "that server has accepted it";
}

TEST_F(ShardedExperienceSinkTest, OneThatIsHeldBackGoesWhereNobodyFeedsTheTable) {
  // As a table whose samplers wait for another shard: two rollouts, and no more.
  TableOptions full = Table();
  full.config.mutable_rate_limiter()->set_samples_per_insert(1);
  full.config.mutable_rate_limiter()->set_error_buffer(2 * kSteps);
  servers_[0].emplace(full);
  addresses_[0] = servers_[0]->server->address();
  const auto sink = Sink(Options(0));
  AppendUntil(*sink, [&] { return Inserted(1) > 0; });
}

TEST_F(ShardedExperienceSinkTest, OfTwoQueuesTheOneWhoseLearnerLacksActorsIsFed) {
  QueueOptions first, second;
  first.name = "on_policy/0";
  second.name = "on_policy/1";
  first.capacity_steps = second.capacity_steps = 8 * kSteps;
  Queue queues[] = {Queue(first), Queue(second)};
  ExperienceService service({&queues[0], &queues[1]});
  const auto server = *RpcServer::Create("127.0.0.1:0", {&service});
  ShardedSinkOptions options = Options();
  options.places = {{server->address(), first.name}, {server->address(), second.name}};
  const auto sink = Sink(options);
  std::thread actor([&sink] {
    while (AppendOne(*sink).ok()) {
    }
  });
  // No learner takes from either.
  EXPECT_TRUE(
      Eventually([&] { return sink->counts().connections == 1 && sink->counts().unsettled == 2; }));
  EXPECT_EQ(sink->current(), 0);
  absl::Notification fed;
  const uint64_t consumer = *queues[1].OpenConsumer(kReplayRun, ReplaySpec());
  queues[1].Take(consumer, kSteps, 0, [&fed](const absl::StatusOr<Lease>& lease) {
    EXPECT_TRUE(lease.ok()) << lease.status();
    fed.Notify();
  });
  EXPECT_TRUE(fed.WaitForNotificationWithTimeout(absl::Seconds(30)));
  sink->Close();
  actor.join();
  EXPECT_EQ(queues[0].Info().dropped_stale_rollouts() + queues[1].Info().duplicate_rollouts(), 0);
}

TEST_F(ShardedExperienceSinkTest, OneActorFeedsTwoQueuesAsFastAsItsLearnersNeed) {
  QueueOptions first, second;
  first.name = "on_policy/0";
  second.name = "on_policy/1";
  Queue queues[] = {Queue(first), Queue(second)};
  ExperienceService service({&queues[0], &queues[1]});
  const auto server = *RpcServer::Create("127.0.0.1:0", {&service});
  ShardedSinkOptions options = Options();
  options.places = {{server->address(), first.name}, {server->address(), second.name}};
  options.ask_every = absl::Hours(1);  // Whatever moves the actor is no clock.
  const auto sink = Sink(options);
  std::thread actor([&sink] {
    while (AppendOne(*sink).ok()) {
    }
  });
  const uint64_t consumers[] = {*queues[0].OpenConsumer(kReplayRun, ReplaySpec()),
                                *queues[1].OpenConsumer(kReplayRun, ReplaySpec())};
  // Learners that move one model together: both need a batch for each update.
  for (int update = 0; update < 50; ++update) {
    absl::StatusOr<Lease> leases[2];
    Event taken[2];
    for (int i = 0; i < 2; ++i)
      queues[i].Take(consumers[i], 2 * kSteps, 0, [&, i](absl::StatusOr<Lease> lease) {
        leases[i] = std::move(lease);
        taken[i].Notify();
      });
    const bool in_time = taken[0].WaitFor(absl::Seconds(30)) && taken[1].WaitFor(absl::Seconds(30));
    if (!in_time) {
      for (Queue& queue : queues) queue.Close();  // No take may outlive this.
      ADD_FAILURE() << "the actor feeds one of them only, at update " << update;
      break;
    }
    for (int i = 0; i < 2; ++i) EXPECT_EQ(queues[i].Acknowledge(leases[i]->id), absl::OkStatus());
  }
  sink->Close();
  actor.join();
}

// Says what Set() was given, and counts how often it was asked.
class FakeServer final : public v1::ExperienceService::Service {
 public:
  void Set(const v1::InfoResponse& info) {
    absl::MutexLock lock(&mutex_);
    info_ = info;
  }
  void SetTables(const std::vector<std::string>& names) {
    v1::InfoResponse info;
    for (const std::string& name : names) info.add_tables()->set_name(name);
    Set(info);
  }
  // Until that many more rounds of questions have begun, and all before them have ended.
  void AwaitRounds(int rounds) {
    absl::MutexLock lock(&mutex_);
    const int enough = asked_ + rounds;
    const auto more = [&] { return asked_ >= enough; };
    mutex_.Await(absl::Condition(&more));
  }

 private:
  grpc::Status Info(grpc::ServerContext*, const v1::InfoRequest*,
                    v1::InfoResponse* response) override {
    absl::MutexLock lock(&mutex_);
    ++asked_;
    *response = info_;
    return grpc::Status::OK;
  }

  absl::Mutex mutex_;
  v1::InfoResponse info_ ABSL_GUARDED_BY(mutex_);
  int asked_ ABSL_GUARDED_BY(mutex_) = 0;
};

// What happens to a FakeSink, which it may outlive.
struct FakePlace {
  Event appending, may_append;
  std::atomic<int64_t> appended = 0, unsettled = 0;
  std::atomic<bool> gone = false;
  std::atomic<bool> full = false;
  absl::Mutex mutex;  // Of those who wait for room.
};

// Its Append takes as long as it is told to.
class FakeSink final : public PlaceSink {
 public:
  explicit FakeSink(FakePlace* place) : place_(place) {}
  ~FakeSink() override { place_->gone = true; }

  absl::Status Append(v1::Rollout) override {
    place_->appending.Notify();
    place_->may_append.Wait();
    ++place_->appended;
    ++place_->unsettled;
    return absl::OkStatus();
  }
  void Close() override {
    absl::MutexLock lock(&place_->mutex);
    place_->full = false;
  }
  absl::Status WaitConnected(const std::atomic<bool>&) override { return absl::OkStatus(); }
  bool HasRoom(int64_t) const override { return !place_->full; }
  void WaitForRoom(int64_t, const std::atomic<bool>& interrupted) override {
    const auto room = [&] { return !place_->full || interrupted; };
    absl::MutexLock lock(&place_->mutex);
    place_->mutex.Await(absl::Condition(&room));
  }
  void Wake() override { absl::MutexLock lock(&place_->mutex); }
  absl::Status Flush(absl::Duration) override { return absl::OkStatus(); }
  Counts counts() const override {
    Counts counts;
    counts.appended = place_->appended;
    counts.unsettled = place_->unsettled;
    return counts;
  }
  absl::Status end() const override { return absl::OkStatus(); }

 private:
  FakePlace* const place_;
};

TEST_F(ShardedExperienceSinkTest, ASinkIsKeptWhileAnAppendIsOnItsWayIntoIt) {
  FakeServer service;
  service.SetTables({"first", "second"});
  const auto server = *RpcServer::Create("127.0.0.1:0", {&service});
  FakePlace first, second;
  second.may_append.Notify();
  ShardedSinkOptions options = Options();
  options.places = {{server->address(), "first"}, {server->address(), "second"}};
  options.make_sink = [&](const ExperienceSinkOptions& sink) {
    return std::make_unique<FakeSink>(sink.target == "first" ? &first : &second);
  };
  const auto sink = Sink(options);
  std::thread actor([&] { EXPECT_EQ(AppendOne(*sink), absl::OkStatus()); });
  first.appending.Wait();
  service.SetTables({"second"});  // The first one is lost.
  ASSERT_TRUE(Eventually([&] { return sink->current() == 1; }));
  // It has nothing that is not settled: it would be forgotten.
  service.AwaitRounds(3);
  first.may_append.Notify();
  actor.join();
  service.AwaitRounds(3);
  EXPECT_FALSE(first.gone) << "with a rollout that is not settled";
  EXPECT_EQ(sink->counts().appended, 1);
  EXPECT_EQ(sink->counts().unsettled, 1);
  first.unsettled = 0;
  EXPECT_TRUE(Eventually([&] { return first.gone.load(); }));
  EXPECT_EQ(sink->counts().appended, 1);
}

// Whether the actor is held back or not.
TEST_F(ShardedExperienceSinkTest, AnEmptyQueueThatNoLearnerTakesFromLacksNothing) {
  for (const bool full : {false, true}) {
    FakeServer service;
    v1::InfoResponse info;
    info.add_queues()->set_name("first");
    info.add_queues()->set_name("second");
    service.Set(info);
    const auto server = *RpcServer::Create("127.0.0.1:0", {&service});
    FakePlace first, second;
    first.full = full;
    first.may_append.Notify();
    second.may_append.Notify();
    ShardedSinkOptions options = Options();
    options.places = {{server->address(), "first"}, {server->address(), "second"}};
    options.make_sink = [&](const ExperienceSinkOptions& sink) {
      return std::make_unique<FakeSink>(sink.target == "first" ? &first : &second);
    };
    const auto sink = Sink(options);
    std::atomic<bool> over = false;
    std::thread actor([&] {
      for (; !over; std::this_thread::yield()) EXPECT_EQ(AppendOne(*sink), absl::OkStatus());
    });
    for (int i = 0; i < 50; ++i) {  // Rounds in each of which the actor is busy.
      const int64_t before = first.appended;
      if (!Eventually([&] { return full || first.appended > before; })) break;
      service.AwaitRounds(2);
    }
    EXPECT_EQ(sink->current(), 0);
    info.mutable_queues(1)->set_waiting_consumers(1);
    service.Set(info);
    EXPECT_TRUE(Eventually([&] { return second.appended > 0; }));
    over = true;
    sink->Close();
    actor.join();
  }
}

TEST_F(ShardedExperienceSinkTest, WhatAServerRefusesForGoodEndsIt) {
  ShardedSinkOptions options = Options();
  options.sink.run_id = "another";
  const auto sink = Sink(options);
  absl::Status status = sink->WaitConnected();
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition) << status;
}

TEST_F(ShardedExperienceSinkTest, CloseEndsAnAppendThatWaits) {
  for (auto& server : servers_) {
    server->server->Shutdown(absl::ZeroDuration());
    server.reset();
  }
  const auto sink = Sink(Options());
  std::thread closer([&] {
    EXPECT_TRUE(Eventually([&] { return sink->counts().unsettled == 2; }));
    sink->Close();
  });
  absl::Status status;
  while (status.ok()) status = AppendOne(*sink);
  EXPECT_EQ(status.code(), absl::StatusCode::kCancelled);
  closer.join();
}

TEST_F(ShardedExperienceSinkTest, BadOptionsAreRefused) {
  ShardedSinkOptions options = Options();
  options.first = 2;
  EXPECT_EQ(ShardedExperienceSink::Create(options).status().code(),
            absl::StatusCode::kInvalidArgument);
  options = Options();
  options.places[1].address = "nonsense";
  const absl::Status status = ShardedExperienceSink::Create(options).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(status.message()), HasSubstr("nonsense"));
}

}  // namespace
}  // namespace cadre
