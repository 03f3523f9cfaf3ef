#include "common/random.h"

#include <cmath>
#include <set>
#include <vector>

#include "gtest/gtest.h"

namespace cadre {
namespace {

TEST(RandomTest, EqualsThePublishedGenerators) {
  // The first number of splitmix64 from 1234567 seeds the first word.
  EXPECT_EQ(Random(1234567).state()[0], 6457827717110365317u);
  Random random(0);
  random.set_state({1, 2, 3, 4});
  EXPECT_EQ(random(), 11520u);  // rotl(2 * 5, 7) * 9
  EXPECT_EQ(random(), 0u);      // The second word is now 2 ^ 3 ^ 1 = 0.
  EXPECT_EQ(random(), 1509978240u);
}

TEST(RandomTest, TheSameSeedGivesTheSameNumbersAndStreamsDiffer) {
  Random a(7), b(7);
  for (int i = 0; i < 100; ++i) EXPECT_EQ(a(), b());
  std::set<uint64_t> first;
  for (uint64_t stream = 0; stream < 100; ++stream)
    for (uint64_t substream = 0; substream < 10; ++substream)
      first.insert(Random::ForStream(7, stream, substream)());
  EXPECT_EQ(first.size(), 1000);
}

TEST(RandomTest, GoesOnFromASavedState) {
  Random a(3);
  a.Normal();
  Random b(99);
  b.set_state(a.state());
  for (int i = 0; i < 10; ++i) EXPECT_EQ(a.Normal(), b.Normal());
}

TEST(RandomTest, BelowIsUniform) {
  Random random(11);
  std::vector<int> counts(7);
  constexpr int kDraws = 70'000;
  for (int i = 0; i < kDraws; ++i) ++counts[random.Below(7)];
  double chi_square = 0;
  for (const int count : counts) chi_square += std::pow(count - kDraws / 7.0, 2) / (kDraws / 7.0);
  EXPECT_LT(chi_square, 22.5);  // 6 degrees of freedom, p = 0.001.
  EXPECT_EQ(random.Below(1), 0);
}

TEST(RandomTest, UniformAndNormalHaveTheirMoments) {
  Random random(5);
  constexpr int kDraws = 200'000;
  double uniform = 0, normal = 0, square = 0;
  for (int i = 0; i < kDraws; ++i) {
    const double u = random.Uniform(-1, 3);
    ASSERT_GE(u, -1);
    ASSERT_LT(u, 3);
    const double n = random.Normal();
    uniform += u;
    normal += n;
    square += n * n;
  }
  // Five standard deviations of each mean.
  EXPECT_NEAR(uniform / kDraws, 1, 5 * (4 / std::sqrt(12.0)) / std::sqrt(kDraws));
  EXPECT_NEAR(normal / kDraws, 0, 5 / std::sqrt(kDraws));
  EXPECT_NEAR(square / kDraws, 1, 5 * std::sqrt(2.0 / kDraws));
}

}  // namespace
}  // namespace cadre
