// Gradients pushed to a real parameter server over a real connection.
#include "rpc/client/gradient_client.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <optional>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "rpc/client/parameter_client.h"
#include "tests/param_server/running_server.h"
#include "tests/param_server/shared_models.h"

namespace cadre {
namespace {

using ::testing::Each;
using ::testing::HasSubstr;

GradientClientOptions Options(const std::string& address) {
  GradientClientOptions options;
  options.address = address;
  options.run_id = "run";
  options.retry.backoff = {absl::Milliseconds(1), absl::Milliseconds(20), 2};
  options.channel.initial_reconnect_backoff = absl::Milliseconds(10);
  options.channel.maximum_reconnect_backoff = absl::Milliseconds(50);
  options.optimizer_period = absl::ZeroDuration();
  return options;
}

std::unique_ptr<RemoteGradientSink> Sink(const GradientClientOptions& options) {
  auto sink = RemoteGradientSink::Create(options);
  EXPECT_TRUE(sink.ok()) << sink.status();
  return *std::move(sink);
}

// What the server has in place of its own: another server at the same address.
class Restartable {
 public:
  Restartable() : server_(std::in_place, "run"), address_(server_->address()) {}
  RunningServer& operator*() { return *server_; }
  RunningServer* operator->() { return &*server_; }
  void Stop() { server_.reset(); }
  void Start(const ParameterStore::Snapshot* snapshot = nullptr) {
    server_.emplace("run", address_, snapshot);
  }
  const std::string& address() const { return address_; }

 private:
  std::optional<RunningServer> server_;
  const std::string address_;
};

TEST(GradientClientTest, APushIsAppliedAndAnsweredWithTheVersionThatItMade) {
  RunningServer server("run");
  const auto sink = Sink(Options(server.address()));
  const auto started = sink->Start(MakeSharedModel(kSum));
  ASSERT_TRUE(started.ok()) << started.status();
  EXPECT_EQ((*started)->version(), 1);
  for (int64_t i = 1; i <= 20; ++i) {
    const auto pushed = sink->Push(MakeGradient(i, {1, 2, 3, 4}));
    ASSERT_TRUE(pushed.ok()) << pushed.status();
    EXPECT_TRUE(pushed->applied);
    EXPECT_EQ(pushed->lag, 0);
    EXPECT_EQ(pushed->newest->version(), i + 1);
    EXPECT_EQ(ValuesOf(*pushed->newest)[3], -4.0f * static_cast<float>(i));
    EXPECT_EQ(pushed->newest->env_steps(), 10 * i);
    EXPECT_EQ(pushed->newest->layout_fingerprint(), 0xABCD);
  }
  const auto fetched = sink->Fetch("policy");
  ASSERT_TRUE(fetched.ok()) << fetched.status();
  EXPECT_EQ(fetched->optimizer_state().step(), 20);
  EXPECT_EQ(fetched->pushed_size(), 1);
}

TEST(GradientClientTest, OfEightLearnersNoUpdateIsLostWhileOthersWatch) {
  constexpr int kLearners = 8, kPushes = 100;
  RunningServer server("run");
  ParameterClientOptions watching;
  watching.address = server.address();
  watching.run_id = "run";
  watching.model = "policy";
  const auto source = RemoteParameterSource::Create(watching);
  ASSERT_TRUE(source.ok());
  std::vector<std::thread> learners;
  for (int learner = 1; learner <= kLearners; ++learner) {
    learners.emplace_back([&, learner] {
      const auto sink = Sink(Options(server.address()));
      auto newest = *sink->Start(MakeSharedModel(kSum));
      for (int i = 0; i < kPushes; ++i) {
        const auto pushed = sink->Push(
            MakeGradient(newest->version(), std::vector<float>(4, static_cast<float>(learner))));
        ASSERT_TRUE(pushed.ok()) << pushed.status();
        newest = pushed->newest;
      }
    });
  }
  for (std::thread& learner : learners) learner.join();
  const auto last = (*source)->WaitNewer(kLearners * kPushes, absl::InfiniteDuration());
  ASSERT_TRUE(last.ok()) << last.status();
  EXPECT_EQ((*last)->version(), 1 + kLearners * kPushes);
  EXPECT_THAT(ValuesOf(**last), Each(-36.0f * kPushes));
  EXPECT_EQ(server.store().Models()[0].applied_gradients(), kLearners * kPushes);
}

TEST(GradientClientTest, WhatIsRefusedSaysWhy) {
  RunningServer server("run");
  const auto sink = Sink(Options(server.address()));
  EXPECT_THAT(std::string(sink->Push(MakeGradient(1, {1, 1, 1, 1})).status().message()),
              HasSubstr("model 'policy', which was not started"));
  ASSERT_TRUE(sink->Start(MakeSharedModel(kSum, 4, 0)).ok());
  EXPECT_EQ(sink->Push(MakeGradient(1, {1, 1})).status().code(),
            absl::StatusCode::kInvalidArgument);
  ASSERT_TRUE(sink->Push(MakeGradient(1, {1, 1, 1, 1})).ok());
  const auto old = sink->Push(MakeGradient(1, {1, 1, 1, 1}));
  ASSERT_TRUE(old.ok());
  EXPECT_FALSE(old->applied);
  EXPECT_EQ(old->lag, 1);
  EXPECT_EQ(old->newest->version(), 2);
  ASSERT_TRUE(server.store().SetRunState(v1::RUN_STATE_FINISHED).ok());
  EXPECT_EQ(sink->Push(MakeGradient(2, {1, 1, 1, 1})).status().code(),
            absl::StatusCode::kFailedPrecondition);
  GradientClientOptions other = Options(server.address());
  other.run_id = "tuesday";
  EXPECT_EQ(Sink(other)->Start(MakeSharedModel(kSum)).status().code(),
            absl::StatusCode::kFailedPrecondition);
}

TEST(GradientClientTest, AServerThatRestartsEmptyIsGivenTheModelItsOptimiserAndTheSequences) {
  Restartable server;
  const auto sink = Sink(Options(server.address()));
  ASSERT_TRUE(sink->Start(MakeSharedModel("rms_prop {}")).ok());
  ParameterStore reference("run");
  ASSERT_TRUE(reference.StartModel(MakeSharedModel("rms_prop {}")).ok());
  for (int64_t i = 1; i <= 10; ++i) {
    if (i == 6) {
      server.Stop();
      server.Start();
    }
    const v1::Gradient gradient = MakeGradient(i, {1, -2, 3, 0.5});
    const auto pushed = sink->Push(gradient);
    ASSERT_TRUE(pushed.ok()) << pushed.status();
    const auto expected =
        reference.PushGradient(MakeGradient(i, {1, -2, 3, 0.5}, 5, static_cast<uint64_t>(i)));
    EXPECT_EQ(pushed->newest->version(), i + 1);
    ASSERT_EQ(ValuesOf(*pushed->newest), ValuesOf(*expected->gradient.newest)) << i;
  }
}

TEST(GradientClientTest, AServerWithAnOlderSnapshotGoesOnFromTheNewestThatALearnerSaw) {
  Restartable server;
  const auto one = Sink(Options(server.address())), other = Sink(Options(server.address()));
  for (const auto& sink : {one.get(), other.get()})
    ASSERT_TRUE(sink->Start(MakeSharedModel(kSum)).ok());
  ASSERT_TRUE(one->Push(MakeGradient(1, {1, 1, 1, 1})).ok());
  const ParameterStore::Snapshot snapshot = server->store().Save();
  ASSERT_TRUE(one->Push(MakeGradient(2, {1, 1, 1, 1})).ok());
  ASSERT_TRUE(other->Push(MakeGradient(1, {1, 1, 1, 1})).ok());  // Knows version 4 now.
  server.Stop();
  server.Start(&snapshot);
  EXPECT_EQ(server->store().Read("policy").newest->version(), 2);
  const auto pushed = other->Push(MakeGradient(4, {1, 1, 1, 1}));
  ASSERT_TRUE(pushed.ok()) << pushed.status();
  EXPECT_EQ(pushed->newest->version(), 5);
  EXPECT_THAT(ValuesOf(*pushed->newest), Each(-4.0f));
  // The first learner's gradients are in what the second handed over.
  const auto next = one->Push(MakeGradient(3, {1, 1, 1, 1}));
  ASSERT_TRUE(next.ok()) << next.status();
  EXPECT_EQ(next->lag, 2);
  EXPECT_THAT(ValuesOf(*next->newest), Each(-5.0f));
}

// Of three learners the first hands an older version over before the second, whose gradient had
// been refused, comes back.
class LostStepsTest : public ::testing::Test {
 protected:
  LostStepsTest() {
    for (auto& sink : sinks_) {
      sink = Sink(Options(server_.address()));
      EXPECT_TRUE(sink->Start(MakeSharedModel(kSum, 4, /*max_gradient_lag=*/0)).ok());
    }
  }
  // The steps that a learner is told of when it has pushed 10 more.
  int64_t Push(int learner, int64_t version) {
    const auto pushed = sinks_[learner]->Push(MakeGradient(version, {1, 1, 1, 1}));
    EXPECT_TRUE(pushed.ok()) << pushed.status();
    return pushed.ok() ? pushed->newest->env_steps() : 0;
  }
  void Restart() {
    server_.Stop();
    server_.Start();
  }

  Restartable server_;
  std::unique_ptr<RemoteGradientSink> sinks_[3];
};

TEST_F(LostStepsTest, CountWithTheNextGradientOfTheirLearner) {
  EXPECT_EQ(Push(0, 1), 10);
  EXPECT_EQ(Push(1, 1), 20) << "too old";
  Restart();
  EXPECT_EQ(Push(0, 2), 20) << "it does not know of the others";
  EXPECT_EQ(Push(1, 2), 40);
  EXPECT_EQ(Push(0, 3), 50);
}

TEST_F(LostStepsTest, CountWithTheGradientOfAnotherThatKnowsOfThem) {
  EXPECT_EQ(Push(0, 1), 10);
  EXPECT_EQ(Push(1, 1), 20);
  EXPECT_EQ(Push(2, 1), 30);
  sinks_[1].reset();  // Nobody hears of it again.
  Restart();
  EXPECT_EQ(Push(0, 2), 20);
  EXPECT_EQ(Push(2, 3), 50);
  EXPECT_EQ(Push(0, 4), 60);
}

TEST_F(LostStepsTest, AreInACheckpoint) {
  EXPECT_EQ(Push(0, 1), 10);
  EXPECT_EQ(Push(1, 1), 20);
  Restart();
  EXPECT_EQ(Push(0, 2), 20);
  const auto fetched = sinks_[1]->Fetch("policy");
  ASSERT_TRUE(fetched.ok()) << fetched.status();
  EXPECT_EQ(fetched->parameters().env_steps(), 30);
  EXPECT_EQ(fetched->parameters().version(), 3);
}

TEST_F(LostStepsTest, OfAGradientThatWasAppliedCountTooThoughItIsGone) {
  EXPECT_EQ(Push(0, 1), 10);
  const auto snapshot = server_->store().Save();
  EXPECT_EQ(Push(1, 2), 20);
  server_.Stop();
  server_.Start(&snapshot);
  EXPECT_EQ(Push(0, 2), 20) << "another version 3";
  EXPECT_EQ(Push(1, 3), 40);
  EXPECT_THAT(ValuesOf(*server_->store().Read("policy").newest), Each(-3.0f));
}

TEST(GradientClientTest, AnAnswerThatIsLostDoesNotCountTwice) {
  Restartable server;
  const auto sink = Sink(Options(server.address()));
  ASSERT_TRUE(sink->Start(MakeSharedModel(kSum)).ok());
  std::thread pushing([&] {
    for (int64_t i = 1; i <= 300; ++i) ASSERT_TRUE(sink->Push(MakeGradient(1, {1, 1, 1, 1})).ok());
  });
  for (int i = 0; i < 10; ++i) {  // Breaks connections in the middle of whatever goes on.
    ASSERT_TRUE(server->store().WaitNewer("policy", 25 * (i + 1), absl::InfiniteDuration()).ok());
    server->CutOff();
    const ParameterStore::Snapshot snapshot = server->store().Save();
    server.Stop();
    server.Start(&snapshot);
  }
  pushing.join();
  EXPECT_THAT(ValuesOf(*server->store().Read("policy").newest), Each(-300.0f));
  EXPECT_EQ(server->store().Models()[0].applied_gradients(), 300);
}

TEST(GradientClientTest, CloseEndsAPushThatWaitsForAServer) {
  Restartable server;
  const auto sink = Sink(Options(server.address()));
  ASSERT_TRUE(sink->Start(MakeSharedModel(kSum)).ok());
  server.Stop();
  std::thread closing([&sink] { sink->Close(); });
  EXPECT_EQ(sink->Push(MakeGradient(1, {1, 1, 1, 1})).status().code(),
            absl::StatusCode::kCancelled);
  closing.join();
}

}  // namespace
}  // namespace cadre
