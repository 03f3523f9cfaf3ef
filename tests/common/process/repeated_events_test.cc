#include "common/process/repeated_events.h"

#include <string>

#include "absl/strings/str_cat.h"
#include "common/process/refused_in_a_row.h"
#include "gtest/gtest.h"

namespace cadre {
namespace {

using std::chrono::seconds;

class RepeatedEventsTest : public ::testing::Test {
 protected:
  RepeatedEvents events_;
  RepeatedEvents::Time now_{};
};

TEST_F(RepeatedEventsTest, TheFirstIsLoggedThenOnceAMinuteWithTheirNumber) {
  EXPECT_EQ(events_.Count(1, "row 3 is nan", now_), 1);
  for (int i = 0; i < 1000; ++i)
    EXPECT_EQ(events_.Count(1, absl::StrCat("row ", i, " is nan"), now_), 0);
  EXPECT_EQ(events_.Count(1, "row 9 is nan", now_ + seconds(59)), 0);
  EXPECT_EQ(events_.Count(1, "row 10 is nan", now_ + seconds(60)), 1002);
  EXPECT_EQ(events_.Count(1, "row 10 is nan", now_ + seconds(61)), 0);
}

TEST_F(RepeatedEventsTest, SourcesAndReasonsAreApart) {
  EXPECT_EQ(events_.Count(1, "row 3 is nan", now_), 1);
  EXPECT_EQ(events_.Count(2, "row 3 is nan", now_), 1);
  EXPECT_EQ(events_.Count(1, "row 3 is inf", now_), 1);
  EXPECT_EQ(events_.Count(1, "row 3 is inf", now_), 0);
}

TEST_F(RepeatedEventsTest, TextsThatAlwaysDifferAreNoFlood) {
  int64_t logged = 0;
  std::string text = "x";
  for (int i = 0; i < 500; ++i, text += "x") logged += events_.Count(1, text, now_) > 0;
  EXPECT_LE(logged, static_cast<int64_t>(RepeatedEvents::kMostKinds) + 1);
}

TEST_F(RepeatedEventsTest, WhatWasNotLoggedIsTakenOnce) {
  events_.Count(1, "row 3 is nan", now_);
  EXPECT_TRUE(events_.TakeUnlogged(1, now_).empty());
  events_.Count(1, "row 4 is nan", now_);
  events_.Count(1, "row 5 is nan", now_);
  const auto unlogged = events_.TakeUnlogged(1, now_);
  ASSERT_EQ(unlogged.size(), 1);
  EXPECT_EQ(unlogged[0].kind, "row # is nan");
  EXPECT_EQ(unlogged[0].count, 2);
  EXPECT_TRUE(events_.TakeUnlogged(1, now_).empty());
  EXPECT_EQ(events_.Count(1, "row 6 is nan", now_), 0) << "a writer that comes back is the same";
  EXPECT_TRUE(events_.TakeUnlogged(1, now_ + seconds(59)).empty()) << "as often as it may come";
  EXPECT_EQ(events_.TakeUnlogged(1, now_ + seconds(60)).size(), 1);
}

TEST_F(RepeatedEventsTest, SourcesThatAreAlwaysNewAreNoFloodAndNoMemory) {
  constexpr uint64_t kMost = RepeatedEvents::kMostSources;
  for (int minute = 0; minute < 3; ++minute, now_ += RepeatedEvents::kInterval) {
    int64_t logged = 0, counted = 0;
    for (uint64_t i = 0; i < 10'000; ++i) {
      const int64_t count = events_.Count(1'000'000 * minute + i, "row 3 is nan", now_);
      logged += count > 0;
      counted += count;
    }
    EXPECT_EQ(logged, kMost + 1) << "the others are one source";
    EXPECT_LE(events_.sources(), kMost);
    if (minute == 1) {
      EXPECT_GT(counted, 5'000) << "and those that were not logged are counted";
    }
  }
  EXPECT_EQ(events_.Count(2'000'000, "row 3 is nan", now_), 1) << "one that has its own place";
}

TEST_F(RepeatedEventsTest, LongTextsThatBeginAlikeAreOneKind) {
  const std::string begin(RepeatedEvents::kLongestKind, 'x');
  EXPECT_EQ(events_.Count(1, begin + "a", now_), 1);
  EXPECT_EQ(events_.Count(1, begin + "b", now_), 0);
}

TEST(RefusedInARowTest, AWriterOfWhichNoneWasTakenGivesUpSoon) {
  RefusedInARow refused;
  for (uint64_t i = 1; i < RefusedInARow::kFirst; ++i) EXPECT_FALSE(refused.Refused(i));
  EXPECT_TRUE(refused.Refused(RefusedInARow::kFirst));
}

TEST(RefusedInARowTest, AWriterOfWhichSomeWereTakenGivesUpLater) {
  RefusedInARow refused;
  EXPECT_FALSE(refused.Refused(1));
  uint64_t sequence = 3;
  for (int64_t i = 1; i < RefusedInARow::kLater; ++i) EXPECT_FALSE(refused.Refused(sequence++));
  EXPECT_TRUE(refused.Refused(sequence));
  for (int i = 0; i < 5000; ++i) EXPECT_FALSE(refused.Refused(sequence += 2)) << "every second";
}

TEST(RefusedInARowTest, OneIsEnoughForWhoCannotGoOn) {
  RefusedInARow refused(1);
  EXPECT_TRUE(refused.Refused(57));
}

}  // namespace
}  // namespace cadre
