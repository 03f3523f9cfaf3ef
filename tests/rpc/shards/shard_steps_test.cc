#include "rpc/shards/shard_steps.h"

#include <algorithm>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace cadre {
namespace {

using testing::ElementsAre;
using testing::IsNull;

TEST(ShardStepsTest, StepsThatATableLostAndMadeAgainCount) {
  ShardSteps steps;
  steps.Note(30);
  steps.Note(12);
  EXPECT_EQ(steps.count(), 30);
  steps.Note(15);
  EXPECT_EQ(steps.count(), 33);
}

TEST(ShardStepsTest, OneBegunWithoutCountsFromItsFirstAnswerOn) {
  ShardSteps steps;
  steps.BeginWithout();
  EXPECT_FALSE(steps.counted());
  steps.Note(30);
  EXPECT_EQ(steps.count(), 0);
  EXPECT_TRUE(steps.counted());
  steps.Note(34);
  EXPECT_EQ(steps.count(), 4);
  ShardSteps heard;
  heard.Note(30);
  heard.BeginWithout();
  heard.Note(34);
  EXPECT_EQ(heard.count(), 4);
}

TEST(ShardStepsTest, ACountGoesOnWhateverTheTableHasMeanwhile) {
  for (const int says : {18, 20, 4, 0}) {  // In the next life.
    for (const bool heard_first : {false, true}) {
      ShardSteps steps, next;
      steps.Note(30);
      steps.Note(15);
      steps.Note(18);  // 15 of 33 were lost.
      if (heard_first) next.Note(says);
      next.CountOn(steps.Counted("a"));
      next.BeginWithout();
      if (!heard_first) {
        EXPECT_EQ(next.count(), 33) << "while it is away";
        next.Note(says);
      }
      EXPECT_EQ(next.count(), std::max(33, says + 15)) << says;
      next.Note(says + 1);
      EXPECT_EQ(next.count(), std::max(33, says + 15) + 1) << says;
    }
  }
}

TEST(MatchCountsTest, CountsAreOfTheTablesAtTheirAddresses) {
  const TableCount counts[] = {{"a:1", 10, 5}, {"b:1", 7, -3}, {"c:1", 1, 0}};
  const MatchedCounts matched = MatchCounts(counts, {"c:1", "d:1", "a:1"});
  EXPECT_THAT(matched.of, ElementsAre(&counts[2], IsNull(), &counts[0]));
  EXPECT_EQ(matched.others, 4);
}

TEST(MatchCountsTest, OneTableGoesOnFromOneWhereverItIs) {
  const TableCount count{"a:1", 10, 5};
  EXPECT_THAT(MatchCounts({&count, 1}, {"b:2"}).of, ElementsAre(&count));
  EXPECT_EQ(MatchCounts({&count, 1}, {"b:2"}).others, 0);
  EXPECT_THAT(MatchCounts({&count, 1}, {"b:2", "c:2"}).of, ElementsAre(IsNull(), IsNull()));
  EXPECT_EQ(MatchCounts({&count, 1}, {"b:2", "c:2"}).others, 15);
}

}  // namespace
}  // namespace cadre
