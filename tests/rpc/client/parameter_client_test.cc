// Both parameter clients against a real parameter server over a real connection.
#include "rpc/client/parameter_client.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <optional>
#include <thread>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "google/protobuf/util/message_differencer.h"
#include "tests/param_server/running_server.h"
#include "tests/param_server/test_parameters.h"

namespace cadre {
namespace {

using google::protobuf::util::MessageDifferencer;
using ::testing::HasSubstr;

ParameterClientOptions Options(const std::string& address) {
  ParameterClientOptions options;
  options.address = address;
  options.run_id = "run";
  options.model = "policy";
  options.retry.backoff = {absl::Milliseconds(1), absl::Milliseconds(20), 2};
  options.channel.initial_reconnect_backoff = absl::Milliseconds(10);
  options.channel.maximum_reconnect_backoff = absl::Milliseconds(50);
  return options;
}

std::unique_ptr<RemoteParameterSource> Source(const ParameterClientOptions& options) {
  auto source = RemoteParameterSource::Create(options);
  EXPECT_TRUE(source.ok()) << source.status();
  return *std::move(source);
}

std::unique_ptr<RemoteParameterSink> Sink(const ParameterClientOptions& options) {
  auto sink = RemoteParameterSink::Create(options);
  EXPECT_TRUE(sink.ok()) << sink.status();
  return *std::move(sink);
}

constexpr absl::Duration kLong = absl::Seconds(60);

// An address on which nobody listens any more.
std::string DeadAddress() { return RunningServer("run").address(); }

TEST(ParameterClientTest, WhatTheSinkPublishesTheSourceSees) {
  RunningServer server("run");
  const auto source = Source(Options(server.address()));
  const auto sink = Sink(Options(server.address()));
  EXPECT_EQ(source->Newest(), nullptr);
  for (int64_t version = 1; version <= 20; ++version) {
    const auto published = MakeParameters(version, 1000);
    published->add_statistics()->set_name("reward.variance");
    ASSERT_TRUE(sink->Publish(published).ok());
    const auto newer = source->WaitNewer(version - 1, kLong);
    ASSERT_TRUE(newer.ok()) << newer.status();
    EXPECT_TRUE(MessageDifferencer::Equals(**newer, *published));
    EXPECT_EQ(source->Newest(), *newer);
  }
  EXPECT_EQ(source->run_state(), v1::RUN_STATE_RUNNING);
}

TEST(ParameterClientTest, ARefusedPublicationSaysWhyAndWhere) {
  RunningServer server("run");
  const auto sink = Sink(Options(server.address()));
  ASSERT_TRUE(sink->Publish(MakeParameters(5)).ok());
  EXPECT_TRUE(sink->Publish(MakeParameters(5)).ok());  // As a retry would.
  EXPECT_EQ(sink->Publish(MakeParameters(4)),
            absl::FailedPreconditionError(
                absl::StrCat("parameter server at ", server.address(),
                             ": model 'policy' version 4 is not newer than the stored version 5")));
}

TEST(ParameterClientTest, AnotherRunIsRefusedForGood) {
  RunningServer server("monday");
  const std::string message =
      absl::StrCat("parameter server at ", server.address(),
                   ": run id 'run' differs; this server serves run 'monday'");
  const auto source = Source(Options(server.address()));
  EXPECT_EQ(source->WaitNewer(0, absl::InfiniteDuration()).status(),
            absl::FailedPreconditionError(message));
  const auto sink = Sink(Options(server.address()));
  EXPECT_EQ(sink->Publish(MakeParameters(1)), absl::FailedPreconditionError(message));
}

TEST(ParameterClientTest, AnUnreachableServerIsNamedWithinTheDeadline) {
  ParameterClientOptions options = Options(DeadAddress());
  options.retry.give_up_after = absl::Seconds(1);
  const auto sink = Sink(options);
  const absl::Status published = sink->Publish(MakeParameters(1));
  EXPECT_EQ(published.code(), absl::StatusCode::kUnavailable) << published;
  EXPECT_THAT(std::string(published.message()),
              HasSubstr(absl::StrCat("parameter server at ", options.address, ": ")));
  EXPECT_THAT(std::string(published.message()), HasSubstr("Connection refused"));
  EXPECT_THAT(std::string(published.message()), HasSubstr("; gave up after 1s"));

  const auto source = Source(options);
  const absl::Status waited = source->WaitNewer(0, absl::Seconds(1)).status();
  EXPECT_EQ(waited.code(), absl::StatusCode::kDeadlineExceeded);
  EXPECT_THAT(std::string(waited.message()),
              HasSubstr(absl::StrCat("parameter server at ", options.address, ": ")));
  EXPECT_THAT(std::string(waited.message()), HasSubstr("Connection refused"));
}

TEST(ParameterClientTest, ABadAddressIsRefusedAtOnce) {
  EXPECT_EQ(RemoteParameterSource::Create(Options("params")).status(),
            absl::InvalidArgumentError("address 'params' is not host:port or unix:/path"));
  EXPECT_EQ(RemoteParameterSink::Create(Options("params")).status(),
            absl::InvalidArgumentError("address 'params' is not host:port or unix:/path"));
}

TEST(ParameterClientTest, FinishedWakesThoseWhoWait) {
  RunningServer server("run");
  const auto source = Source(Options(server.address()));
  std::thread waiting([&source] {
    EXPECT_EQ(source->WaitNewer(0, absl::InfiniteDuration()).status(),
              absl::FailedPreconditionError("the run is FINISHED"));
  });
  const auto sink = Sink(Options(server.address()));
  ASSERT_TRUE(sink->SetRunState(v1::RUN_STATE_FINISHED).ok());
  waiting.join();
  EXPECT_EQ(source->run_state(), v1::RUN_STATE_FINISHED);
}

TEST(ParameterClientTest, NothingIsHandedOutWhilePaused) {
  RunningServer server("run");
  const auto sink = Sink(Options(server.address()));
  ASSERT_TRUE(sink->SetRunState(v1::RUN_STATE_PAUSED).ok());
  ASSERT_TRUE(sink->Publish(MakeParameters(1)).ok());
  const auto source = Source(Options(server.address()));
  EXPECT_TRUE(absl::IsDeadlineExceeded(source->WaitNewer(0, absl::Milliseconds(50)).status()));
  ASSERT_TRUE(sink->SetRunState(v1::RUN_STATE_RUNNING).ok());
  EXPECT_TRUE(source->WaitNewer(0, kLong).ok());
}

TEST(ParameterClientTest, CloseEndsEveryWait) {
  RunningServer server("run");
  const auto source = Source(Options(server.address()));
  std::thread waiting([&source] {
    EXPECT_TRUE(absl::IsCancelled(source->WaitNewer(0, absl::InfiniteDuration()).status()));
  });
  source->Close();
  waiting.join();

  const auto sink = Sink(Options(DeadAddress()));
  std::thread publishing(
      [&sink] { EXPECT_TRUE(absl::IsCancelled(sink->Publish(MakeParameters(1)))); });
  sink->Close();
  publishing.join();
}

TEST(ParameterClientTest, APublicationWaitsForAServerThatComesLate) {
  const std::string address = DeadAddress();
  const auto sink = Sink(Options(address));
  std::thread publishing([&sink] { EXPECT_TRUE(sink->Publish(MakeParameters(1)).ok()); });
  RunningServer server("run", address);
  publishing.join();
  EXPECT_EQ(server.store().Read("policy").newest->version(), 1);
}

TEST(ParameterClientTest, AServerThatRestartsEmptyIsFilledAgain) {
  std::optional<RunningServer> server(std::in_place, "run");
  const std::string address = server->address();
  const auto sink = Sink(Options(address));
  const auto source = Source(Options(address));
  ASSERT_TRUE(sink->Publish(MakeParameters(7)).ok());
  ASSERT_TRUE(sink->SetRunState(v1::RUN_STATE_RUNNING).ok());
  ASSERT_TRUE(source->WaitNewer(6, kLong).ok());
  server.reset();

  server.emplace("run", address);
  // Nobody publishes now, as in lockstep: the learner waits for the actors. One of
  // them is new and has nothing yet.
  const auto newcomer = Source(Options(address));
  const auto restored = newcomer->WaitNewer(0, kLong);
  ASSERT_TRUE(restored.ok()) << restored.status();
  EXPECT_EQ((*restored)->version(), 7);
  EXPECT_EQ(source->Newest()->version(), 7);  // The others kept theirs.

  ASSERT_TRUE(sink->Publish(MakeParameters(8)).ok());
  for (const auto& each : {source.get(), newcomer.get()}) {
    const auto newer = each->WaitNewer(7, kLong);
    ASSERT_TRUE(newer.ok()) << newer.status();
    EXPECT_EQ((*newer)->version(), 8);
  }
}

TEST(ParameterClientTest, ARunThatIsFinishedStaysSoWhenTheServerRestarts) {
  std::optional<RunningServer> server(std::in_place, "run");
  const std::string address = server->address();
  const auto sink = Sink(Options(address));
  ASSERT_TRUE(sink->SetRunState(v1::RUN_STATE_FINISHED).ok());
  server.reset();
  server.emplace("run", address);
  const auto source = Source(Options(address));
  EXPECT_EQ(source->WaitNewer(0, absl::InfiniteDuration()).status(),
            absl::FailedPreconditionError("the run is FINISHED"));
}

TEST(ParameterClientTest, AServerThatComesBackForAnotherRunEndsTheSource) {
  std::optional<RunningServer> server(std::in_place, "run");
  const std::string address = server->address();
  const auto source = Source(Options(address));
  ASSERT_TRUE(server->store().Publish(MakeParameters(1)).ok());
  ASSERT_TRUE(source->WaitNewer(0, kLong).ok());
  server.reset();
  server.emplace("tuesday", address);
  const absl::Status status = source->WaitNewer(1, absl::InfiniteDuration()).status();
  EXPECT_TRUE(absl::IsFailedPrecondition(status)) << status;
  EXPECT_THAT(std::string(status.message()), HasSubstr("this server serves run 'tuesday'"));
  EXPECT_EQ(source->Newest()->version(), 1);
}

}  // namespace
}  // namespace cadre
