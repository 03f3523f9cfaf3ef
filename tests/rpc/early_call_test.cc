// One test alone, as what gRPC is told before it starts it is told once in a process. The server
// is another one, as in one the server's threads would look after the client's connections.
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <string>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "gtest/gtest.h"
#include "proto/parameters.grpc.pb.h"
#include "rpc/server/free_port.h"
#include "rpc/server/server.h"
#include "rpc/server/server_info.h"

namespace cadre {
namespace {

class EmptyService : public v1::ParameterService::Service {
  grpc::Status ParameterInfo(grpc::ServerContext*, const v1::ParameterInfoRequest*,
                             v1::ParameterInfoResponse*) override {
    return grpc::Status::OK;
  }
};

// Listens on `address` a while after the call was made, and waits to be killed.
[[noreturn]] void ListenLate(const std::string& address) {
  absl::SleepFor(absl::Milliseconds(300));
  EmptyService service;
  const auto server = RpcServer::Create(address, {&service});
  absl::SleepFor(absl::Seconds(20));
  _exit(0);
}

TEST(EarlyCallTest, IsAnsweredSoonAfterItsServerListens) {
  const std::string address = absl::StrCat("127.0.0.1:", FreeLoopbackPorts(1).value().at(0));
  const pid_t server = fork();
  ASSERT_GE(server, 0);
  if (server == 0) ListenLate(address);
  const auto info = FetchParameterInfo(address);  // Gives up before gRPC would look by itself.
  EXPECT_TRUE(info.ok()) << info.status();
  kill(server, SIGKILL);
  waitpid(server, nullptr, 0);
}

}  // namespace
}  // namespace cadre
