// Clients in a process that may not have another thread: they say so, and go on once it may.
#include <pthread.h>

#include <memory>
#include <string>
#include <thread>

#include "absl/status/status.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "rpc/client/experience_client.h"
#include "rpc/client/parameter_client.h"
#include "rpc/client/replay_source.h"
#include "rpc/client/work_reporter.h"
#include "rpc/shards/sharded_experience_sink.h"
#include "rpc/shards/sharded_replay_source.h"
#include "tests/no_threads.h"
#include "tests/replay_server/example_rollouts.h"
#include "tests/replay_server/experience_server.h"

namespace cadre {
namespace {

using ::testing::HasSubstr;

TableOptions ExampleTable() {
  TableOptions options;
  options.run_id = kRun;
  options.config.set_name("replay");
  options.config.set_capacity_bytes(1 << 20);
  return options;
}

// gRPC has its own threads by the time that the limit is reached.
class ThreadLimitTest : public ::testing::Test {
 protected:
  template <typename Options>
  Options ClientOptions() const {
    Options options;
    options.address = server_.server->address();
    options.run_id = kRun;
    options.spec = ExampleSpec();
    options.name = "test";
    options.outage.backoff.initial = absl::Milliseconds(5);
    options.outage.backoff.maximum = absl::Milliseconds(20);
    return options;
  }
  ExperienceSinkOptions SinkOptions() const {
    auto options = ClientOptions<ExperienceSinkOptions>();
    options.target = "replay";
    return options;
  }

  TableServer server_{ExampleTable()};
};

void ExpectLimitReached(const absl::Status& status, const std::string& thread) {
  EXPECT_EQ(status.code(), absl::StatusCode::kResourceExhausted) << status;
  EXPECT_THAT(std::string(status.message()),
              HasSubstr("cannot start a thread for " + thread + ": the limit of threads"));
}

TEST_F(ThreadLimitTest, NoClientIsMadeWithoutItsThread) {
  pthread_setname_np(pthread_self(), "test");
  const NoThreads limit("test");
  ExpectLimitReached(RemoteExperienceSink::Create(SinkOptions()).status(), "append-send");
  ShardedSinkOptions sharded;
  sharded.sink = SinkOptions();
  sharded.places = {{server_.server->address(), "replay"}};
  ExpectLimitReached(ShardedExperienceSink::Create(sharded).status(), "append-send");
  const auto source = ClientOptions<ReplaySourceOptions>();
  ExpectLimitReached(RemoteReplaySource::Create(source).status(), "sample-send");
  ExpectLimitReached(MakeRemoteReplaySource({source.address, source.address}, source).status(),
                     "sample-send");
  ParameterClientOptions parameters;
  parameters.address = source.address;
  ExpectLimitReached(RemoteParameterSource::Create(parameters).status(), "param-watch");
  ExpectLimitReached(RemoteParameterSink::Create(parameters).status(), "param-guard");
  const WorkReporter nothing_depends_on_it(
      {.channel = *MakeChannel(source.address), .run_id = kRun},
      [](CallGroup&) { return v1::WorkReport(); });
}

TEST_F(ThreadLimitTest, ASinkAppendsOnceItCanRead) {
  std::unique_ptr<RemoteExperienceSink> sink;
  {
    const NoThreads limit("append-send");
    sink = *RemoteExperienceSink::Create(SinkOptions());
    EXPECT_EQ(sink->Append(ExampleRollout(10)), absl::OkStatus());
    EXPECT_TRUE(Eventually([&] { return limit.refused() >= 2; }));
  }
  EXPECT_EQ(sink->Flush(absl::Seconds(30)), absl::OkStatus());
  EXPECT_EQ(server_.table->Info().inserted_rollouts(), 1);
}

TEST_F(ThreadLimitTest, ASourceSamplesOnceItCanRead) {
  const auto sink = *RemoteExperienceSink::Create(SinkOptions());
  EXPECT_EQ(sink->Append(ExampleRollout(10)), absl::OkStatus());
  ASSERT_EQ(sink->Flush(absl::Seconds(30)), absl::OkStatus());
  std::unique_ptr<RemoteReplaySource> source;
  {
    const NoThreads limit("sample-send");
    source = *RemoteReplaySource::Create(ClientOptions<ReplaySourceOptions>());
    EXPECT_TRUE(Eventually([&] { return limit.refused() >= 2; }));
  }
  EXPECT_TRUE(source->Sample({.items = 1}).ok());
}

TEST_F(ThreadLimitTest, AConsumerTakesOnceItCanRead) {
  const auto source = *RemoteExperienceSource::Create(ClientOptions<ExperienceClientOptions>());
  absl::Status taken;
  std::thread taker;
  {
    const NoThreads limit("taker");
    taker = std::thread([&] {
      pthread_setname_np(pthread_self(), "taker");
      taken = source->Take(10, 0).status();
    });
    EXPECT_TRUE(Eventually([&] { return limit.refused() >= 2; }));
  }
  auto options = ClientOptions<ExperienceSinkOptions>();
  const auto sink = *RemoteExperienceSink::Create(options);
  EXPECT_EQ(sink->Append(ExampleRollout(10)), absl::OkStatus());
  taker.join();
  EXPECT_EQ(taken, absl::OkStatus());
}

}  // namespace
}  // namespace cadre
