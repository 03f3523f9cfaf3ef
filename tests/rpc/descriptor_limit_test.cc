// The servers' binaries where there are fewer file descriptors than connections.
#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/synchronization/notification.h"
#include "absl/time/clock.h"
#include "gmock/gmock.h"
#include "grpcpp/create_channel.h"
#include "grpcpp/generic/generic_stub.h"
#include "gtest/gtest.h"
#include "rpc/server/free_port.h"
#include "rpc/server/port_file.h"
#include "rpc/server/server.h"
#include "rpc/status.h"
#include "tests/child_process.h"

namespace cadre {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;

constexpr int kConnections = 50;

// The whole answer to a GET from `port` of this machine.
std::string HttpGet(int port, const std::string& path) {
  const int fd = socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in address = {};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<uint16_t>(port));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  EXPECT_EQ(connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof(address)), 0);
  const std::string request = absl::StrCat("GET ", path, " HTTP/1.0\r\n\r\n");
  EXPECT_EQ(write(fd, request.data(), request.size()), static_cast<ssize_t>(request.size()));
  std::string answer;
  char block[4096];
  for (ssize_t got; (got = read(fd, block, sizeof(block))) > 0;) answer.append(block, got);
  close(fd);
  return answer;
}

// A channel with a connection of its own.
std::shared_ptr<grpc::Channel> NewChannel(int port) {
  grpc::ChannelArguments arguments;
  arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
  arguments.SetInt(GRPC_ARG_ENABLE_HTTP_PROXY, 0);
  return grpc::CreateCustomChannel(absl::StrCat("127.0.0.1:", port),
                                   grpc::InsecureChannelCredentials(), arguments);
}

struct Answer {
  grpc::Status status;
  std::string bytes;
};

Answer Call(const std::shared_ptr<grpc::Channel>& channel, const std::string& method,
            const std::string& request) {
  grpc::GenericStub stub(channel);
  grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(10));
  const grpc::Slice slice(request);
  const grpc::ByteBuffer message(&slice, 1);
  grpc::ByteBuffer response;
  Answer answer;
  absl::Notification done;
  stub.UnaryCall(&context, method, grpc::StubOptions(), &message, &response,
                 [&](grpc::Status status) {
                   answer.status = std::move(status);
                   done.Notify();
                 });
  done.WaitForNotification();
  grpc::Slice whole;
  if (response.Valid() && response.DumpToSingleSlice(&whole).ok())
    answer.bytes = std::string(whole.begin(), whole.end());
  return answer;
}

// 1: SERVING; 2: NOT_SERVING; 0: no answer.
int Health(const std::shared_ptr<grpc::Channel>& channel, const std::string& service = "") {
  std::string request;
  if (!service.empty()) request = absl::StrCat("\x0a", std::string(1, service.size()), service);
  const Answer answer = Call(channel, "/grpc.health.v1.Health/Check", request);
  return answer.bytes.size() == 2 ? answer.bytes[1] : 0;
}

template <typename Condition>
bool Eventually(Condition condition) {
  const absl::Time limit = absl::Now() + absl::Seconds(60);
  while (!condition()) {
    if (absl::Now() > limit) return false;
    std::this_thread::yield();
  }
  return true;
}

class DescriptorLimitTest : public ::testing::TestWithParam<std::string> {
 protected:
  // `limit`: options of ulimit.
  void Start(const std::string& limit) {
    const std::string port_file = absl::StrCat(testing::TempDir(), "/descriptors.", getpid());
    unlink(port_file.c_str());
    metrics_port_ = FreeLoopbackPorts(1)->front();
    server_ = std::make_unique<ChildProcess>(std::vector<std::string>{
        "/bin/sh", "-c",
        absl::StrCat("ulimit ", limit, " && exec ", GetParam(),
                     " --address=127.0.0.1:0 --run_id=run --port_file=", port_file,
                     " --metrics_port=127.0.0.1:", metrics_port_)});
    const std::string line = server_->ReadLine();
    ASSERT_THAT(line, HasSubstr("127.0.0.1:"));
    port_ = *ReadPortFile(port_file);
    unlink(port_file.c_str());
  }
  // Keeps those of kConnections new connections that are served.
  void Connect() {
    for (int i = 0; i < kConnections; ++i)
      if (auto channel = NewChannel(port_); Health(channel) == 1)
        connections_.push_back(std::move(channel));
  }
  std::string Get(const std::string& path) const { return HttpGet(metrics_port_, path); }

  std::unique_ptr<ChildProcess> server_;
  int port_ = 0;
  int metrics_port_ = 0;
  std::vector<std::shared_ptr<grpc::Channel>> connections_;
};

TEST_P(DescriptorLimitTest, TheSoftLimitHoldsNobodyBack) {
  Start("-S -n 40");
  Connect();
  EXPECT_EQ(connections_.size(), kConnections);
  EXPECT_EQ(Health(NewChannel(port_)), 1);
  EXPECT_THAT(Get("/healthz"), StartsWith("HTTP/1.1 200"));
  EXPECT_EQ(server_->End(SIGTERM), 0);
}

TEST_P(DescriptorLimitTest, WhatHasNoRoomIsRefusedAndServedOnceThereIsRoom) {
  Start("-n 40");
  const auto old = NewChannel(port_);
  ASSERT_EQ(Health(old), 1);
  EXPECT_THAT(Get("/healthz"), StartsWith("HTTP/1.1 200"));

  Connect();
  EXPECT_GT(connections_.size(), 0);
  EXPECT_LT(connections_.size(), kConnections);
  EXPECT_TRUE(Eventually([&] { return Health(old) == 2; }));
  EXPECT_EQ(Health(old, kLivenessService), 1) << "nobody should start it again";
  EXPECT_THAT(Get("/healthz"), HasSubstr("out of file descriptors: the limit is 40"));
  EXPECT_THAT(Get("/livez"), StartsWith("HTTP/1.1 200"));
  EXPECT_THAT(Get("/metrics"), HasSubstr("_start_time_seconds"));
  // Those that were refused leave room for the next within a second.
  Answer refused;
  EXPECT_TRUE(Eventually([&] {
    refused = Call(NewChannel(port_), "/cadre.v1.Any/Call", "");
    return refused.status.error_code() == grpc::StatusCode::RESOURCE_EXHAUSTED;
  })) << refused.status.error_message();
  EXPECT_THAT(refused.status.error_message(), HasSubstr("out of file descriptors"));
  EXPECT_TRUE(IsTransient(FromGrpcStatus(refused.status, "a server")));
  EXPECT_TRUE(Eventually([&] { return Health(NewChannel(port_)) == 2; }));
  EXPECT_TRUE(Eventually([&] { return Health(NewChannel(port_), kLivenessService) == 1; }));

  connections_.clear();
  EXPECT_TRUE(Eventually([&] { return Health(NewChannel(port_)) == 1; }));
  EXPECT_TRUE(Eventually([&] { return Health(old) == 1; }));
  EXPECT_THAT(Get("/healthz"), StartsWith("HTTP/1.1 200"));
  std::string line;
  do line = server_->ReadLine();
  while (!line.empty() && line.find("connections are refused") == std::string::npos);
  EXPECT_THAT(line, HasSubstr("out of file descriptors"));
  EXPECT_EQ(server_->End(SIGTERM), 0);
}

INSTANTIATE_TEST_SUITE_P(Servers, DescriptorLimitTest,
                         ::testing::Values(CADRE_REPLAY_SERVER, CADRE_PARAM_SERVER),
                         [](const auto& info) {
                           return info.index == 0 ? "Replay" : "Parameters";
                         });

}  // namespace
}  // namespace cadre
