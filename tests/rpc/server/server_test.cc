#include "rpc/server/server.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <atomic>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/synchronization/notification.h"
#include "grpcpp/generic/generic_stub.h"
#include "proto/parameters.grpc.pb.h"
#include "rpc/channel.h"
#include "rpc/server/port_file.h"
#include "tests/process_threads.h"

namespace cadre {
namespace {

using ::testing::HasSubstr;

TEST(RpcServerTest, PortZeroPicksOneAndItAnswers) {
  v1::ParameterService::Service service;
  const auto server = RpcServer::Create("127.0.0.1:0", {&service});
  ASSERT_TRUE(server.ok()) << server.status();
  EXPECT_GT((*server)->port(), 0);
  EXPECT_EQ((*server)->address(), absl::StrCat("127.0.0.1:", (*server)->port()));

  const auto channel = MakeChannel((*server)->address());
  ASSERT_TRUE(channel.ok());
  grpc::ClientContext context;
  v1::ParameterInfoResponse response;
  EXPECT_EQ(v1::ParameterService::NewStub(*channel)
                ->ParameterInfo(&context, v1::ParameterInfoRequest(), &response)
                .error_code(),
            grpc::StatusCode::UNIMPLEMENTED);
}

// grpc.health.v1.Health/Check, by hand: an empty request, `status` in field 1.
std::string AskHealth(const std::shared_ptr<grpc::Channel>& channel) {
  grpc::GenericStub stub(channel);
  grpc::ClientContext context;
  const grpc::Slice empty;
  const grpc::ByteBuffer request(&empty, 1);
  grpc::ByteBuffer response;
  absl::Notification done;
  stub.UnaryCall(&context, "/grpc.health.v1.Health/Check", grpc::StubOptions(), &request, &response,
                 [&done](grpc::Status) { done.Notify(); });
  done.WaitForNotification();
  grpc::Slice answer;
  return response.DumpToSingleSlice(&answer).ok() ? std::string(answer.begin(), answer.end())
                                                  : std::string();
}

TEST(RpcServerTest, HealthSaysServing) {
  const auto server = RpcServer::Create("127.0.0.1:0", {});
  ASSERT_TRUE(server.ok()) << server.status();
  EXPECT_EQ(AskHealth(*MakeChannel((*server)->address())), std::string("\x08\x01"));
}

// A stream of gRPC's reflection that is left open.
class Reflection : public grpc::ClientBidiReactor<grpc::ByteBuffer, grpc::ByteBuffer> {
 public:
  // `refused` is notified by the first of all streams that ends for want of room.
  Reflection(grpc::GenericStub* stub, std::atomic<bool>* any_refused, absl::Notification* refused)
      : any_refused_(any_refused), refused_(refused) {
    stub->PrepareBidiStreamingCall(&context_,
                                   "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo",
                                   grpc::StubOptions(), this);
    StartCall();
  }
  ~Reflection() override {
    context_.TryCancel();
    done_.WaitForNotification();
  }
  void OnDone(const grpc::Status& status) override {
    if (status.error_code() == grpc::StatusCode::RESOURCE_EXHAUSTED &&
        !any_refused_->exchange(true))
      refused_->Notify();
    done_.Notify();
  }

 private:
  std::atomic<bool>* const any_refused_;
  absl::Notification* const refused_;
  grpc::ClientContext context_;
  absl::Notification done_;
};

TEST(RpcServerTest, StreamsOfReflectionCostFewThreads) {
  const auto server = RpcServer::Create("127.0.0.1:0", {});
  ASSERT_TRUE(server.ok()) << server.status();
  const auto channel = *MakeChannel((*server)->address());
  ASSERT_EQ(AskHealth(channel), std::string("\x08\x01"));
  const int threads = ProcessThreads();
  constexpr int kMost = 9;
  grpc::GenericStub stub(channel);
  std::atomic<bool> any_refused = false;
  absl::Notification refused;
  std::vector<std::unique_ptr<Reflection>> streams;
  for (int i = 0; i < 100; ++i)
    streams.push_back(std::make_unique<Reflection>(&stub, &any_refused, &refused));
  EXPECT_TRUE(refused.WaitForNotificationWithTimeout(absl::Seconds(30)));
  EXPECT_LE(ProcessThreads(), threads + kMost + 10) << "gRPC has a few of its own";
  EXPECT_EQ(AskHealth(channel), std::string("\x08\x01")) << "all else is served";
}

TEST(RpcServerTest, AConnectionThatSaysNothingIsClosed) {
  ServerOptions options;
  options.handshake_timeout = absl::Milliseconds(100);
  options.keepalive_interval = absl::Hours(1);  // Keepalive is not to close it first.
  const auto server = RpcServer::Create("127.0.0.1:0", {}, options);
  ASSERT_TRUE(server.ok()) << server.status();
  const int fd = socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in address = {};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<uint16_t>((*server)->port()));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  ASSERT_EQ(connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof(address)), 0);
  const timeval patience = {.tv_sec = 30, .tv_usec = 0};
  ASSERT_EQ(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience)), 0);
  char block[256];
  ssize_t got;
  do {  // The server's settings, and then the end.
    got = read(fd, block, sizeof(block));
  } while (got > 0);
  EXPECT_EQ(got, 0) << "it was still open";
  close(fd);
}

TEST(RpcServerTest, AWildcardIsOfIpv4AndIpv6) {
  for (const std::string address : {"0.0.0.0:0", "[::]:0", "localhost:0"}) {
    const auto server = RpcServer::Create(address, {});
    if (address[0] == '[' && !server.ok()) continue;  // This machine has no IPv6.
    ASSERT_TRUE(server.ok()) << server.status();
    for (const std::string host : {"127.0.0.1", "localhost"})
      EXPECT_EQ(AskHealth(*MakeChannel(absl::StrCat(host, ":", (*server)->port()))),
                std::string("\x08\x01"))
          << address << " as " << host;
  }
}

TEST(RpcServerTest, AUnixDomainSocketAnswers) {
  const std::string address =
      absl::StrCat("unix:", ::testing::TempDir(), "/cadre-server-test-", getpid());
  for (int again = 0; again < 2; ++again) {  // A socket that a crash left is no obstacle.
    const auto server = RpcServer::Create(address, {});
    ASSERT_TRUE(server.ok()) << server.status();
    EXPECT_EQ((*server)->address(), address);
    EXPECT_EQ(AskHealth(*MakeChannel(address)), std::string("\x08\x01"));
    EXPECT_THAT(
        RpcServer::Create(address, {}).status().message(),
        HasSubstr(absl::StrCat("cannot listen on '", address, "': Address already in use")));
  }
}

TEST(RpcServerTest, AUnixDomainSocketNeedsItsFolder) {
  EXPECT_THAT(RpcServer::Create("unix:/no/such/folder/socket", {}).status().message(),
              HasSubstr("wanted a folder that is there"));
}

TEST(RpcServerTest, APortInUseIsOneLine) {
  const auto first = RpcServer::Create("127.0.0.1:0", {});
  ASSERT_TRUE(first.ok()) << first.status();
  const auto second = RpcServer::Create((*first)->address(), {});
  EXPECT_EQ(second.status(),
            absl::UnavailableError(absl::StrCat("cannot listen on '", (*first)->address(),
                                                "': Address already in use")));
}

TEST(RpcServerTest, AnAddressThatIsNoneOrNotOurs) {
  EXPECT_EQ(RpcServer::Create("5000", {}).status(),
            absl::InvalidArgumentError("address '5000' is not host:port or unix:/path"));
  EXPECT_EQ(
      RpcServer::Create("192.0.2.1:5000", {}).status(),
      absl::UnavailableError("cannot listen on '192.0.2.1:5000': Cannot assign requested address"));
}

TEST(RpcServerTest, ThePortIsFreeAfterShutdown) {
  auto first = RpcServer::Create("127.0.0.1:0", {});
  ASSERT_TRUE(first.ok()) << first.status();
  const std::string address = (*first)->address();
  (*first)->Shutdown(absl::ZeroDuration());
  (*first)->Shutdown(absl::ZeroDuration());
  EXPECT_TRUE(RpcServer::Create(address, {}).ok());
}

TEST(PortFileTest, HoldsThePort) {
  const std::string path = absl::StrCat(testing::TempDir(), "/port_file_test.", getpid());
  EXPECT_EQ(ReadPortFile(path).status().code(), absl::StatusCode::kNotFound);
  ASSERT_TRUE(WritePortFile(path, 5001).ok());
  EXPECT_EQ(*ReadPortFile(path), 5001);
  ASSERT_TRUE(WritePortFile(path, 70000).ok());
  EXPECT_THAT(std::string(ReadPortFile(path).status().message()), HasSubstr("wanted 1 to 65535"));
  EXPECT_TRUE(WritePortFile("", 5001).ok());
  unlink(path.c_str());
}

}  // namespace
}  // namespace cadre
