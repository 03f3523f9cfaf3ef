// The binary cadre_replay_server killed and started again from its checkpoint, with the
// writers that lived through it.
#include <unistd.h>

#include <map>
#include <memory>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/files/file_io.h"
#include "gmock/gmock.h"
#include "grpcpp/client_context.h"
#include "gtest/gtest.h"
#include "proto/experience.grpc.pb.h"
#include "rpc/channel.h"
#include "rpc/client/experience_client.h"
#include "rpc/server/free_port.h"
#include "tests/child_process.h"
#include "tests/replay_server/example_rollouts.h"
#include "tests/replay_server/experience_server.h"

namespace cadre {
namespace {

using ::testing::HasSubstr;

constexpr int64_t kSteps = 10;

// Hands each item out once, oldest first, and holds writers back beyond 100 of them.
constexpr char kOnceEach[] = R"(
  tables {
    capacity_bytes: 1048576
    sampler { fifo {} }
    max_times_sampled: 1
    rate_limiter { samples_per_insert: 1 min_size: 10 error_buffer: 100 }
  })";

class TableRestartTest : public ::testing::Test {
 protected:
  TableRestartTest() { EXPECT_TRUE(MakeDirectories(folder_).ok()); }
  ~TableRestartTest() override { RemoveTree(testing::TempDir(), name_).IgnoreError(); }

  void Start(const std::string& tables) {
    ASSERT_TRUE(WriteFileAtomically(folder_ + "/tables.textproto", tables).ok());
    server_ = std::make_unique<ChildProcess>(std::vector<std::string>{
        CADRE_REPLAY_SERVER, "--address=" + address_, "--tables=" + folder_ + "/tables.textproto",
        "--checkpoint_folder=" + folder_ + "/checkpoints", "--checkpoint_seconds=0"});
    std::string line;
    do {
      line = server_->ReadLine();
      log_ += line + "\n";
    } while (line.find("listening") == std::string::npos && !line.empty());
    stub_ = v1::ExperienceService::NewStub(*MakeChannel(address_));
  }
  int End(int signal) {
    const int status = server_->End(signal);
    server_.reset();
    return status;
  }

  v1::TableInfo Info() {
    grpc::ClientContext context;
    context.set_wait_for_ready(true);
    v1::InfoResponse response;
    EXPECT_TRUE(stub_->Info(&context, {}, &response).ok());
    return response.tables_size() > 0 ? response.tables(0) : v1::TableInfo();
  }
  v1::CheckpointResponse Checkpoint() {
    grpc::ClientContext context;
    v1::CheckpointResponse response;
    const grpc::Status status = stub_->Checkpoint(&context, {}, &response);
    EXPECT_TRUE(status.ok()) << status.error_message();
    return response;
  }
  std::unique_ptr<RemoteExperienceSink> Sink() {
    ExperienceSinkOptions options;
    options.address = address_;
    options.run_id = kRun;
    options.target = "replay";
    options.spec = ExampleSpec();
    return *RemoteExperienceSink::Create(options);
  }

  const std::string name_ = absl::StrCat("table_restart_test.", getpid());
  const std::string folder_ = absl::StrCat(testing::TempDir(), "/", name_);
  const std::string address_ = absl::StrCat("127.0.0.1:", FreeLoopbackPorts(1)->front());
  std::string log_;
  std::unique_ptr<ChildProcess> server_;
  std::unique_ptr<v1::ExperienceService::Stub> stub_;
};

constexpr absl::Duration kHalfAMinute = absl::Seconds(30);

TEST_F(TableRestartTest, RolloutsInFlightWhenTheServerIsKilledAppearOnce) {
  Start(kOnceEach);
  constexpr int kRollouts = 20;
  auto sink = Sink();
  for (int i = 0; i < kRollouts; ++i)
    ASSERT_TRUE(sink->Append(ExampleRollout(kSteps, 0, static_cast<char>('a' + i))).ok());
  ASSERT_TRUE(Eventually([&] { return Info().blocked_writers() == 1; }));
  const v1::CheckpointResponse saved = Checkpoint();
  EXPECT_THAT(saved.path(), HasSubstr(folder_ + "/checkpoints/"));
  EXPECT_GT(saved.bytes(), 0);
  EXPECT_EQ(End(SIGKILL), -1);
  Start(kOnceEach);
  EXPECT_THAT(log_, HasSubstr("restored '" + saved.path() + "'"));

  grpc::ClientContext context;
  auto stream = stub_->Sample(&context);
  v1::SampleRequest request;
  request.mutable_open()->set_run_id(kRun);
  request.mutable_open()->set_table("replay");
  *request.mutable_open()->mutable_spec() = ExampleSpec();
  stream->Write(request);
  v1::SampleResponse response;
  ASSERT_TRUE(stream->Read(&response));
  request.Clear();
  for (int i = 0; i < kRollouts; ++i) request.mutable_want()->add_items(kSteps);
  stream->Write(request);
  std::map<char, int> seen;
  for (int i = 0; i < kRollouts; ++i) {
    ASSERT_TRUE(stream->Read(&response));
    for (int item = 0; item < kSteps; ++item) ++seen[response.batch().columns(0)[item * 8]];
  }
  EXPECT_EQ(seen.size(), kRollouts);
  for (const auto& [content, times] : seen) EXPECT_EQ(times, kSteps) << content;
  EXPECT_TRUE(sink->Flush(kHalfAMinute).ok());
  EXPECT_EQ(Info().inserted_rollouts(), kRollouts);
  EXPECT_EQ(Info().lost_rollouts(), 0);
  context.TryCancel();
  stream->Finish().ok();
}

TEST_F(TableRestartTest, RolloutsWhoseAcknowledgementWasLostAppearOnce) {
  Start("tables {}");
  for (int life = 0; life < 2; ++life) {
    grpc::ClientContext context;
    context.set_wait_for_ready(true);
    auto stream = stub_->Append(&context);
    v1::AppendRequest request;
    request.mutable_open()->set_run_id(kRun);
    request.mutable_open()->set_writer_id(7);
    request.mutable_open()->set_target("replay");
    request.mutable_open()->set_first_sequence(1);
    *request.mutable_open()->mutable_spec() = ExampleSpec();
    stream->Write(request);
    for (uint64_t sequence = 1; sequence <= 5; ++sequence) {
      *request.mutable_rollout() = ExampleRollout(7, sequence, kSteps, 0);
      stream->Write(request);
    }
    ASSERT_TRUE(Eventually([&] {
      return life == 0 ? Info().inserted_rollouts() == 5 : Info().duplicate_rollouts() == 5;
    }));
    if (life == 0) {
      Checkpoint();
      EXPECT_EQ(End(SIGKILL), -1);
      Start("tables {}");
    }
    context.TryCancel();
    stream->Finish().ok();
  }
  EXPECT_EQ(Info().items(), 5 * kSteps);
  EXPECT_EQ(Info().inserted_rollouts(), 5);
}

TEST_F(TableRestartTest, WhatWasSettledAfterTheCheckpointIsCountedAsLost) {
  Start("tables {}");
  auto sink = Sink();
  for (int i = 0; i < 3; ++i) ASSERT_TRUE(sink->Append(ExampleRollout(kSteps)).ok());
  ASSERT_TRUE(sink->Flush(kHalfAMinute).ok());
  Checkpoint();
  for (int i = 0; i < 2; ++i) ASSERT_TRUE(sink->Append(ExampleRollout(kSteps)).ok());
  ASSERT_TRUE(sink->Flush(kHalfAMinute).ok());
  EXPECT_EQ(End(SIGKILL), -1);
  Start("tables {}");
  ASSERT_TRUE(sink->Append(ExampleRollout(kSteps)).ok());
  ASSERT_TRUE(sink->Flush(kHalfAMinute).ok());
  EXPECT_EQ(Info().inserted_rollouts(), 4);
  EXPECT_EQ(Info().lost_rollouts(), 2);
}

TEST_F(TableRestartTest, SigtermSavesWhatWasSettled) {
  Start("tables {}");
  EXPECT_THAT(log_, HasSubstr("there is no checkpoint in"));
  auto sink = Sink();
  for (int i = 0; i < 3; ++i) ASSERT_TRUE(sink->Append(ExampleRollout(kSteps)).ok());
  ASSERT_TRUE(sink->Flush(kHalfAMinute).ok());
  EXPECT_EQ(End(SIGTERM), 0);
  Start("tables {}");
  EXPECT_THAT(log_, HasSubstr("table 'replay' has 30 items of 3 rollouts"));
  EXPECT_EQ(Info().items(), 3 * kSteps);
  ASSERT_TRUE(sink->Append(ExampleRollout(kSteps)).ok());
  ASSERT_TRUE(sink->Flush(kHalfAMinute).ok());
  EXPECT_EQ(Info().inserted_rollouts(), 4);
  EXPECT_EQ(Info().lost_rollouts() + Info().duplicate_rollouts(), 0);
}

TEST_F(TableRestartTest, TablesOfAnotherConfigAreNotRestored) {
  Start("tables {}");
  EXPECT_EQ(End(SIGTERM), 0);
  Start("tables { capacity_items: 5 }");
  EXPECT_EQ(End(0), 4) << log_;
}

}  // namespace
}  // namespace cadre
