// The threads of gRPC, which ends a process that cannot have them. One test alone, as they are
// started once in a process.
#include <memory>
#include <string>
#include <thread>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "proto/parameters.grpc.pb.h"
#include "rpc/channel.h"
#include "rpc/server/grpc_set_up.h"
#include "rpc/server/server.h"
#include "tests/no_threads.h"
#include "tests/process_threads.h"

namespace cadre {
namespace {

TEST(GrpcThreadsTest, WithoutThemNothingOfGrpcIsMadeAndWithThemItIs) {
  const auto wanted = [](int room) {
    return absl::ResourceExhaustedError(
        absl::StrCat("gRPC needs up to ", GrpcThreads(), " threads, and there is room for ", room,
                     ": cannot start a thread for gRPC: the limit of threads (ulimit -u, cgroup "
                     "pids.max) is reached"));
  };
  v1::ParameterService::Service service;
  std::thread([] {}).join();  // A sanitizer starts one of its own with the first.
  const int before = ProcessThreads();
  {
    const NoThreads limit;
    ASSERT_EQ(SetUpGrpc(), wanted(0));
    EXPECT_EQ(MakeChannel("127.0.0.1:1").status(), wanted(0));
    EXPECT_EQ(RpcServer::Create("127.0.0.1:0", {&service}).status(), wanted(0));
  }
  {
    const NoThreads limit("", GrpcThreads() - 1);
    ASSERT_EQ(SetUpGrpc(), wanted(GrpcThreads() - 1));
  }
  EXPECT_EQ(ProcessThreads(), before);

  // Once the process may have them it goes on.
  const auto channel = MakeChannel("unix:/tmp/nobody-listens-here");
  ASSERT_TRUE(channel.ok()) << channel.status();
  const auto server = RpcServer::Create("127.0.0.1:0", {&service});
  ASSERT_TRUE(server.ok()) << server.status();
  grpc::ClientContext context;
  v1::ParameterInfoResponse response;
  EXPECT_EQ(v1::ParameterService::NewStub(*MakeChannel((*server)->address()))
                ->ParameterInfo(&context, v1::ParameterInfoRequest(), &response)
                .error_code(),
            grpc::StatusCode::UNIMPLEMENTED);
  constexpr int kOurs = 1;  // That accepts connections.
  EXPECT_LE(ProcessThreads() - before, kOurs + GrpcThreads());
  EXPECT_EQ(SetUpGrpc(), absl::OkStatus());
}

}  // namespace
}  // namespace cadre
