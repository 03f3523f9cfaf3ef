#include "rpc/shards/shard_choice.h"

#include <array>
#include <vector>

#include "common/random.h"
#include "gtest/gtest.h"

namespace cadre {
namespace {

// Rounds. Not ShardChoice's own constant: whoever changes that is to see it here.
constexpr int kPatience = 3;
constexpr double kStays = 0.99, kGoes = 0;  // The coin.

// Shards as their servers see them, and actors who ask all of them once a round.
class Actors {
 public:
  Actors(size_t shards, std::vector<size_t> first) : news_(shards, {.answers = true}) {
    for (const size_t shard : first) choices_.emplace_back(shards, shard);
  }

  void Round() {
    for (const ShardChoice& choice : choices_)
      if (news_[choice.current()].answers) ++news_[choice.current()].inserted_steps;
    for (ShardChoice& choice : choices_) {
      const size_t before = choice.current();
      if (choice.Next(news_, /*busy=*/true, random_.Uniform()) != before) ++moves_;
    }
  }
  int64_t steps(size_t shard) const { return news_[shard].inserted_steps; }
  ShardNews& news(size_t shard) { return news_[shard]; }
  int moves() const { return moves_; }

 private:
  std::vector<ShardNews> news_;
  std::vector<ShardChoice> choices_;
  Random random_{7};
  int moves_ = 0;
};

TEST(ShardChoiceTest, WhereEveryShardHasAnActorNobodyMoves) {
  Actors actors(3, {0, 1, 2, 0});
  for (int round = 0; round < 100; ++round) actors.Round();
  EXPECT_EQ(actors.moves(), 0);
}

TEST(ShardChoiceTest, OfSeveralActorsOneTakesOverAShardThatLostItsOnlyOne) {
  Actors actors(2, {0, 0});
  for (int round = 0; round < 100; ++round) actors.Round();
  const int settled = actors.moves();
  EXPECT_GE(settled, 1);
  EXPECT_GT(actors.steps(1), 50);
  for (int round = 0; round < 100; ++round) actors.Round();
  EXPECT_EQ(actors.moves(), settled) << "once both have one";
}

TEST(ShardChoiceTest, OfEightActorsWhoBeganOnOneShardTheOthersGetTheirShare) {
  Actors actors(4, {0, 0, 0, 0, 0, 0, 0, 0});
  for (int round = 0; round < 300; ++round) actors.Round();
  for (size_t shard = 0; shard < 4; ++shard) EXPECT_GT(actors.steps(shard), 100) << shard;
}

TEST(ShardChoiceTest, FewerActorsThanShardsFeedAllOfThemInTurn) {
  for (const std::vector<size_t>& first : {std::vector<size_t>{1}, std::vector<size_t>{0, 1}}) {
    Actors actors(3, first);
    for (int round = 0; round < 600; ++round) actors.Round();
    for (size_t shard = 0; shard < 3; ++shard)
      EXPECT_GT(actors.steps(shard), 60) << shard << " of " << first.size() << " actors";
  }
}

TEST(ShardChoiceTest, ItIsSureBeforeItMoves) {
  ShardChoice choice(2, 0);
  std::array<ShardNews, 2> news = {ShardNews{.answers = true}, ShardNews{.answers = true}};
  // The first round shows where the counts stand.
  for (int round = 0; round < kPatience; ++round) {
    ++news[0].inserted_steps;
    EXPECT_EQ(choice.Next(news, true, kGoes), 0) << round;
  }
  ++news[0].inserted_steps;
  EXPECT_EQ(choice.Next(news, true, kStays), 0);
  EXPECT_EQ(choice.Next(news, true, kGoes), 1);
}

TEST(ShardChoiceTest, AShardIsNotLackingWhileNobodyMakesSteps) {
  ShardChoice choice(2, 0);
  const std::array<ShardNews, 2> news = {ShardNews{.answers = true}, ShardNews{.answers = true}};
  for (int round = 0; round < 100; ++round) EXPECT_EQ(choice.Next(news, false, kGoes), 0);
}

TEST(ShardChoiceTest, AShardThatWantsNothingIsNotLacking) {
  ShardChoice choice(2, 0);
  const std::array<ShardNews, 2> news = {ShardNews{.answers = true},
                                         ShardNews{.answers = true, .wants = false}};
  for (int round = 0; round < 100; ++round) EXPECT_EQ(choice.Next(news, true, kGoes), 0);
}

TEST(ShardChoiceTest, OneThatIsHeldBackMovesAtOnceToWhereALearnerWaits) {
  ShardChoice choice(3, 0);
  std::array<ShardNews, 3> news = {ShardNews{.answers = true}, ShardNews{.answers = true},
                                   ShardNews{.answers = true, .wants = false}};
  EXPECT_EQ(choice.NextIfHeldBack(news, kGoes), 0) << "no learner waits";
  news[0].starves = true;
  EXPECT_EQ(choice.NextIfHeldBack(news, kGoes), 0) << "nor elsewhere";
  news[1].starves = true;
  EXPECT_EQ(choice.NextIfHeldBack(news, kStays), 0);
  EXPECT_EQ(choice.NextIfHeldBack(news, kGoes), 1);
  news[0].answers = false;
  EXPECT_EQ(choice.NextIfHeldBack(news, kGoes), 1);
}

TEST(ShardChoiceTest, AShardThatDoesNotAnswerIsLeftByAllAndJoinedByNobody) {
  Actors actors(3, {0, 1, 2, 0});
  for (int round = 0; round < 10; ++round) actors.Round();
  actors.news(0).answers = false;
  for (int round = 0; round < kPatience; ++round) actors.Round();
  EXPECT_EQ(actors.moves(), 2) << "both that were there";
  const int64_t before = actors.steps(1) + actors.steps(2);
  for (int round = 0; round < 10; ++round) actors.Round();
  EXPECT_EQ(actors.steps(1) + actors.steps(2), before + 40) << "all four append elsewhere";
  EXPECT_EQ(actors.moves(), 2);
  actors.news(0).answers = true;  // It is back.
  const int64_t steps = actors.steps(0);
  for (int round = 0; round < 100; ++round) actors.Round();
  EXPECT_GT(actors.steps(0), steps + 20);
}

TEST(ShardChoiceTest, OfTwoShardsThatDoNotAnswerNeitherIsJoined) {
  Actors actors(3, {0, 0, 0, 0, 1, 1, 1, 1, 2});
  for (int round = 0; round < 10; ++round) actors.Round();
  ASSERT_EQ(actors.moves(), 0);
  actors.news(0).answers = actors.news(1).answers = false;
  for (int round = 0; round < kPatience; ++round) actors.Round();
  EXPECT_EQ(actors.moves(), 8);
  const int64_t before = actors.steps(2);
  for (int round = 0; round < 10; ++round) actors.Round();
  EXPECT_EQ(actors.steps(2), before + 90) << "all nine append there";
  EXPECT_EQ(actors.moves(), 8);
}

TEST(ShardChoiceTest, AShardThatMissesFewerRoundsIsNotLeft) {
  Actors actors(2, {0, 1});
  for (int round = 0; round < 50; ++round) {
    for (const bool answers : {true, false}) {
      actors.news(0).answers = answers;
      for (int i = 0; i < kPatience - 1; ++i) actors.Round();
    }
  }
  EXPECT_EQ(actors.moves(), 0);
}

TEST(ShardChoiceTest, WhereNobodyAnswersItStays) {
  Actors actors(2, {1});
  for (size_t shard = 0; shard < 2; ++shard) actors.news(shard).answers = false;
  for (int round = 0; round < 10; ++round) actors.Round();
  EXPECT_EQ(actors.moves(), 0);
}

}  // namespace
}  // namespace cadre
