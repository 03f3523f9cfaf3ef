// The clients against a real server on loopback that is broken in every way.
#include "rpc/client/experience_client.h"

#include <cstdint>
#include <limits>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/synchronization/notification.h"
#include "absl/time/clock.h"
#include "common/random.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/replay_server/example_rollouts.h"
#include "tests/replay_server/experience_server.h"

namespace cadre {
namespace {

using ::testing::AnyOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

QueueOptions ManySteps() {
  QueueOptions options;
  options.capacity_steps = 1000;
  return options;
}

class ExperienceClientTest : public ::testing::Test {
 protected:
  template <typename Options>
  Options ClientOptions() const {
    Options options;
    options.address = address_;
    options.run_id = kRun;
    options.spec = ExampleSpec();
    options.name = "test";
    options.outage.backoff.initial = absl::Milliseconds(5);
    options.outage.backoff.maximum = absl::Milliseconds(20);
    options.channel.initial_reconnect_backoff = absl::Milliseconds(5);
    options.channel.maximum_reconnect_backoff = absl::Milliseconds(20);
    return options;
  }
  ExperienceSinkOptions SinkOptions() const { return ClientOptions<ExperienceSinkOptions>(); }
  ExperienceClientOptions SourceOptions() const { return ClientOptions<ExperienceClientOptions>(); }

  std::unique_ptr<RemoteExperienceSink> Sink() const {
    return *RemoteExperienceSink::Create(SinkOptions());
  }
  std::unique_ptr<RemoteExperienceSource> Source() const {
    return *RemoteExperienceSource::Create(SourceOptions());
  }

  // Ends the server as a crash would, with all that was in its queue, and starts an
  // empty one at the same address.
  void Crash() {
    server_->Kill();
    server_.reset();
    server_.emplace(ManySteps(), address_);
  }
  v1::QueueInfo Info() const { return server_->queue.Info(); }

  static std::vector<uint64_t> Sequences(const Lease& lease) {
    std::vector<uint64_t> sequences;
    for (const v1::Rollout& rollout : lease.rollouts) sequences.push_back(rollout.sequence());
    return sequences;
  }

  std::optional<ExperienceServer> server_{std::in_place, ManySteps()};
  const std::string address_ = server_->server->address();
};

constexpr absl::Duration kLong = absl::Seconds(30);

TEST_F(ExperienceClientTest, WhatIsAppendedIsTakenUnchangedAndSettled) {
  auto sink = Sink();
  auto source = Source();
  ASSERT_EQ(sink->Append(ExampleRollout(10, 3)), absl::OkStatus());
  ASSERT_EQ(sink->Append(ExampleRollout(20, 3)), absl::OkStatus());
  const Lease lease = *source->Take(30, 3);
  ASSERT_THAT(Sequences(lease), ElementsAre(1, 2));
  v1::Rollout sent = ExampleRollout(20, 3);
  sent.set_run_id(kRun);
  sent.set_writer_id(sink->writer_id());
  sent.set_sequence(2);
  EXPECT_EQ(lease.rollouts[1].SerializeAsString(), sent.SerializeAsString());
  EXPECT_EQ(source->Acknowledge(lease.id), absl::OkStatus());
  EXPECT_EQ(source->Acknowledge(lease.id).code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(sink->Flush(kLong), absl::OkStatus());
  EXPECT_EQ(sink->counts().unsettled, 0);
  EXPECT_EQ(Info().acknowledged_rollouts(), 2);
}

TEST_F(ExperienceClientTest, AnotherSpecEndsTheSinkAndShowsBoth) {
  auto first = Sink();
  ASSERT_EQ(first->WaitConnected(), absl::OkStatus());
  ExperienceSinkOptions options = SinkOptions();
  options.spec.mutable_columns(0)->set_shape(0, 3);
  auto sink = *RemoteExperienceSink::Create(options);
  EXPECT_EQ(sink->WaitConnected().code(), absl::StatusCode::kFailedPrecondition);
  v1::Rollout rollout = ExampleRollout(1);
  rollout.mutable_columns(0)->resize(24);
  const absl::Status status = sink->Append(rollout);
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(status.message()), HasSubstr("replay server at " + address_));
  EXPECT_THAT(std::string(status.message()), HasSubstr("got {obs float32[3]"));
  EXPECT_THAT(std::string(status.message()), HasSubstr("wanted {obs float32[2]"));
}

TEST_F(ExperienceClientTest, AnotherRunIsRefusedToBothEnds) {
  auto first = Sink();
  ASSERT_EQ(first->WaitConnected(), absl::OkStatus());
  ExperienceSinkOptions sink_options = SinkOptions();
  sink_options.run_id = "run-2";
  auto sink = *RemoteExperienceSink::Create(sink_options);
  EXPECT_EQ(sink->WaitConnected().code(), absl::StatusCode::kFailedPrecondition);
  ExperienceClientOptions source_options = SourceOptions();
  source_options.run_id = "run-2";
  auto source = *RemoteExperienceSource::Create(source_options);
  const absl::Status status = source->Take(1, 0).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(status.message()), HasSubstr("got run id 'run-2'; wanted 'run-1'"));
}

TEST_F(ExperienceClientTest, AServerThatIsNotThereIsNamed) {
  server_->Kill();
  ExperienceSinkOptions sink_options = SinkOptions();
  sink_options.outage.connect_timeout = absl::Milliseconds(50);
  auto sink = *RemoteExperienceSink::Create(sink_options);
  const absl::Status status = sink->WaitConnected();
  EXPECT_EQ(status.code(), absl::StatusCode::kUnavailable);
  EXPECT_THAT(std::string(status.message()), HasSubstr(address_));
  EXPECT_EQ(sink->Append(ExampleRollout(1)), status);
  ExperienceClientOptions source_options = SourceOptions();
  source_options.outage.connect_timeout = absl::Milliseconds(50);
  auto source = *RemoteExperienceSource::Create(source_options);
  EXPECT_EQ(source->Take(1, 0).status().code(), absl::StatusCode::kUnavailable);
}

TEST_F(ExperienceClientTest, AServerThatDoesNotComeBackIsGivenUp) {
  ExperienceSinkOptions options = SinkOptions();
  options.outage.reconnect_timeout = absl::Milliseconds(50);
  auto sink = *RemoteExperienceSink::Create(options);
  ASSERT_EQ(sink->WaitConnected(), absl::OkStatus());
  ASSERT_EQ(sink->Append(ExampleRollout(1)), absl::OkStatus());
  server_->Kill();
  const absl::Status status = sink->Flush(kLong);
  EXPECT_EQ(status.code(), absl::StatusCode::kUnavailable);
  EXPECT_THAT(std::string(status.message()), HasSubstr("gave up after 50ms"));
}

TEST_F(ExperienceClientTest, AServerThatComesLateIsWaitedFor) {
  server_->Kill();
  auto sink = Sink();
  ASSERT_EQ(sink->Append(ExampleRollout(10)), absl::OkStatus());
  server_.reset();
  server_.emplace(ManySteps(), address_);
  EXPECT_EQ(sink->WaitConnected(), absl::OkStatus());
  EXPECT_THAT(Sequences(*Source()->Take(10, 0)), ElementsAre(1));
}

TEST_F(ExperienceClientTest, BadOptionsAreRefused) {
  ExperienceSinkOptions options = SinkOptions();
  options.max_unsettled_rollouts = 1025;
  EXPECT_EQ(RemoteExperienceSink::Create(options).status().message(),
            "max_unsettled_rollouts: got 1025; wanted 1 to 1024");
  options = SinkOptions();
  options.address = "nowhere";
  EXPECT_EQ(RemoteExperienceSink::Create(options).status().code(),
            absl::StatusCode::kInvalidArgument);
  options = SinkOptions();
  options.spec.clear_columns();
  EXPECT_EQ(RemoteExperienceSink::Create(options).status().code(),
            absl::StatusCode::kInvalidArgument);
}

TEST_F(ExperienceClientTest, ARolloutThatDoesNotFitTheSpecIsRefusedAtOnce) {
  auto sink = Sink();
  v1::Rollout bad = ExampleRollout(10);
  bad.mutable_columns(1)->clear();
  EXPECT_EQ(sink->Append(bad).message(), "column 'reward' has 0 bytes; wanted 10 rows of 4 bytes");
  ASSERT_EQ(sink->Append(ExampleRollout(10)), absl::OkStatus());
  EXPECT_THAT(Sequences(*Source()->Take(10, 0)), ElementsAre(1));
}

TEST_F(ExperienceClientTest, WhatTheServerRefusesIsToldByFlushAndTheRestGoesOn) {
  auto sink = Sink();
  auto source = Source();
  ASSERT_EQ(sink->Append(ExampleRollout(10, -5)), absl::OkStatus());
  ASSERT_EQ(sink->Append(ExampleRollout(10, 0)), absl::OkStatus());
  const Lease lease = *source->Take(10, 0);
  EXPECT_THAT(Sequences(lease), ElementsAre(2));
  ASSERT_EQ(source->Acknowledge(lease.id), absl::OkStatus());
  const absl::Status status = sink->Flush(kLong);
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(status.message()),
              HasSubstr("refused rollout 1: rollout has version -5; wanted 0 or more"));
  EXPECT_EQ(sink->Flush(kLong), absl::OkStatus()) << "told once";
  EXPECT_EQ(sink->counts().refused, 1);
}

v1::Rollout WithNan() {
  v1::Rollout bad = ExampleRollout(10);
  const float nan = std::numeric_limits<float>::quiet_NaN();
  bad.mutable_columns(1)->replace(0, sizeof nan, reinterpret_cast<const char*>(&nan), sizeof nan);
  return bad;
}

TEST_F(ExperienceClientTest, AValueThatIsNotFiniteIsRefusedByTheServerAlone) {
  auto sink = Sink();
  auto source = Source();
  EXPECT_EQ(sink->Append(WithNan()), absl::OkStatus());
  ASSERT_EQ(sink->Append(ExampleRollout(10)), absl::OkStatus());
  const Lease lease = *source->Take(10, 0);
  EXPECT_THAT(Sequences(lease), ElementsAre(2)) << "what is missing shows";
  ASSERT_EQ(source->Acknowledge(lease.id), absl::OkStatus());
  EXPECT_EQ(sink->Flush(kLong).message(),
            "replay server at " + address_ +
                " refused rollout 1: column 'reward', row 0 is nan; wanted a finite number");
  EXPECT_EQ(sink->counts().refused, 1);
  EXPECT_EQ(Info().refused_rollouts(), 1);
}

TEST_F(ExperienceClientTest, AWriterThatCannotGoOnAfterARefusalHearsOfTheValueAtOnce) {
  ExperienceSinkOptions options = SinkOptions();
  options.max_refusals = 1;
  auto sink = *RemoteExperienceSink::Create(options);
  EXPECT_EQ(sink->Append(WithNan()).message(),
            "column 'reward', row 0 is nan; wanted a finite number");
  ASSERT_EQ(sink->Append(ExampleRollout(10)), absl::OkStatus());
  auto source = Source();
  const Lease lease = *source->Take(10, 0);
  EXPECT_THAT(Sequences(lease), ElementsAre(2)) << "what is missing shows";
  ASSERT_EQ(source->Acknowledge(lease.id), absl::OkStatus());
  EXPECT_EQ(sink->Flush(kLong), absl::OkStatus()) << "the caller knew";
  EXPECT_EQ(Info().refused_rollouts(), 1);
}

TEST_F(ExperienceClientTest, AWriterOfWhichEverythingIsRefusedEndsWithTheReason) {
  absl::Notification ended;
  ExperienceSinkOptions options = SinkOptions();
  options.on_end = [&ended] { ended.Notify(); };
  auto sink = *RemoteExperienceSink::Create(options);
  for (int i = 0; i < RefusedInARow::kFirst; ++i)
    sink->Append(ExampleRollout(10, -5)).IgnoreError();
  ended.WaitForNotification();
  EXPECT_EQ(sink->end().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(sink->end().message()),
              HasSubstr("refused 20 rollouts in a row: rollout has version -5; wanted 0 or more"));
  EXPECT_EQ(sink->Append(ExampleRollout(10)), sink->end());
}

TEST_F(ExperienceClientTest, AWriterOfWhichSomeAreTakenGoesOn) {
  auto sink = Sink();
  for (int i = 0; i < 3 * RefusedInARow::kFirst; ++i)
    ASSERT_EQ(sink->Append(ExampleRollout(1, i % 2 == 0 ? -5 : 0)), absl::OkStatus());
  EXPECT_EQ(Source()->Take(3 * RefusedInARow::kFirst / 2, 0)->rollouts.size(),
            3 * RefusedInARow::kFirst / 2);
  EXPECT_EQ(sink->end(), absl::OkStatus());
}

TEST_F(ExperienceClientTest, AFullQueueHoldsTheWriterBack) {
  ExperienceSinkOptions options = SinkOptions();
  options.max_unsettled_rollouts = 5;
  auto sink = *RemoteExperienceSink::Create(options);
  constexpr int kRollouts = 40;
  std::thread writer([&] {
    for (int i = 0; i < kRollouts; ++i)
      ASSERT_EQ(sink->Append(ExampleRollout(600)), absl::OkStatus());
  });
  auto source = Source();
  for (int consumed = 0; consumed < kRollouts; ++consumed) {
    const bool queue_full =
        Eventually([&] { return Info().blocked_writers() == 1 || consumed == kRollouts - 1; });
    ASSERT_TRUE(queue_full);
    EXPECT_LE(sink->counts().appended, consumed + 5);
    EXPECT_LE(Info().waiting_rollouts(), 1);
    const Lease lease = *source->Take(600, 0);
    ASSERT_EQ(source->Acknowledge(lease.id), absl::OkStatus());
  }
  writer.join();
  EXPECT_EQ(sink->Flush(kLong), absl::OkStatus());
}

TEST_F(ExperienceClientTest, AWindowBoundedInBytesHoldsTheWriterBack) {
  ExperienceSinkOptions options = SinkOptions();
  options.max_unsettled_bytes = 1;  // One rollout is let in nevertheless.
  auto sink = *RemoteExperienceSink::Create(options);
  ASSERT_EQ(sink->Append(ExampleRollout(10)), absl::OkStatus());
  std::thread writer([&] { EXPECT_EQ(sink->Append(ExampleRollout(10)), absl::OkStatus()); });
  auto source = Source();
  const Lease first = *source->Take(10, 0);
  EXPECT_EQ(sink->counts().appended, 1);
  ASSERT_EQ(source->Acknowledge(first.id), absl::OkStatus());
  writer.join();
  EXPECT_THAT(Sequences(*source->Take(10, 0)), ElementsAre(2));
}

TEST_F(ExperienceClientTest, WhatWasUsedBeforeACrashIsNotHandedOutAgain) {
  auto sink = Sink();
  auto source = Source();
  for (int i = 0; i < 2; ++i) ASSERT_TRUE(sink->Append(ExampleRollout(10)).ok());
  const Lease used = *source->Take(20, 0);
  Crash();
  EXPECT_EQ(source->Acknowledge(used.id), absl::OkStatus()) << "void, but remembered";
  ASSERT_TRUE(sink->Append(ExampleRollout(10)).ok());
  const Lease lease = *source->Take(10, 0);
  EXPECT_THAT(Sequences(lease), ElementsAre(3));
  EXPECT_EQ(source->duplicates(), 2);
  ASSERT_EQ(source->Acknowledge(lease.id), absl::OkStatus());
  EXPECT_EQ(sink->Flush(kLong), absl::OkStatus()) << "1 and 2 were acknowledged too";
  // And 3 again, where it was first written to the stream that was about to break.
  EXPECT_THAT(sink->counts().resent, AnyOf(2, 3));
}

TEST_F(ExperienceClientTest, WhatIsInUseDuringACrashIsNotHandedOutAgainNorLost) {
  auto sink = Sink();
  auto source = Source();
  for (int i = 0; i < 2; ++i) ASSERT_TRUE(sink->Append(ExampleRollout(10)).ok());
  const Lease in_use = *source->Take(20, 0);
  Crash();
  ASSERT_TRUE(sink->Append(ExampleRollout(10)).ok());
  ASSERT_TRUE(Eventually([&] { return Info().waiting_rollouts() == 3; }));
  const Lease lease = *source->Take(10, 0);
  EXPECT_THAT(Sequences(lease), ElementsAre(3));
  ASSERT_EQ(source->Acknowledge(lease.id), absl::OkStatus());
  // Once the next take is answered, the server has read that acknowledgement. Should
  // this consumer die now, 1 and 2 must still be there.
  ASSERT_TRUE(sink->Append(ExampleRollout(10)).ok());
  const Lease next = *source->Take(10, 0);
  EXPECT_EQ(Info().acknowledged_rollouts(), 1);
  ASSERT_EQ(source->Acknowledge(next.id), absl::OkStatus());
  ASSERT_EQ(source->Acknowledge(in_use.id), absl::OkStatus());
  EXPECT_EQ(sink->Flush(kLong), absl::OkStatus());
  EXPECT_EQ(Info().acknowledged_rollouts(), 4);
}

TEST_F(ExperienceClientTest, EachRolloutIsUsedOnceHoweverOftenTheServerCrashes) {
  constexpr uint64_t kRollouts = 300;
  ExperienceSinkOptions options = SinkOptions();
  options.max_unsettled_rollouts = 20;
  auto sink = *RemoteExperienceSink::Create(options);
  auto source = Source();
  std::thread writer([&] {
    for (uint64_t i = 0; i < kRollouts; ++i)
      ASSERT_EQ(sink->Append(ExampleRollout(1 + static_cast<int64_t>(i % 9))), absl::OkStatus());
  });
  std::map<uint64_t, int> used;
  Random random(3);
  std::vector<uint64_t> open_leases;
  while (used.size() < kRollouts) {
    const Lease lease = *source->Take(1 + static_cast<int64_t>(random.Below(3)), 0);
    for (uint64_t sequence : Sequences(lease)) ++used[sequence];
    open_leases.push_back(lease.id);
    if (random.Below(20) == 0) Crash();
    if (open_leases.size() < 3) continue;
    for (uint64_t id : open_leases) ASSERT_EQ(source->Acknowledge(id), absl::OkStatus());
    open_leases.clear();
  }
  writer.join();
  for (uint64_t sequence = 1; sequence <= kRollouts; ++sequence)
    ASSERT_EQ(used[sequence], 1) << sequence;
  EXPECT_GT(sink->counts().connections, 3) << "the server never crashed";
  EXPECT_GT(source->duplicates(), 0);
}

TEST_F(ExperienceClientTest, AConsumerThatDiesLosesNothing) {
  auto sink = Sink();
  for (int i = 0; i < 3; ++i) ASSERT_TRUE(sink->Append(ExampleRollout(10)).ok());
  auto dies = Source();
  EXPECT_THAT(Sequences(*dies->Take(20, 0)), ElementsAre(1, 2));
  dies.reset();
  auto next = Source();
  EXPECT_THAT(Sequences(*next->Take(30, 0)), ElementsAre(1, 2, 3));
  EXPECT_EQ(Info().returned_rollouts(), 2);
}

TEST_F(ExperienceClientTest, ACleanEndLosesNoAcknowledgement) {
  auto sink = Sink();
  for (int i = 0; i < 50; ++i) {
    ASSERT_TRUE(sink->Append(ExampleRollout(10)).ok());
    auto source = Source();
    ASSERT_EQ(source->Acknowledge(source->Take(10, 0)->id), absl::OkStatus());
    source->Close();
    ASSERT_EQ(Info().acknowledged_rollouts(), i + 1);
  }
}

TEST_F(ExperienceClientTest, ATakeThatTheServerRefusesDoesNotEndTheSource) {
  auto sink = Sink();
  auto source = Source();
  ASSERT_TRUE(sink->Append(ExampleRollout(10)).ok());
  EXPECT_EQ(source->Take(1001, 0).status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(Sequences(*source->Take(10, 0)), ElementsAre(1));
}

TEST_F(ExperienceClientTest, CloseEndsWhateverBlocks) {
  ExperienceSinkOptions options = SinkOptions();
  options.max_unsettled_rollouts = 1;
  auto sink = *RemoteExperienceSink::Create(options);
  auto source = Source();
  ASSERT_TRUE(sink->Append(ExampleRollout(10)).ok());
  std::thread writer(
      [&] { EXPECT_EQ(sink->Append(ExampleRollout(10)).code(), absl::StatusCode::kCancelled); });
  std::thread flusher([&] { EXPECT_EQ(sink->Flush(kLong).code(), absl::StatusCode::kCancelled); });
  std::thread consumer(
      [&] { EXPECT_EQ(source->Take(20, 0).status().code(), absl::StatusCode::kCancelled); });
  ASSERT_TRUE(Eventually([&] { return Info().waiting_consumers() == 1; }));
  sink->Close();
  source->Close();
  writer.join();
  flusher.join();
  consumer.join();
  EXPECT_EQ(sink->Append(ExampleRollout(10)).code(), absl::StatusCode::kCancelled);
  EXPECT_EQ(source->Take(10, 0).status().code(), absl::StatusCode::kCancelled);
}

TEST_F(ExperienceClientTest, CloseEndsTheWaitForAServer) {
  server_->Kill();
  auto sink = Sink();
  auto source = Source();
  std::thread writer(
      [&] { EXPECT_EQ(sink->WaitConnected().code(), absl::StatusCode::kCancelled); });
  std::thread consumer(
      [&] { EXPECT_EQ(source->Take(20, 0).status().code(), absl::StatusCode::kCancelled); });
  sink->Close();
  source->Close();
  writer.join();
  consumer.join();
}

}  // namespace
}  // namespace cadre
