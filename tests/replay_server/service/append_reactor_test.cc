// Append streams into a table over loopback. For those into a queue see
// experience_service_test.cc.
#include <atomic>
#include <cmath>
#include <limits>
#include <string>
#include <thread>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "rpc/client/experience_client.h"
#include "tests/replay_server/service/table_streams.h"

namespace cadre {
namespace {

using ::testing::ElementsAre;

class AppendReactorTest : public TableStreamsTest {};

TEST_F(AppendReactorTest, TheOrdinaryClientWritesToATable) {
  Serve(OpenTable());
  ExperienceSinkOptions options;
  options.address = server_->server->address();
  options.run_id = kRun;
  options.target = "replay";
  options.spec = ExampleSpec();
  auto sink = *RemoteExperienceSink::Create(options);
  for (int i = 0; i < 20; ++i) ASSERT_TRUE(sink->Append(ExampleRollout(kSteps)).ok());
  EXPECT_TRUE(sink->Flush(absl::Seconds(30)).ok());
  EXPECT_EQ(Info().inserted_rollouts(), 20);
  EXPECT_EQ(Info().inserted_steps(), 20 * kSteps);
}

TEST_F(AppendReactorTest, WhatWasInsertedAndIsSentAgainIsThereOnce) {
  Serve(OpenTable());
  auto appender = OpenAppender(7);
  appender->Send(Episode(7, 1));
  appender->Send(Episode(7, 2));
  ASSERT_TRUE(Eventually([&] { return Info().inserted_rollouts() == 2; }));
  appender->context.TryCancel();
  appender->End().ok();
  appender = OpenAppender(7);
  EXPECT_EQ(appender->response.settled_sequence(), 2);
  for (int i = 1; i <= 3; ++i) appender->Send(Episode(7, i));
  ASSERT_TRUE(Eventually([&] { return Info().inserted_rollouts() == 3; }));
  EXPECT_EQ(Info().duplicate_rollouts(), 2);
  EXPECT_EQ(Info().items(), 3 * kSteps);
  appender->stream->WritesDone();
  EXPECT_TRUE(appender->End().ok());
}

TEST_F(AppendReactorTest, WhatAWriterHasSettledAndTheTableHasNotIsCountedAsLost) {
  Serve(OpenTable());
  v1::AppendOpen open = AppendOpen(7);
  open.set_first_sequence(5);
  auto appender = Append(open);
  ASSERT_TRUE(appender->stream->Read(&appender->response));
  EXPECT_EQ(Info().lost_rollouts(), 4);
  appender->Send(Episode(7, 5));
  ASSERT_TRUE(Eventually([&] { return Info().inserted_rollouts() == 1; }));
  appender->stream->WritesDone();
  EXPECT_TRUE(appender->End().ok());
}

TEST_F(AppendReactorTest, BadRolloutsAreRefusedByThemselvesAndTheStreamGoesOn) {
  Serve(PrioritizedTable());
  std::vector<v1::Rollout> bad(4);
  const float values[] = {-1, std::nanf(""), std::numeric_limits<float>::infinity()};
  for (uint64_t i = 0; i < 4; ++i) {
    bad[i] = Episode(7, i + 2);
    if (i == 3) {
      bad[i].mutable_columns(0)->pop_back();
      continue;
    }
    for (int step = 0; step < kSteps; ++step) bad[i].add_priorities(step == 6 ? values[i] : 1);
  }
  auto appender = OpenAppender(7);
  appender->Send(Episode(7, 1));
  for (const v1::Rollout& rollout : bad) appender->Send(rollout);
  appender->Send(Episode(7, 6));
  std::vector<std::string> reasons;
  while (appender->response.settled_sequence() < 6 || reasons.size() < 4) {
    ASSERT_TRUE(appender->stream->Read(&appender->response));
    if (appender->response.refused_sequence() == 0) continue;
    EXPECT_EQ(appender->response.refused_sequence(), reasons.size() + 2);
    reasons.push_back(appender->response.refused_reason());
  }
  EXPECT_THAT(reasons, ElementsAre("priority of step 6 is -1; wanted a finite number >= 0",
                                   "priority of step 6 is nan; wanted a finite number >= 0",
                                   "priority of step 6 is inf; wanted a finite number >= 0",
                                   "column 'obs' has 87 bytes; wanted 11 rows of 8 bytes"));
  EXPECT_EQ(Info().inserted_rollouts(), 2);
  EXPECT_EQ(Info().refused_rollouts(), 4);
  appender->stream->WritesDone();
  EXPECT_TRUE(appender->End().ok());
}

TEST_F(AppendReactorTest, SlowLearnersHoldWritersBack) {
  constexpr int64_t kLong = 5'000;       // Steps of a rollout: 60 kB.
  constexpr uint64_t kRollouts = 3'000;  // 180 MB.
  constexpr uint64_t kMostAhead = kMostBytesBetween / (12 * kLong);
  TableOptions options = OpenTable();
  options.config.mutable_rate_limiter()->set_samples_per_insert(1);
  options.config.mutable_rate_limiter()->set_min_size(kLong);
  options.config.mutable_rate_limiter()->set_error_buffer(2 * kLong);
  Serve(options);
  auto appender = OpenAppender(7);
  std::atomic<uint64_t> sent = 0;
  std::thread writer([&] {
    while (sent < kRollouts && appender->Send(Episode(7, sent + 1, kLong))) ++sent;
  });
  ASSERT_TRUE(Eventually([&] { return Info().blocked_writers() == 1; }));
  EXPECT_EQ(Info().limiter(), v1::LIMITER_STATE_WAITS_FOR_SAMPLES);
  auto sampler = OpenSampler();
  for (int i = 0; i < 300; ++i) {
    sampler->Want({kLong});
    ASSERT_EQ(sampler->Next().keys_size(), kLong);
    EXPECT_LE(sent, Info().inserted_rollouts() + kMostAhead);
    EXPECT_LE(Info().inserted_items(), Info().sampled_items() + 4 * kLong);
  }
  appender->context.TryCancel();
  writer.join();
  appender->End().ok();
  EXPECT_TRUE(Eventually([&] { return Info().blocked_writers() == 0; }));
}

}  // namespace
}  // namespace cadre
