#include "actor/paced_environment.h"

#include <thread>
#include <vector>

#include "envs/registry.h"
#include "gtest/gtest.h"

namespace cadre {
namespace {

TEST(PacedEnvironmentTest, TakesItsTimeAndChangesNothingElse) {
  constexpr std::chrono::milliseconds kStep(5);
  auto plain = MakeVectorEnvironment("CartPole-v1", 2, 3);
  auto inner = MakeVectorEnvironment("CartPole-v1", 2, 3);
  ASSERT_TRUE(plain.ok() && inner.ok());
  PacedEnvironment paced(*std::move(inner), kStep);
  EXPECT_EQ(paced.count(), 2);
  EXPECT_EQ(paced.spec().max_episode_steps, 3);
  ASSERT_TRUE((*plain)->Reset(7).ok() && paced.Reset(7).ok());
  const std::vector<std::byte> actions(2 * sizeof(int32_t));
  for (int step = 0; step < 4; ++step) {
    const auto begin = std::chrono::steady_clock::now();
    ASSERT_TRUE(paced.Step(actions).ok());
    EXPECT_GE(std::chrono::steady_clock::now() - begin, kStep);
    ASSERT_TRUE((*plain)->Step(actions).ok());
    EXPECT_EQ(paced.observations()[0], (*plain)->observations()[0]);
    EXPECT_EQ(paced.rewards(), (*plain)->rewards());
    EXPECT_EQ(paced.terminated(), (*plain)->terminated());
    EXPECT_EQ(paced.truncated(), (*plain)->truncated());
  }
  EXPECT_FALSE(paced.Step({}).ok());
}

// It would take an hour.
TEST(PacedEnvironmentTest, AStopEndsTheWaitForItsTime) {
  auto inner = MakeVectorEnvironment("CartPole-v1", 2, 3);
  ASSERT_TRUE(inner.ok());
  PacedEnvironment paced(*std::move(inner), std::chrono::hours(1));
  ASSERT_TRUE(paced.Reset(7).ok());
  const std::vector<std::byte> actions(2 * sizeof(int32_t));
  absl::Status status;
  std::thread stepping([&] { status = paced.Step(actions); });
  paced.Stop();
  stepping.join();
  EXPECT_EQ(status.code(), absl::StatusCode::kCancelled);
  EXPECT_EQ(paced.Step(actions).code(), absl::StatusCode::kCancelled);
}

}  // namespace
}  // namespace cadre
