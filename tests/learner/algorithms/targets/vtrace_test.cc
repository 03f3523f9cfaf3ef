#include "learner/algorithms/targets/vtrace.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/policy/example_networks.h"

namespace cadre {
namespace {

using testing::Each;
using testing::ElementsAre;

struct Trace {
  std::vector<float> values, advantages, weights;
};

Trace TraceOf(const std::vector<float>& rewards, const std::vector<float>& values,
              const std::vector<float>& ratios, const std::vector<SegmentBounds>& segments,
              const VtraceCoefficients& coefficients) {
  const size_t n = rewards.size();
  Trace trace{std::vector<float>(n), std::vector<float>(n), std::vector<float>(n)};
  Vtrace(rewards, values, ratios, segments, coefficients,
         {.values = absl::MakeSpan(trace.values),
          .advantages = absl::MakeSpan(trace.advantages),
          .weights = absl::MakeSpan(trace.weights)});
  return trace;
}

// One segment's columns as eq. 1 writes them: each v_s sums to the segment's end by itself,
// with the product of all traces before each term.
struct Definition {
  const float* rewards;  // [T]
  const float* values;   // [T + 1]
  const float* ratios;   // [T]
  int64_t length;
  bool terminated;
  VtraceCoefficients c;

  double Value(int64_t t) const { return t == length && terminated ? 0 : values[t]; }
  double Rho(int64_t t) const { return std::min(c.rho_bar, ratios[t]); }
  double V(int64_t s) const {
    double v = Value(s);
    for (int64_t t = s; t < length; ++t) {
      double product = 1;
      for (int64_t i = s; i < t; ++i) product *= c.lambda * std::min(c.c_bar, ratios[i]);
      const double delta = Rho(t) * (rewards[t] + c.gamma * Value(t + 1) - Value(t));
      v += std::pow(c.gamma, t - s) * product * delta;
    }
    return v;
  }
  double Advantage(int64_t t) const { return rewards[t] + c.gamma * V(t + 1) - Value(t); }
};

TEST(VtraceTest, ByHandAfterATerminalStep) {
  // rho = 0.5, 1 (of 3): delta = 0.5 (1 + 0.5 * 2 - 1) = 0.5, 1 (2 + 0 - 2) = 0; c = 0.5, 1.
  const Trace trace = TraceOf({1, 2}, {1, 2, 9}, {0.5f, 3}, {{0, 2, true}}, {.gamma = 0.5f});
  EXPECT_THAT(trace.values, ElementsAre(1.5f, 2));
  EXPECT_THAT(trace.advantages, ElementsAre(1 + 0.5f * 2 - 1, 0));
  EXPECT_THAT(trace.weights, ElementsAre(0.5f, 1));
}

TEST(VtraceTest, ByHandWithABootstrap) {
  // delta = 0.5 (1 + 0.5 * 2 - 1) = 0.5, 1 (2 + 0.5 * 8 - 2) = 4: v_1 = 6,
  // v_0 = 1 + 0.5 + 0.5 * 0.5 * 4 = 2.5.
  const Trace trace = TraceOf({1, 2}, {1, 2, 8}, {0.5f, 3}, {{0, 2, false}}, {.gamma = 0.5f});
  EXPECT_THAT(trace.values, ElementsAre(2.5f, 6));
  EXPECT_THAT(trace.advantages, ElementsAre(1 + 0.5f * 6 - 1, 2 + 0.5f * 8 - 2));
}

TEST(VtraceTest, TheTwoBoundsAndLambdaActWhereTheyShould) {
  // rho-bar 2, c-bar 0.5, lambda 0.5: rho = 2, 1; c_0 = 0.25. delta = 2 (1 + 2 - 1) = 4,
  // 1 (2 + 8 - 2) = 8; v_0 = 1 + 4 + 0.25 * 8.
  const Trace trace = TraceOf({1, 2}, {1, 2, 8}, {4, 1}, {{0, 2, false}},
                              {.gamma = 1, .rho_bar = 2, .c_bar = 0.5f, .lambda = 0.5f});
  EXPECT_THAT(trace.values, ElementsAre(7, 10));
  EXPECT_THAT(trace.weights, ElementsAre(2, 1));
  EXPECT_THAT(trace.advantages, ElementsAre(1 + 10 - 1, 2 + 8 - 2));
}

TEST(VtraceTest, IsTheSumOfProductsOfTheDefinition) {
  Random random(1);
  for (const VtraceCoefficients& coefficients : std::vector<VtraceCoefficients>{
           {.gamma = 0.99f},
           {.gamma = 0.9f, .rho_bar = 2, .c_bar = 0.7f, .lambda = 0.95f},
           {.gamma = 1, .rho_bar = 0.5f, .c_bar = 1.5f, .lambda = 1},
           {.gamma = 0.97f, .rho_bar = 1e6f, .c_bar = 1.2f, .lambda = 0},
           {.gamma = 0}}) {
    std::vector<SegmentBounds> segments;
    int64_t steps = 0;
    for (int s = 0; s < 40; ++s) {
      const int64_t length = 1 + static_cast<int64_t>(random.Below(20));
      segments.push_back({steps, length, random.Below(2) == 0});
      steps += length;
    }
    const std::vector<float> rewards = RandomFloats(steps, random);
    const std::vector<float> values = RandomFloats(steps + 40, random);
    std::vector<float> ratios = RandomFloats(steps, random, 0.5);
    for (float& ratio : ratios) ratio = std::exp(ratio);
    const Trace trace = TraceOf(rewards, values, ratios, segments, coefficients);
    for (size_t s = 0; s < segments.size(); ++s) {
      const auto [first, length, terminated, cut, origin] = segments[s];
      const Definition definition{&rewards[first], &values[first + s], &ratios[first],
                                  length,          terminated,         coefficients};
      for (int64_t t = 0; t < length; ++t) {
        ASSERT_NEAR(trace.values[first + t], definition.V(t), 1e-4);
        ASSERT_NEAR(trace.advantages[first + t], definition.Advantage(t), 1e-4);
        ASSERT_EQ(trace.weights[first + t], static_cast<float>(definition.Rho(t)));
      }
    }
  }
}

TEST(VtraceTest, OnPolicyItIsTheNStepReturn) {
  // Remark 1 of section 4.1. To the segment's end: 1, 10, 100 and what is worth 1000.
  const std::vector<float> ones = {1, 1, 1};
  const Trace cut = TraceOf({1, 10, 100}, {7, 8, 9, 1000}, ones, {{0, 3, false}}, {.gamma = 0.5f});
  EXPECT_THAT(cut.values, ElementsAre(1 + 5 + 25 + 125, 10 + 50 + 250, 100 + 500));
  EXPECT_THAT(cut.advantages, ElementsAre(156 - 7, 310 - 8, 600 - 9));
  EXPECT_THAT(cut.weights, Each(1));
  const Trace over = TraceOf({1, 10, 100}, {7, 8, 9, 1000}, ones, {{0, 3, true}}, {.gamma = 0.5f});
  EXPECT_THAT(over.values, ElementsAre(1 + 5 + 25, 10 + 50, 100));
  EXPECT_THAT(over.advantages, ElementsAre(31 - 7, 60 - 8, 100 - 9));
}

TEST(VtraceTest, ActionsThatThePolicyWouldNeverTakeTeachNothing) {
  const Trace trace =
      TraceOf({5, 5}, {1, 2, 3}, {0, 0}, {{0, 2, false}}, {.gamma = 0.9f, .lambda = 1});
  EXPECT_THAT(trace.values, ElementsAre(1, 2)) << "no reason to move V";
  EXPECT_THAT(trace.weights, Each(0));
}

}  // namespace
}  // namespace cadre
