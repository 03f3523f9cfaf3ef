#include "replay_server/selectors/sum_tree.h"

#include <cmath>
#include <vector>

#include "common/random.h"
#include "gtest/gtest.h"

namespace cadre {
namespace {

int64_t FindOne(const SumTree& tree, double point) {
  int64_t leaf = -1;
  tree.Find(absl::MakeConstSpan(&point, 1), absl::MakeSpan(&leaf, 1));
  return leaf;
}

TEST(SumTreeTest, FindsTheLeafThatAPointIsIn) {
  for (const int64_t leaves : {1, 3, 16, 17, 256, 257, 5000}) {
    SumTree tree(leaves);
    std::vector<double> masses(leaves);
    for (int64_t leaf = 0; leaf < leaves; ++leaf) {
      masses[leaf] = static_cast<double>(leaf % 4);  // Whole numbers: no sum is rounded.
      if (leaves < 4) masses[leaf] += 1;
      tree.Set(leaf, masses[leaf]);
    }
    double begin = 0;
    for (int64_t leaf = 0; leaf < leaves; ++leaf) {
      ASSERT_EQ(tree.mass(leaf), masses[leaf]);
      if (masses[leaf] == 0) continue;
      ASSERT_EQ(FindOne(tree, begin), leaf);
      ASSERT_EQ(FindOne(tree, begin + masses[leaf] - 0.5), leaf);
      begin += masses[leaf];
    }
    ASSERT_EQ(tree.total(), begin);
  }
}

TEST(SumTreeTest, PointsAtTheVeryEndNeverFindALeafWithoutMass) {
  Random random(3);
  for (int round = 0; round < 20'000; ++round) {
    const auto leaves = static_cast<int64_t>(1 + random.Below(300));
    SumTree tree(leaves);
    const auto filled = static_cast<int64_t>(1 + random.Below(leaves));
    for (int64_t leaf = 0; leaf < filled; ++leaf)
      if (leaf == 0 || random.Below(3) > 0) tree.Set(leaf, std::exp(random.Uniform(-20, 20)));
    // The total is rounded in another order than the sums on the way down.
    const int64_t found = FindOne(tree, std::nextafter(tree.total(), 0));
    ASSERT_LT(found, filled) << "round " << round;
    ASSERT_GT(tree.mass(found), 0) << "round " << round;
  }
}

TEST(SumTreeTest, SumsDependOnWhatTheMassesAreNotOnWhatTheyWere) {
  SumTree fresh(1000), used(1000);
  Random random(4);
  for (int change = 0; change < 50'000; ++change)
    used.Set(static_cast<int64_t>(random.Below(1000)), std::exp(random.Uniform(-300, 300)));
  for (int64_t leaf = 0; leaf < 1000; ++leaf) {
    fresh.Set(leaf, 0.1 * static_cast<double>(leaf));
    used.Set(leaf, 0.1 * static_cast<double>(leaf));
  }
  EXPECT_EQ(used.total(), fresh.total());
  used.Clear();
  EXPECT_EQ(used.total(), 0);
  used.Set(5, 2);
  EXPECT_EQ(used.total(), 2);
}

}  // namespace
}  // namespace cadre
