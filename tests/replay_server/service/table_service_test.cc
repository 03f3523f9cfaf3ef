// The service with a table: what its streams and calls have in common.
#include <fcntl.h>
#include <unistd.h>

#include <csignal>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "common/process/event.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "rpc/call_timeout.h"
#include "tests/replay_server/service/table_streams.h"

namespace cadre {
namespace {

using ::testing::HasSubstr;

class TableServiceTest : public TableStreamsTest {};

TEST_F(TableServiceTest, UnknownNamesAreToldWithThoseThereAre) {
  Serve(OpenTable());
  v1::AppendOpen append = AppendOpen(7);
  append.set_target("replya");
  grpc::Status status = Append(append)->End();
  EXPECT_EQ(status.error_code(), grpc::StatusCode::NOT_FOUND);
  EXPECT_EQ(status.error_message(),
            "there is no queue or table 'replya'; queues: on_policy; tables: replay");
  v1::SampleOpen sample = SampleOpen();
  sample.set_table("on_policy");
  status = Sample(sample)->End();
  EXPECT_EQ(status.error_code(), grpc::StatusCode::NOT_FOUND);
  EXPECT_EQ(status.error_message(),
            "there is no table 'on_policy'; queues: on_policy; tables: replay");
}

TEST_F(TableServiceTest, AnotherRunIsRefusedWithBoth) {
  Serve(OpenTable());
  v1::AppendOpen append = AppendOpen(7);
  append.set_run_id("run-2");
  EXPECT_EQ(Append(append)->End().error_code(), grpc::StatusCode::FAILED_PRECONDITION);
  v1::SampleOpen sample = SampleOpen();
  sample.set_run_id("run-2");
  const grpc::Status status = Sample(sample)->End();
  EXPECT_EQ(status.error_code(), grpc::StatusCode::FAILED_PRECONDITION);
  EXPECT_EQ(status.error_message(), "table 'replay': got run id 'run-2'; wanted 'run-1'");
}

TEST_F(TableServiceTest, AnotherSpecIsRefusedWithBoth) {
  Serve(OpenTable());
  Insert(7, 1);
  v1::SampleOpen open = SampleOpen();
  open.mutable_spec()->mutable_columns(1)->set_dtype(v1::DTYPE_FLOAT64);
  const grpc::Status status = Sample(open)->End();
  EXPECT_EQ(status.error_code(), grpc::StatusCode::FAILED_PRECONDITION);
  EXPECT_THAT(status.error_message(), HasSubstr("reward float64[]}; wanted {obs float32[2]"));
}

TEST_F(TableServiceTest, StopEndsEveryStreamSoThatClientsTryAgain) {
  Serve(BalancedTable());
  auto waits = OpenSampler();
  waits->Want({1});
  auto idle = OpenSampler();
  ASSERT_TRUE(Eventually([&] { return Info().waiting_samplers() == 1; }));
  server_->service.Stop(absl::InfiniteDuration());
  EXPECT_EQ(waits->End().error_code(), grpc::StatusCode::UNAVAILABLE);
  EXPECT_EQ(idle->End().error_message(), "the replay server is stopping");
  EXPECT_EQ(Sample(SampleOpen())->End().error_code(), grpc::StatusCode::UNAVAILABLE);
  EXPECT_EQ(Info().waiting_samplers(), 0);
}

TEST_F(TableServiceTest, ResetEmptiesTheTableOfItsRunAlone) {
  Serve(OpenTable());
  Insert(7, 2);
  v1::ResetRequest request;
  request.set_table("replay");
  request.set_run_id("run-2");
  v1::ResetResponse response;
  {
    grpc::ClientContext context;
    const grpc::Status status = stub_->Reset(&context, request, &response);
    EXPECT_EQ(status.error_code(), grpc::StatusCode::FAILED_PRECONDITION);
    EXPECT_EQ(status.error_message(), "table 'replay': got run id 'run-2'; wanted 'run-1'");
  }
  EXPECT_EQ(Info().items(), 2 * kSteps);
  request.set_run_id(kRun);
  grpc::ClientContext context;
  EXPECT_TRUE(stub_->Reset(&context, request, &response).ok());
  EXPECT_EQ(Info().items(), 0);
}

// More calls than the server has threads.
constexpr int kManyCalls = 64;

TEST_F(TableServiceTest, OthersAreServedWhileResetsWaitForACheckpoint) {
  Serve(OpenTable());
  Insert(7, 2);
  Event saving, go_on;
  std::thread saver([&] {
    EXPECT_TRUE(server_->table
                    ->Save([&](absl::Span<const std::byte>) {
                      saving.Notify();
                      go_on.Wait();
                      return absl::OkStatus();
                    })
                    .ok());
  });
  saving.Wait();
  struct Call {
    grpc::ClientContext context;
    v1::ResetResponse response;
    Event done;
    grpc::Status status;
  };
  v1::ResetRequest request;
  request.set_table("replay");
  request.set_run_id(kRun);
  std::vector<std::unique_ptr<Call>> calls;
  for (int i = 0; i < kManyCalls; ++i) {
    Call* const call = calls.emplace_back(std::make_unique<Call>()).get();
    stub_->async()->Reset(&call->context, &request, &call->response, [call](grpc::Status status) {
      call->status = std::move(status);
      call->done.Notify();
    });
  }
  grpc::ClientContext context;
  SetTimeout(context, absl::Seconds(30));
  v1::InfoResponse info;
  const grpc::Status status = stub_->Info(&context, {}, &info);
  EXPECT_TRUE(status.ok()) << status.error_message();
  go_on.Notify();
  saver.join();
  for (const auto& call : calls) {
    call->done.Wait();
    EXPECT_TRUE(call->status.ok()) << call->status.error_message();
  }
  EXPECT_EQ(Info().items(), 0);
}

// A file that cannot be opened for writing while it exists: the kernel keeps who tries waiting.
class LeasedFile {
 public:
  explicit LeasedFile(const std::string& path) {
    close(open(path.c_str(), O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
    file_ = open(path.c_str(), O_RDONLY | O_CLOEXEC);
    signal(SIGIO, SIG_IGN);  // By which the kernel asks for the lease back.
    leased_ = fcntl(file_, F_SETLEASE, F_RDLCK) == 0;
  }
  ~LeasedFile() { close(file_); }

  bool leased() const { return leased_; }
  bool wanted() const { return fcntl(file_, F_GETLEASE) != F_RDLCK; }
  void Release() { fcntl(file_, F_SETLEASE, F_UNLCK); }

 private:
  int file_ = -1;
  bool leased_ = false;
};

TEST_F(TableServiceTest, OthersAreServedWhileATablesFileIsOpened) {
  TableOptions options = OpenTable();
  options.storage_path = testing::TempDir() + "/table_service_test.rows";
  LeasedFile file(options.storage_path);
  if (!file.leased()) GTEST_SKIP() << "this file system has no leases";
  Serve(options);
  std::vector<std::unique_ptr<Appender>> appenders;
  for (int i = 0; i < kManyCalls; ++i) appenders.push_back(Append(AppendOpen(i + 1)));
  auto sampler = Sample(SampleOpen());
  ASSERT_TRUE(Eventually([&] { return file.wanted(); }));
  grpc::ClientContext context;
  SetTimeout(context, absl::Seconds(30));
  v1::InfoResponse info;
  const grpc::Status status = stub_->Info(&context, {}, &info);
  EXPECT_TRUE(status.ok()) << status.error_message();
  EXPECT_TRUE(file.wanted()) << "it still waits";
  file.Release();
  for (const auto& appender : appenders) EXPECT_TRUE(appender->stream->Read(&appender->response));
  EXPECT_TRUE(sampler->stream->Read(&sampler->response));
}

TEST_F(TableServiceTest, InfoCounts) {
  Serve(OpenTable());
  Insert(7, 2);
  grpc::ClientContext context;
  v1::InfoResponse response;
  ASSERT_TRUE(stub_->Info(&context, {}, &response).ok());
  ASSERT_EQ(response.queues_size(), 1);
  ASSERT_EQ(response.tables_size(), 1);
  EXPECT_EQ(response.tables(0).name(), "replay");
  EXPECT_EQ(response.tables(0).inserted_rollouts(), 2);
}

TEST_F(TableServiceTest, TheFirstRequestMustOpenAndNoOther) {
  Serve(OpenTable());
  grpc::ClientContext context;
  auto stream = stub_->Sample(&context);
  v1::SampleRequest want;
  want.mutable_want()->add_items(1);
  stream->Write(want);
  v1::SampleResponse response;
  EXPECT_FALSE(stream->Read(&response));
  EXPECT_EQ(stream->Finish().error_code(), grpc::StatusCode::INVALID_ARGUMENT);

  auto twice = OpenSampler();
  v1::SampleRequest again;
  *again.mutable_open() = SampleOpen();
  twice->stream->Write(again);
  EXPECT_EQ(twice->End().error_code(), grpc::StatusCode::INVALID_ARGUMENT);

  auto appender = OpenAppender(7);
  v1::AppendRequest open;
  *open.mutable_open() = AppendOpen(7);
  appender->stream->Write(open);
  EXPECT_EQ(appender->End().error_message(),
            "Append: got a request without `rollout` after the first");
}

}  // namespace
}  // namespace cadre
