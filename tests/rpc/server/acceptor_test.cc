#include "rpc/server/acceptor.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <pthread.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <memory>
#include <string>
#include <vector>

#include "absl/synchronization/mutex.h"
#include "absl/synchronization/notification.h"
#include "absl/time/clock.h"
#include "tests/log_capture.h"

namespace cadre {
namespace {

using ::testing::HasSubstr;

sockaddr_in Loopback() {
  sockaddr_in address = {};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return address;
}

int Listen() {
  const int listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  const sockaddr_in address = Loopback();
  EXPECT_EQ(bind(listener, reinterpret_cast<const sockaddr*>(&address), sizeof(address)), 0);
  EXPECT_EQ(listen(listener, 16), 0);
  return listener;
}

void Connect(int socket, int listener) {
  sockaddr_in address = {};
  socklen_t size = sizeof(address);
  ASSERT_EQ(getsockname(listener, reinterpret_cast<sockaddr*>(&address), &size), 0);
  ASSERT_EQ(connect(socket, reinterpret_cast<const sockaddr*>(&address), sizeof(address)), 0);
}

// Takes every descriptor that there is; lowers the limit, so that those are few.
class AllDescriptors {
 public:
  AllDescriptors() {
    getrlimit(RLIMIT_NOFILE, &before_);
    rlimit few = before_;
    few.rlim_cur = 64;
    setrlimit(RLIMIT_NOFILE, &few);
    for (int taken; (taken = open("/dev/null", O_RDONLY | O_CLOEXEC)) >= 0;)
      taken_.push_back(taken);
  }
  ~AllDescriptors() {
    for (const int taken : taken_) close(taken);
    setrlimit(RLIMIT_NOFILE, &before_);
  }

 private:
  rlimit before_;
  std::vector<int> taken_;
};

TEST(AcceptorTest, OnlyConnectionsThatWereClosedAreCountedAsRefused) {
  const LogCapture log;
  // The other one has nobody waiting when there is no descriptor left.
  const int used = Listen(), idle = Listen();
  const int client = socket(AF_INET, SOCK_STREAM, 0);
  absl::Notification short_of, over;
  Acceptor::Handlers handlers;
  handlers.serve = handlers.refuse = [](int, int connection) { close(connection); };
  handlers.shortage = [&](const absl::Status& why) { (why.ok() ? over : short_of).Notify(); };
  auto acceptor = Acceptor::Create({used, idle}, std::move(handlers));
  ASSERT_TRUE(acceptor.ok()) << acceptor.status();
  {
    const AllDescriptors all;
    Connect(client, used);
    short_of.WaitForNotification();
    char byte;
    EXPECT_EQ(read(client, &byte, 1), 0) << "it is closed";
  }
  over.WaitForNotification();
  acceptor->reset();
  EXPECT_THAT(log.text(), HasSubstr("; 1 connections were refused"));
  for (const int socket : {used, idle, client}) close(socket);
}

// Of the acceptor's thread, which calls `serve`.
absl::Duration CpuTime(clockid_t clock) {
  timespec used = {};
  clock_gettime(clock, &used);
  return absl::DurationFromTimespec(used);
}

TEST(AcceptorTest, AListenerThatIsBrokenIsNotAskedAllTheTime) {
  const LogCapture log;
  const int broken = Listen(), good = Listen();
  absl::Mutex mutex;
  int served = 0;
  clockid_t clock = 0;
  Acceptor::Handlers handlers;
  handlers.serve = [&](int, int connection) {
    close(connection);
    absl::MutexLock lock(&mutex);
    pthread_getcpuclockid(pthread_self(), &clock);
    ++served;
  };
  handlers.refuse = handlers.serve;
  handlers.shortage = [](const absl::Status&) {};
  auto acceptor = Acceptor::Create({broken, good}, std::move(handlers));
  ASSERT_TRUE(acceptor.ok()) << acceptor.status();
  const auto connect_and_wait = [&](int count) {
    const int client = socket(AF_INET, SOCK_STREAM, 0);
    Connect(client, good);
    absl::MutexLock lock(&mutex);
    const auto done = [&] { return served == count; };
    mutex.Await(absl::Condition(&done));
    close(client);
  };
  connect_and_wait(1);
  shutdown(broken, SHUT_RDWR);  // accept() says EINVAL from now on, and poll() that it is ready.
  connect_and_wait(2);
  const absl::Duration before = CpuTime(clock);
  const absl::Time begin = absl::Now();
  for (int count = 3; absl::Now() - begin < absl::Milliseconds(500); ++count)
    connect_and_wait(count);
  EXPECT_LT(CpuTime(clock) - before, absl::Milliseconds(100)) << "it pauses";
  acceptor->reset();
  EXPECT_THAT(log.text(), HasSubstr("cannot accept a connection: Invalid argument"));
  for (const int socket : {broken, good}) close(socket);
}

}  // namespace
}  // namespace cadre
