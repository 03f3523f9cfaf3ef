// Sine and cosine of the classic tasks, and that every processor plays the same episodes.
#include "envs/classic/lanes.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <string>
#include <vector>

#include "common/random.h"
#include "envs/registry.h"

namespace cadre {
namespace {

// The error of `value`, in units in the last place of what is exact.
double Units(double value, long double exact) {
  int exponent;
  std::frexp(exact, &exponent);
  return static_cast<double>(std::abs(value - exact) / std::ldexp(1.0L, exponent - 53));
}

TEST(LanesTest, SineAndCosineAreAccurate) {
  Random random(1);
  const struct { double range, units; } cases[] = {{0.1, 1}, {4, 2}, {1e3, 2}, {1e6, 3}};
  for (const auto& [range, units] : cases) {
    for (int i = 0; i < 100000; ++i) {
      const double x = random.Uniform(-range, range);
      ASSERT_LE(Units(Sin(x), std::sin(static_cast<long double>(x))), units) << x;
      ASSERT_LE(Units(Cos(x), std::cos(static_cast<long double>(x))), units) << x;
    }
  }
  EXPECT_EQ(Sin(0), 0);
  EXPECT_EQ(Cos(0), 1);
}

// All bits of 300 steps of 37 environments (FNV-1a, Fowler, Noll and Vo).
uint64_t HashOfEpisodes(const std::string& id) {
  constexpr int64_t kCount = 37;
  const auto environment = *MakeVectorEnvironment(id, kCount);
  const ActionSpace& space = environment->spec().action;
  EXPECT_TRUE(environment->Reset(1).ok());
  Random random(2);
  uint64_t hash = 0xcbf29ce484222325;
  for (int step = 0; step < 300; ++step) {
    std::vector<std::byte> actions(kCount * 4);
    for (int64_t i = 0; i < kCount; ++i) {
      const auto discrete =
          static_cast<int32_t>(random.Below(space.discrete() ? space.counts[0] : 1));
      const auto continuous = static_cast<float>(random.Uniform(-2, 2));
      std::memcpy(&actions[i * 4],
                  space.discrete() ? static_cast<const void*>(&discrete) : &continuous, 4);
    }
    EXPECT_TRUE(environment->Step(actions).ok());
    for (const std::byte b : environment->observations()[0])
      hash = (hash ^ static_cast<uint64_t>(b)) * 0x100000001b3;
    for (const float reward : environment->rewards())
      hash = (hash ^ std::bit_cast<uint32_t>(reward)) * 0x100000001b3;
  }
  return hash;
}

// The numbers are those of a build without any vector instructions but the baseline's.
TEST(LanesTest, EpisodesHaveTheSameBitsOnEveryProcessor) {
  EXPECT_EQ(HashOfEpisodes("Acrobot-v1"), 303742809395412902u);
  EXPECT_EQ(HashOfEpisodes("CartPole-v1"), 13046866120632416883u);
  EXPECT_EQ(HashOfEpisodes("MountainCar-v0"), 2289347227584047836u);
  EXPECT_EQ(HashOfEpisodes("MountainCarContinuous-v0"), 10056921649699254192u);
  EXPECT_EQ(HashOfEpisodes("Pendulum-v1"), 2515281593639579317u);
}

}  // namespace
}  // namespace cadre
