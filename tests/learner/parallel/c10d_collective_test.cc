// Over real sockets of this machine; learners are threads here, processes in
// tests/e2e/data_parallel_test.py.
#include "learner/parallel/c10d_collective.h"

#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <csignal>
#include <functional>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/synchronization/notification.h"
#include "absl/time/clock.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "rpc/server/free_port.h"
#include "tests/learner/parallel/learner_group.h"
#include "tests/policy/example_networks.h"

namespace cadre {
namespace {

using testing::HasSubstr;

std::string FreeAddress() { return absl::StrCat("127.0.0.1:", FreeLoopbackPorts(1).value().at(0)); }

std::unique_ptr<Collective> Join(const std::string& address, int rank, int size) {
  auto member = JoinC10d({.address = address, .rank = rank, .size = size});
  EXPECT_TRUE(member.ok()) << member.status();
  return member.ok() ? std::move(*member) : nullptr;
}

void RunOverGloo(int size, const std::function<void(Collective&)>& learner) {
  const std::string address = FreeAddress();
  RunLearners(
      size, [&](int rank) { return Join(address, rank, size); }, learner);
}

torch::Tensor ValuesOf(int rank) {
  Random random(rank + 1);
  return torch::tensor(RandomFloats(1000, random, 1.0));
}

TEST(C10dCollectiveTest, EveryMemberGetsTheSameBitsOfTheSum) {
  std::vector<torch::Tensor> got(3);
  RunOverGloo(3, [&](Collective& learner) {
    EXPECT_EQ(learner.size(), 3);
    torch::Tensor values;
    for (int round = 0; round < 10; ++round) {
      values = ValuesOf(learner.rank());
      ASSERT_TRUE(learner.Sum(values).ok());
    }
    got[learner.rank()] = values;
  });
  const torch::Tensor wanted = ValuesOf(0) + ValuesOf(1) + ValuesOf(2);
  EXPECT_TRUE(torch::allclose(got[0], wanted, 1e-6, 1e-6));
  EXPECT_TRUE(torch::equal(got[0], got[1]));
  EXPECT_TRUE(torch::equal(got[0], got[2]));
}

TEST(C10dCollectiveTest, EveryTypeThatLearnersSendIsSummed) {
  RunOverGloo(2, [](Collective& learner) {
    for (const torch::Dtype dtype :
         {torch::kFloat32, torch::kFloat64, torch::kInt64, torch::kUInt8}) {
      torch::Tensor values = torch::full({5}, learner.rank() + 1, dtype);
      ASSERT_TRUE(learner.Sum(values).ok());
      EXPECT_TRUE(torch::equal(values, torch::full({5}, 3, dtype))) << dtype;
    }
  });
}

TEST(C10dCollectiveTest, AMemberThatIsGoneIsNamedWithinSeconds) {
  const absl::Time start = absl::Now();
  RunOverGloo(3, [&](Collective& learner) {
    torch::Tensor values = ValuesOf(learner.rank());
    ASSERT_TRUE(learner.Sum(values).ok());
    if (learner.rank() == 1) return;
    const absl::Status status = learner.Sum(values);
    EXPECT_TRUE(absl::IsUnavailable(status)) << status;
    EXPECT_THAT(std::string(status.message()), HasSubstr("lost learner 1 of 3 learners"));
    EXPECT_THAT(std::string(status.message()), testing::Not(HasSubstr("\n")));
    EXPECT_EQ(learner.Sum(values), status);
  });
  EXPECT_LT(absl::Now() - start, absl::Seconds(15));
}

// As gloo may write to a learner that is gone.
TEST(C10dCollectiveTest, AWriteToNobodyIsAnErrorAndNoEnd) {
  std::signal(SIGPIPE, SIG_DFL);
  RunOverGloo(2, [](Collective& learner) {
    torch::Tensor values = ValuesOf(learner.rank());
    ASSERT_TRUE(learner.Sum(values).ok());
  });
  int ends[2];
  ASSERT_EQ(pipe(ends), 0);
  close(ends[0]);
  EXPECT_EQ(write(ends[1], "", 1), -1);
  EXPECT_EQ(errno, EPIPE);
  close(ends[1]);
}

TEST(C10dCollectiveTest, TheFirstIsNamedWhereItIsGone) {
  RunOverGloo(2, [&](Collective& learner) {
    torch::Tensor values = ValuesOf(learner.rank());
    ASSERT_TRUE(learner.Sum(values).ok());
    if (learner.rank() == 0) return;
    const absl::Status status = learner.Sum(values);
    EXPECT_TRUE(absl::IsUnavailable(status)) << status;
    EXPECT_THAT(std::string(status.message()), HasSubstr("lost learner 0 of 2 learners"));
  });
}

// The other one has died where nobody notices, or waits for experience that does not come.
TEST(C10dCollectiveTest, AStopEndsASumThatTheOthersDoNotJoin) {
  std::atomic<bool> stop = false;
  absl::Notification given_up;
  const std::string address = FreeAddress();
  RunLearners(
      2,
      [&](int rank) {
        auto member = JoinC10d({.address = address, .rank = rank, .size = 2, .stop_requested = [&] {
                                  return stop.load();
                                }});
        EXPECT_TRUE(member.ok()) << member.status();
        return *std::move(member);
      },
      [&](Collective& learner) {
        torch::Tensor values = ValuesOf(learner.rank());
        ASSERT_TRUE(learner.Sum(values).ok());
        if (learner.rank() == 1) return given_up.WaitForNotification();
        stop = true;
        EXPECT_EQ(learner.Sum(values).code(), absl::StatusCode::kCancelled);
        EXPECT_EQ(learner.Sum(values).code(), absl::StatusCode::kCancelled);
        given_up.Notify();
      });
}

TEST(C10dCollectiveTest, AMemberThatFallsSilentIsGivenUpAfterTheTimeout) {
  const std::string address = FreeAddress();
  absl::Notification given_up;
  const auto join = [&](int rank) {
    return JoinC10d({.address = address, .rank = rank, .size = 2, .timeout = absl::Seconds(4)})
        .value();
  };
  RunLearners(2, join, [&](Collective& learner) {
    if (learner.rank() == 1) return given_up.WaitForNotification();
    const absl::Time start = absl::Now();
    torch::Tensor values = ValuesOf(0);
    const absl::Status status = learner.Sum(values);
    EXPECT_TRUE(absl::IsUnavailable(status)) << status;
    EXPECT_THAT(std::string(status.message()), HasSubstr("lost learner 1 of 2 learners"));
    EXPECT_GE(absl::Now() - start, absl::Seconds(4));
    EXPECT_LT(absl::Now() - start, absl::Seconds(30));
    given_up.Notify();
  });
}

TEST(C10dCollectiveTest, OneThatComesAgainWaitsForItsFormerGroupToEnd) {
  const std::string address = FreeAddress();
  absl::Notification gone;
  const auto sum = [](Collective& learner) {
    torch::Tensor values = torch::ones({1});
    absl::Status status = learner.Sum(values);
    if (status.ok()) {
      EXPECT_EQ(values.item<float>(), 2);
    }
    return status;
  };
  std::thread second([&] {
    auto member = Join(address, 1, 2);
    EXPECT_TRUE(sum(*member).ok());
    member.reset();
    gone.Notify();
    member = Join(address, 1, 2);  // While the first is still in the old group.
    EXPECT_TRUE(sum(*member).ok());
    EXPECT_TRUE(sum(*member).ok());
  });
  auto member = Join(address, 0, 2);
  EXPECT_TRUE(sum(*member).ok());
  gone.WaitForNotification();
  absl::SleepFor(absl::Milliseconds(500));  // Time for the second to come back too early.
  EXPECT_TRUE(absl::IsUnavailable(sum(*member)));
  member.reset();
  member = Join(address, 0, 2);
  EXPECT_TRUE(sum(*member).ok());
  EXPECT_TRUE(sum(*member).ok());
  second.join();
}

TEST(C10dCollectiveTest, WhoeverDoesNotComeIsNamed) {
  const absl::StatusOr<std::unique_ptr<Collective>> member = JoinC10d(
      {.address = FreeAddress(), .rank = 0, .size = 2, .join_timeout = absl::Milliseconds(300)});
  EXPECT_TRUE(absl::IsUnavailable(member.status())) << member.status();
  EXPECT_THAT(std::string(member.status().message()), HasSubstr("learner 1 of 2 did not come to"));
}

TEST(C10dCollectiveTest, AStopEndsTheWaitForTheOthers) {
  for (const int rank : {0, 1}) {
    const auto member = JoinC10d(
        {.address = FreeAddress(), .rank = rank, .size = 2, .stop_requested = [] { return true; }});
    EXPECT_TRUE(absl::IsCancelled(member.status())) << member.status();
  }
}

TEST(C10dCollectiveTest, AnAddressThatIsNoneIsRefused) {
  for (const char* address : {"", "host", "host:", ":7", "host:99999"}) {
    const auto member = JoinC10d({.address = address, .rank = 0, .size = 2});
    EXPECT_EQ(member.status(), absl::InvalidArgumentError(absl::StrCat("rendezvous: got '", address,
                                                                       "'; wanted host:port")));
  }
}

}  // namespace
}  // namespace cadre
