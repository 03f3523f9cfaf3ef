#include "rpc/retry.h"

#include <gtest/gtest.h>

#include <thread>

#include "absl/synchronization/notification.h"
#include "rpc/call_timeout.h"
#include "tests/fake_clocks.h"

namespace cadre {
namespace {

const grpc::Status kUnavailable(grpc::StatusCode::UNAVAILABLE, "connection refused");
const char kPeer[] = "parameter server at a:1";

RetryPolicy Patient() {
  RetryPolicy policy;
  policy.backoff = {absl::Microseconds(1), absl::Microseconds(10), 2};
  policy.give_up_after = absl::Hours(1);
  return policy;
}

TEST(RetryTest, TriesUntilItSucceeds) {
  CallGroup calls;
  int attempts = 0;
  EXPECT_TRUE(CallWithRetry(calls, Patient(), kPeer, [&](grpc::ClientContext&) {
                return ++attempts < 4 ? kUnavailable : grpc::Status::OK;
              }).ok());
  EXPECT_EQ(attempts, 4);
}

TEST(RetryTest, ARefusalIsFinal) {
  CallGroup calls;
  int attempts = 0;
  const absl::Status status = CallWithRetry(calls, Patient(), kPeer, [&](grpc::ClientContext&) {
    ++attempts;
    return grpc::Status(grpc::StatusCode::FAILED_PRECONDITION, "run id differs");
  });
  EXPECT_EQ(status, absl::FailedPreconditionError("parameter server at a:1: run id differs"));
  EXPECT_EQ(attempts, 1);
}

TEST(RetryTest, GivesUpInTimeAndSaysSo) {
  CallGroup calls;
  RetryPolicy policy = Patient();
  policy.give_up_after = absl::Milliseconds(20);
  const absl::Status status =
      CallWithRetry(calls, policy, kPeer, [&](grpc::ClientContext&) { return kUnavailable; });
  EXPECT_EQ(status, absl::UnavailableError(
                        "parameter server at a:1: connection refused; gave up after 20ms"));
}

TEST(RetryTest, TheReasonIsNotLostInALaterDeadline) {
  CallGroup calls;
  RetryPolicy policy = Patient();
  policy.give_up_after = absl::Milliseconds(20);
  int attempts = 0;
  const absl::Status status = CallWithRetry(calls, policy, kPeer, [&](grpc::ClientContext&) {
    if (++attempts == 1) return kUnavailable;
    return grpc::Status(grpc::StatusCode::DEADLINE_EXCEEDED, "Deadline Exceeded");
  });
  EXPECT_GT(attempts, 1);
  EXPECT_EQ(status, absl::UnavailableError(
                        "parameter server at a:1: connection refused; gave up after 20ms"));
}

TEST(RetryTest, EachAttemptHasADeadlineWithinTheWhole) {
  CallGroup calls;
  RetryPolicy policy = Patient();
  policy.attempt_timeout = absl::Hours(2);
  const gpr_timespec latest = DeadlineAfter(absl::Hours(1) + absl::Minutes(1));
  CallWithRetry(calls, policy, kPeer, [&](grpc::ClientContext& context) {
    EXPECT_LT(gpr_time_cmp(context.raw_deadline(), latest), 0);
    return grpc::Status::OK;
  }).IgnoreError();
}

TEST(RetryTest, AClockThatIsSetChangesNoTime) {
  FakeClocks clocks;
  for (const absl::Duration shift : {absl::Hours(2), -absl::Hours(5)}) {
    CallGroup calls;
    int attempts = 0;
    // Two hours are not over, and no pause lasts any longer.
    EXPECT_TRUE(CallWithRetry(calls, Patient(), kPeer, [&](grpc::ClientContext& context) {
                  EXPECT_GT(gpr_time_cmp(context.raw_deadline(), DeadlineAfter(absl::Seconds(1))),
                            0);
                  clocks.ShiftWallClock(shift);
                  return ++attempts < 4 ? kUnavailable : grpc::Status::OK;
                }).ok());
    EXPECT_EQ(attempts, 4);
  }
}

TEST(RetryTest, CloseEndsThePause) {
  CallGroup calls;
  RetryPolicy policy = Patient();
  policy.backoff = {absl::Minutes(30), absl::Minutes(30), 1};
  absl::Notification tried;
  std::thread calling([&] {
    EXPECT_TRUE(absl::IsCancelled(CallWithRetry(calls, policy, kPeer, [&](grpc::ClientContext&) {
      tried.Notify();
      return kUnavailable;
    })));
  });
  tried.WaitForNotification();
  calls.Close();
  calling.join();
}

TEST(RetryTest, CutShortEndsThePauseAndTheAttempt) {
  RetryPolicy policy = Patient();
  policy.backoff = {absl::Minutes(30), absl::Minutes(30), 1};
  for (const bool in_pause : {false, true}) {
    CallGroup calls;
    absl::Notification tried;
    std::thread calling([&] {
      const absl::Status status = CallWithRetry(calls, policy, kPeer, [&](grpc::ClientContext&) {
        tried.Notify();
        if (!in_pause)  // As an attempt that is cancelled is.
          while (calls.cuts() == 0) std::this_thread::yield();
        return in_pause ? kUnavailable : grpc::Status(grpc::StatusCode::CANCELLED, "");
      });
      EXPECT_EQ(status,
                absl::CancelledError("parameter server at a:1: there was no time left for it"));
    });
    tried.WaitForNotification();
    calls.CutShort(absl::Hours(1));
    calling.join();
  }
}

TEST(RetryTest, AfterACutThereIsALittleTime) {
  CallGroup calls;
  calls.CutShort(absl::Milliseconds(20));
  EXPECT_FALSE(calls.closed());
  int attempts = 0;
  EXPECT_TRUE(CallWithRetry(calls, Patient(), kPeer, [&](grpc::ClientContext&) {
                return ++attempts < 2 ? kUnavailable : grpc::Status::OK;
              }).ok());
  EXPECT_EQ(
      CallWithRetry(calls, Patient(), kPeer, [&](grpc::ClientContext&) { return kUnavailable; }),
      absl::CancelledError("parameter server at a:1: there was no time left for it"));
}

TEST(CallGroupTest, SleepsUnlessClosed) {
  CallGroup calls;
  EXPECT_TRUE(calls.Sleep(absl::Microseconds(1)));
  EXPECT_FALSE(calls.closed());
  calls.Close();
  calls.Close();
  EXPECT_TRUE(calls.closed());
  EXPECT_FALSE(calls.Sleep(absl::InfiniteDuration()));
}

}  // namespace
}  // namespace cadre
