#include "common/metrics/metrics.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <memory>
#include <string>

#include "absl/strings/str_cat.h"
#include "common/metrics/process_metrics.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "prometheus/counter.h"

namespace cadre {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;

// As much as LibTorch and OpenBLAS have, on the stack of every thread: civetweb's would be too
// small, and no server start.
thread_local volatile char thread_local_storage[200'000];

// The whole answer to a GET; empty where nobody listens.
std::string Get(int port, const std::string& path) {
  const int fd = socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in address = {};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<uint16_t>(port));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  std::string answer;
  if (connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof(address)) == 0) {
    const std::string request =
        absl::StrCat("GET ", path, " HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    EXPECT_EQ(write(fd, request.data(), request.size()), static_cast<ssize_t>(request.size()));
    char block[4096];
    for (ssize_t got; (got = read(fd, block, sizeof(block))) > 0;) answer.append(block, got);
  }
  close(fd);
  return answer;
}

// One server for all: stopping takes civetweb a moment.
class MetricsTest : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    thread_local_storage[0] = 1;  // It is not left out as unused.
    registry_ = std::make_shared<prometheus::Registry>();
    auto server = MetricsServer::Create(
        "127.0.0.1:0", registry_,
        [] { return healthy_ ? absl::OkStatus() : absl::UnavailableError("no learner"); },
        {std::make_shared<ProcessMetrics>("test")});
    ASSERT_EQ(server.status(), absl::OkStatus());
    server_ = *std::move(server);
  }
  static void TearDownTestSuite() {
    const int port = server_->port();
    server_.reset();
    EXPECT_EQ(Get(port, "/metrics"), "") << "listens after its end";
    registry_.reset();
  }

  static inline std::shared_ptr<prometheus::Registry> registry_;
  static inline std::unique_ptr<MetricsServer> server_;
  static inline std::atomic<bool> healthy_{true};
};

TEST_F(MetricsTest, ServesTheRegistry) {
  prometheus::Counter& steps = prometheus::BuildCounter()
                                   .Name("cadre_test_steps_total")
                                   .Help("Steps.")
                                   .Register(*registry_)
                                   .Add({{"actor", "3"}});
  EXPECT_GT(server_->port(), 0);
  steps.Increment(41);
  steps.Increment();
  const std::string answer = Get(server_->port(), "/metrics");
  EXPECT_THAT(answer, StartsWith("HTTP/1.1 200 OK\r\n"));
  EXPECT_THAT(answer, HasSubstr("Content-Type: text/plain; version=0.0.4"));
  EXPECT_THAT(answer, HasSubstr("# TYPE cadre_test_steps_total counter\n"
                                "cadre_test_steps_total{actor=\"3\"} 42\n"));
}

TEST_F(MetricsTest, ServesWhatElseThereIsToCollect) {
  EXPECT_THAT(Get(server_->port(), "/metrics"),
              HasSubstr("# TYPE cadre_test_start_time_seconds gauge\n"));
}

TEST_F(MetricsTest, TellsItsHealth) {
  EXPECT_THAT(Get(server_->port(), "/healthz"), StartsWith("HTTP/1.1 200 OK\r\n"));
  EXPECT_THAT(Get(server_->port(), "/healthz"), HasSubstr("\r\n\r\nok\n"));
  healthy_ = false;
  EXPECT_THAT(Get(server_->port(), "/healthz"), StartsWith("HTTP/1.1 503 "));
  EXPECT_THAT(Get(server_->port(), "/healthz"), HasSubstr("\r\n\r\nno learner\n"));
  EXPECT_THAT(Get(server_->port(), "/livez"), StartsWith("HTTP/1.1 200 OK\r\n"));
  healthy_ = true;
}

TEST_F(MetricsTest, KnowsNoOtherPath) {
  for (const char* path : {"/", "/metrics/x", "/xmetrics", "/etc/passwd", "/../etc/passwd"})
    EXPECT_THAT(Get(server_->port(), path), StartsWith("HTTP/1.1 404 ")) << path;
}

TEST_F(MetricsTest, SaysThatThePortIsTaken) {
  const std::string address = absl::StrCat("127.0.0.1:", server_->port());
  const absl::Status status = MetricsServer::Create(address, registry_, nullptr).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(std::string(status.message()),
            absl::StrCat("cannot serve metrics on '", address, "': Address already in use"));
}

TEST_F(MetricsTest, IsHealthyWithoutACheckOnEveryInterface) {
  const auto server = MetricsServer::Create("0", registry_, nullptr);
  ASSERT_EQ(server.status(), absl::OkStatus());
  EXPECT_THAT(Get((*server)->port(), "/healthz"), StartsWith("HTTP/1.1 200 "));
}

TEST_F(MetricsTest, RefusesWhatIsNoAddress) {
  for (const char* address : {"", "x", "localhost:", ":9100", "70000", "-1", "9100s", "80,81"}) {
    const absl::Status status = MetricsServer::Create(address, registry_, nullptr).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << address;
    EXPECT_EQ(std::string(status.message()),
              absl::StrCat("metrics address: got '", address,
                           "'; wanted a port from 0 to 65535, or host:port"));
  }
}

}  // namespace
}  // namespace cadre
