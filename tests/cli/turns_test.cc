#include "cli/turns.h"

#include <thread>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace cadre {
namespace {

TEST(TurnsTest, ComeInTheirOrderWhoeverIsFirst) {
  constexpr int kThreads = 3, kRounds = 200;
  Turns turns(kThreads);
  std::vector<int> order;  // Only whoever's turn it is writes.
  std::vector<std::thread> threads;
  for (int i = kThreads - 1; i >= 0; --i)
    threads.emplace_back([&, i] {
      for (int round = 0; round < kRounds; ++round) {
        ASSERT_TRUE(turns.Wait(i));
        order.push_back(i);
        turns.Done();
      }
    });
  for (std::thread& thread : threads) thread.join();
  ASSERT_EQ(order.size(), size_t{kThreads * kRounds});
  for (size_t k = 0; k < order.size(); ++k) ASSERT_EQ(order[k], static_cast<int>(k % kThreads));
}

TEST(TurnsTest, NobodyWaitsOnceTheyAreEnded) {
  Turns turns(2);
  bool had = true;
  std::thread second([&] { had = turns.Wait(1); });
  turns.End();
  second.join();
  EXPECT_FALSE(had);
  EXPECT_FALSE(turns.Wait(0));
}

}  // namespace
}  // namespace cadre
