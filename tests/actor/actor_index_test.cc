#include "actor/actor_index.h"

#include <array>
#include <set>
#include <string>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"

namespace cadre {
namespace {

// As a Deployment names its pods.
std::string Pod(int i) {
  constexpr char kLetters[] = "bcdfghjklmnpqrstvwxz2456789";
  std::string name = "actors-6d4cf56db6-";
  for (int n = 0; n < 5; ++n, i /= 27) name += kLetters[i % 27];
  return name;
}

TEST(ActorIndexTest, TheSameNameHasTheSameIndex) {
  EXPECT_EQ(ActorIndexOf("actors-a", 1, -1), ActorIndexOf("actors-a", 1, -1));
  EXPECT_NE(ActorIndexOf("actors-a", 1, -1), ActorIndexOf("actors-b", 1, -1));
}

TEST(ActorIndexTest, NamesAreTheirOwnAndSpreadEvenly) {
  constexpr int kNames = 10'000, kShards = 5;
  std::set<int32_t> indices;
  std::array<int, kShards> shards{};
  for (int i = 0; i < kNames; ++i) {
    const int32_t index = ActorIndexOf(Pod(i), 1, -1);
    ASSERT_GE(index, 0);
    indices.insert(index);
    ++shards[index % kShards];
  }
  // 0.05 collisions are expected among 10,000 of 2^30.
  EXPECT_GE(indices.size(), kNames - 2);
  double chi_square = 0;
  for (const int count : shards) {
    const double off = count - kNames / kShards;
    chi_square += off * off / (kNames / kShards);
  }
  EXPECT_LT(chi_square, 18.5);  // 0.1 % of four degrees of freedom.
}

TEST(ActorIndexTest, WorksForTheLearnerThatIsWanted) {
  for (int i = 0; i < 100; ++i)
    for (int learner = 0; learner < 3; ++learner)
      EXPECT_EQ(ActorIndexOf(Pod(i), 3, learner) % 3, learner);
}

}  // namespace
}  // namespace cadre
