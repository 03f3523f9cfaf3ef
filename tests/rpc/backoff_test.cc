#include "rpc/backoff.h"

#include <gtest/gtest.h>

namespace cadre {
namespace {

const BackoffOptions kOptions{absl::Milliseconds(100), absl::Milliseconds(500), 2};

TEST(BackoffTest, LongestWaitsDoubleUpToTheMaximum) {
  Backoff backoff(kOptions);
  for (const int milliseconds : {100, 200, 400, 500, 500}) {
    EXPECT_EQ(backoff.Next(1.0), absl::Milliseconds(milliseconds));
  }
}

TEST(BackoffTest, JitterIsFull) {
  Backoff backoff(kOptions);
  EXPECT_EQ(backoff.Next(0.0), absl::ZeroDuration());
  EXPECT_EQ(backoff.Next(0.5), absl::Milliseconds(100));
  EXPECT_EQ(backoff.Next(0.25), absl::Milliseconds(100));
}

TEST(BackoffTest, ResetStartsAnew) {
  Backoff backoff(kOptions);
  backoff.Next(1.0);
  backoff.Next(1.0);
  backoff.Reset();
  EXPECT_EQ(backoff.Next(1.0), absl::Milliseconds(100));
}

TEST(BackoffTest, TheMaximumHoldsForTheFirstWaitToo) {
  Backoff backoff({absl::Seconds(9), absl::Seconds(1), 2});
  EXPECT_EQ(backoff.Next(1.0), absl::Seconds(1));
}

TEST(BackoffTest, AThousandFailuresDoNotOverflow) {
  Backoff backoff(kOptions);
  for (int i = 0; i < 1000; ++i) backoff.Next(1.0);
  EXPECT_EQ(backoff.Next(1.0), absl::Milliseconds(500));
}

}  // namespace
}  // namespace cadre
