// What R2D2 learns from replayed sequences, against plain loops.
#include "learner/algorithms/value_based/sequence_windows.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "common/random.h"
#include "gtest/gtest.h"

namespace cadre {
namespace {

constexpr int64_t kItems = 9, kBurnIn = 3, kWindow = 5, kSteps = kBurnIn + kWindow;

// Sequences of any length, some of which begin an episode.
OffPolicyBatch RandomSequences(Random& random) {
  OffPolicyBatch batch;
  batch.states = torch::empty({kItems, 2});
  batch.lengths = torch::empty({kItems}, torch::kInt64);
  batch.terminated = torch::empty({kItems}, torch::kUInt8);
  for (int64_t b = 0; b < kItems; ++b) {
    for (int64_t m = 0; m < 2; ++m) batch.states[b][m] = b % 3 == 0 ? 0.0 : random.Normal();
    batch.lengths[b] = 1 + static_cast<int64_t>(random.Below(kSteps));
    batch.terminated[b] = static_cast<int64_t>(random.Below(2));
  }
  batch.rewards = torch::empty({kSteps * kItems});
  batch.actions = torch::empty({kSteps * kItems}, torch::kInt64);
  for (int64_t i = 0; i < kSteps * kItems; ++i) {
    batch.rewards[i] = random.Normal();
    batch.actions[i] = static_cast<int64_t>(random.Below(4));
  }
  batch.weights = torch::ones({kItems});
  return batch;
}

class SequenceWindowsTest : public testing::TestWithParam<int> {};

INSTANTIATE_TEST_SUITE_P(Steps, SequenceWindowsTest, testing::Values(1, 2, 3, 7));

TEST_P(SequenceWindowsTest, StepsAndReturnsAreThoseOfPlainLoops) {
  const int64_t n = GetParam();
  const double gamma = 0.9;
  Random random(3 + n);
  const OffPolicyBatch batch = RandomSequences(random);
  const SequenceWindows windows =
      WindowsOf(batch, {.burn_in = kBurnIn, .length = kWindow, .n_step = n, .gamma = gamma});
  ASSERT_EQ(windows.rows.numel(), (kWindow + 1) * kItems);
  int64_t seen = 0;
  for (int64_t b = 0; b < kItems; ++b) {
    const int64_t first = b % 3 == 0 ? 0 : kBurnIn;
    EXPECT_EQ(windows.begins_episode[b].item<bool>(), b % 3 == 0);
    const int64_t length = batch.lengths[b].item<int64_t>();
    for (int64_t t = 0; t <= kWindow; ++t)
      EXPECT_EQ(windows.rows[t * kItems + b].item<int64_t>(), (first + t) * kItems + b);
    for (int64_t t = 0; t < kWindow; ++t) {
      const int64_t at = t * kItems + b, step = first + t;
      EXPECT_EQ(windows.there[at].item<float>(), step < length ? 1 : 0) << b << " " << t;
      if (step >= length) continue;
      ++seen;
      const int64_t count = std::min({n, length - step, kWindow - t});
      double sum = 0;
      for (int64_t k = 0; k < count; ++k)
        sum += std::pow(gamma, k) * batch.rewards[(step + k) * kItems + b].item<double>();
      const bool ended = step + count == length && batch.terminated[b].item<int>() != 0;
      EXPECT_NEAR(windows.rewards[at].item<double>(), sum, 1e-5);
      EXPECT_NEAR(windows.discounts[at].item<double>(), ended ? 0 : std::pow(gamma, count), 1e-6);
      EXPECT_EQ(windows.next[at].item<int64_t>(), (t + count) * kItems + b);
      EXPECT_EQ(windows.actions[at].item<int64_t>(),
                batch.actions[step * kItems + b].item<int64_t>());
    }
  }
  EXPECT_GT(seen, kItems);
}

TEST(SequencePrioritiesTest, MixTheLargestAndTheMeanErrorOfWhatIsThere) {
  SequenceWindows windows;
  windows.begins_episode = torch::zeros({3}, torch::kBool);
  // Step by step: all steps of the first sequence are there, one of the second, none of the third.
  windows.there = torch::tensor({1.f, 1.f, 0.f, 1.f, 0.f, 0.f});
  const torch::Tensor errors = torch::tensor({1.f, 2.f, 9.f, 3.f, 9.f, 9.f});
  const torch::Tensor priorities = SequencePriorities(errors, windows, 0.9);
  EXPECT_FLOAT_EQ(priorities[0].item<float>(), 0.9 * 3 + 0.1 * 2);
  EXPECT_FLOAT_EQ(priorities[1].item<float>(), 2);
  EXPECT_EQ(priorities[2].item<float>(), 0);
}

}  // namespace
}  // namespace cadre
