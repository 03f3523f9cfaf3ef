// Sample streams over loopback.
#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "replay_server/service/sample_reactor.h"
#include "tests/process_threads.h"
#include "tests/replay_server/service/table_streams.h"

namespace cadre {
namespace {

using ::testing::Each;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

class SampleReactorTest : public TableStreamsTest {};

TEST_F(SampleReactorTest, ALearnerThatComesFirstIsToldTheColumns) {
  Serve(OpenTable());
  const auto sampler = OpenSampler();
  std::vector<std::string> names;
  for (const v1::ColumnSpec& column : sampler->response.opened().columns())
    names.push_back(column.name());
  EXPECT_THAT(names, ElementsAre("obs", "reward", "next_obs", "discount"));
  sampler->stream->WritesDone();
  EXPECT_TRUE(sampler->End().ok());
}

TEST_F(SampleReactorTest, WhatWritersInsertLearnersSample) {
  Serve(OpenTable());
  Insert(7, 3);
  auto sampler = OpenSampler();
  sampler->Want({4, 32});
  EXPECT_EQ(sampler->Next().keys_size(), 4);
  const v1::SampleBatch batch = sampler->Next();
  ASSERT_EQ(batch.keys_size(), 32);
  EXPECT_EQ(batch.table_items(), 3 * kSteps);
  EXPECT_EQ(batch.inserted_steps(), 3 * kSteps);
  EXPECT_THAT(batch.probabilities(), Each(::testing::FloatNear(1.0 / (3 * kSteps), 1e-6)));
  EXPECT_THAT(batch.weights(), Each(1));
  ASSERT_EQ(batch.columns_size(), 4);
  ASSERT_EQ(batch.columns(0).size(), 32 * 8);
  ASSERT_EQ(batch.columns(3).size(), 32 * sizeof(float));
  for (int i = 0; i < 32; ++i) {
    const char content = batch.columns(0)[i * 8];
    EXPECT_TRUE(content >= 'b' && content <= 'd') << content;
    const std::string row(8, content);
    EXPECT_EQ(batch.columns(0).substr(i * 8, 8), row);
    EXPECT_EQ(batch.columns(1).substr(i * 4, 4), row.substr(0, 4));
    EXPECT_EQ(batch.columns(2).substr(i * 8, 8), row) << "of the same episode";
    float discount;
    std::memcpy(&discount, batch.columns(3).data() + i * 4, 4);
    EXPECT_TRUE(discount == 0 || discount == 0.5F) << discount;
  }
  sampler->stream->WritesDone();
  EXPECT_TRUE(sampler->End().ok());
}

TEST_F(SampleReactorTest, LearnersSetPriorities) {
  Serve(PrioritizedTable());
  Insert(7, 1);
  auto sampler = OpenSampler();
  sampler->Want({64});
  const v1::SampleBatch batch = sampler->Next();
  std::vector<uint64_t> keys(batch.keys().begin(), batch.keys().end());
  std::sort(keys.begin(), keys.end());
  keys.erase(std::unique(keys.begin(), keys.end()), keys.end());
  ASSERT_GT(keys.size(), 1);
  std::vector<float> priorities(keys.size(), 0);
  priorities[0] = 1e6;
  sampler->SetPriorities(keys, priorities);
  sampler->Want({64});
  const v1::SampleBatch after = sampler->Next();
  EXPECT_GT(std::count(after.keys().begin(), after.keys().end(), keys[0]), 60);
  EXPECT_EQ(Info().updated_priorities(), static_cast<int64_t>(keys.size()));
  sampler->SetPriorities({uint64_t{1} << 60}, {1});
  ASSERT_TRUE(Eventually([&] { return Info().stale_priorities() == 1; }));
  sampler->SetPriorities({keys[0], keys[1]}, {std::nanf(""), 3});
  EXPECT_EQ(sampler->End().error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_EQ(Info().updated_priorities(), static_cast<int64_t>(keys.size()) + 1);
}

TEST_F(SampleReactorTest, KeysAndPrioritiesMustBeAsMany) {
  Serve(PrioritizedTable());
  auto sampler = OpenSampler();
  sampler->SetPriorities({1, 2}, {1});
  EXPECT_EQ(sampler->End().error_message(),
            "Sample: got 1 priorities; wanted one for each of 2 keys");
}

TEST_F(SampleReactorTest, WantsThatNoBatchCanMeetAreRefused) {
  Serve(OpenTable());
  for (const int32_t items : {-1, std::numeric_limits<int32_t>::max()}) {
    auto sampler = OpenSampler();
    sampler->Want({items});
    EXPECT_THAT(sampler->End().error_message(),
                HasSubstr(absl::StrCat("got a `want` of ", items, " items; wanted 0 to ")));
  }
}

TEST_F(SampleReactorTest, AWantOfTooManyBatchesIsRefused) {
  Serve(OpenTable());
  auto sampler = OpenSampler();
  sampler->Want(std::vector<int32_t>(SampleReactor::kMostWantedBatches + 2, 1));
  const grpc::Status status = sampler->End();
  EXPECT_EQ(status.error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_THAT(status.error_message(), HasSubstr("outstanding; wanted at most 1024"));
}

TEST_F(SampleReactorTest, ASampleWaitsForTheStepsThatItNames) {
  Serve(OpenTable());
  Insert(7, 1);
  auto sampler = OpenSampler();
  sampler->Want({1}, 2 * kSteps);
  ASSERT_TRUE(Eventually([&] { return Info().waiting_samplers() == 1; }));
  Insert(8, 1);
  EXPECT_EQ(sampler->Next().inserted_steps(), 2 * kSteps);
  sampler->stream->WritesDone();
  EXPECT_TRUE(sampler->End().ok());
}

TEST_F(SampleReactorTest, ALearnerThatVanishesWhileItWaitsLeavesNothingBehind) {
  Serve(BalancedTable());
  auto sampler = OpenSampler();
  sampler->Want({1, 1});
  ASSERT_TRUE(Eventually([&] { return Info().waiting_samplers() == 1; }));
  EXPECT_EQ(Info().limiter(), v1::LIMITER_STATE_WAITS_FOR_SIZE);
  sampler->context.TryCancel();
  sampler->End().ok();
  EXPECT_TRUE(Eventually([&] { return Info().waiting_samplers() == 0; }));
  Insert(7, 1);
  EXPECT_EQ(Info().sampled_items(), 0);
}

TEST_F(SampleReactorTest, AClosedTableEndsItsStreams) {
  Serve(BalancedTable());
  auto sampler = OpenSampler();
  sampler->Want({1});
  ASSERT_TRUE(Eventually([&] { return Info().waiting_samplers() == 1; }));
  server_->table->Close();
  EXPECT_EQ(sampler->End().error_code(), grpc::StatusCode::UNAVAILABLE);
}

TEST_F(SampleReactorTest, ALearnerThatDoesNotReadGetsNoBatchesMade) {
  Serve(OpenTable());
  Insert(7, 3);
  auto sampler = OpenSampler();
  constexpr int kBatches = 1000;
  constexpr int32_t kItems = 4096;
  constexpr int64_t kMostAhead = kMostBytesBetween / (48 * kItems);
  sampler->Want(std::vector<int32_t>(kBatches, kItems));
  ASSERT_TRUE(Eventually([&] { return Info().sampled_batches() >= 2; }));
  for (int read = 0; read < kBatches; ++read) {
    EXPECT_LE(Info().sampled_batches(), read + kMostAhead) << "made ahead of what was read";
    ASSERT_EQ(sampler->Next().keys_size(), kItems);
  }
  EXPECT_EQ(Info().sampled_batches(), kBatches);
  sampler->stream->WritesDone();
  EXPECT_TRUE(sampler->End().ok());
}

TEST_F(SampleReactorTest, StreamsCostNoThreads) {
  constexpr int kStreams = 200;
  constexpr int kOfGrpc = 30;  // It starts a few more while it is busy.
  Serve(BalancedTable());
  std::vector<std::unique_ptr<Sampler>> samplers;
  samplers.push_back(OpenSampler());
  const int threads = ProcessThreads();
  ASSERT_GT(threads, 0);
  for (int i = 1; i < kStreams; ++i) samplers.push_back(OpenSampler());
  for (const auto& sampler : samplers) sampler->Want({1, 1});
  ASSERT_TRUE(Eventually([&] { return Info().waiting_samplers() == kStreams; }));
  std::vector<std::unique_ptr<Appender>> appenders;
  for (int i = 0; i < kStreams; ++i) appenders.push_back(OpenAppender(100 + i));
  EXPECT_LE(ProcessThreads(), threads + kOfGrpc);

  // Each gets its batches as the limiter lets them.
  Insert(7, 2 * kStreams / kSteps + 1);
  for (const auto& sampler : samplers) {
    EXPECT_EQ(sampler->Next().keys_size(), 1);
    EXPECT_EQ(sampler->Next().keys_size(), 1);
    sampler->stream->WritesDone();
    EXPECT_TRUE(sampler->End().ok());
  }
  EXPECT_LE(ProcessThreads(), threads + kOfGrpc);
}

TEST_F(SampleReactorTest, StreamsThatAreNeverDoneTakeTurns) {
  Serve(OpenTable());
  Insert(7, 1);
  // More than there are threads, each wants more than it will ever be sent.
  std::vector<std::unique_ptr<Sampler>> greedy;
  for (int i = 0; i < 64; ++i) {
    greedy.push_back(OpenSampler());
    greedy.back()->Want(std::vector<int32_t>(SampleReactor::kMostWantedBatches, 4096));
  }
  auto modest = OpenSampler();
  modest->Want({1});
  EXPECT_EQ(modest->Next().keys_size(), 1);
  for (const auto& sampler : greedy) {
    EXPECT_EQ(sampler->Next().keys_size(), 4096);
    sampler->context.TryCancel();
  }
}

}  // namespace
}  // namespace cadre
