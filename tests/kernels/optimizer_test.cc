#include "common/kernels/optimizer.h"

#include <cmath>
#include <limits>
#include <vector>

#include "common/random.h"
#include "gtest/gtest.h"

namespace cadre {
namespace {

TEST(GradientScaleTest, ShortensWhatIsTooLongAndNothingElse) {
  const std::vector<float> gradient = {3, 0, -4};
  EXPECT_DOUBLE_EQ(GradientNorm(gradient), 5);
  EXPECT_FLOAT_EQ(GradientScale(5, 0.5), 0.1f);
  EXPECT_EQ(GradientScale(5, 5), 1);
  EXPECT_EQ(GradientScale(0.1, 0.5), 1);
  EXPECT_EQ(GradientScale(0, 0.5), 1);
  EXPECT_EQ(GradientScale(1e30, 0), 1);  // 0: no clipping.
}

TEST(GradientScaleTest, NaNIsNotTakenForShort) {
  EXPECT_TRUE(std::isnan(GradientScale(std::numeric_limits<double>::quiet_NaN(), 0.5)));
}

TEST(AdamTest, TwoStepsByHand) {
  Adam adam(2, {.beta1 = 0.5, .beta2 = 0.75, .epsilon = 1});
  std::vector<float> parameters = {1, 1};
  // m / c1 = g = 2 and -4; sqrt(v / c2) = |g|.
  adam.Step(absl::MakeSpan(parameters), std::vector<float>{2, -4}, 0.3);
  EXPECT_FLOAT_EQ(parameters[0], 1 - 0.3f * 2 / 3);
  EXPECT_FLOAT_EQ(parameters[1], 1 + 0.3f * 4 / 5);
  // Element 0: m = 0.5 * 1 + 0.5 * 0 = 0.5, c1 = 0.75; v = 0.75 * 1 = 0.75, c2 = 0.4375.
  adam.Step(absl::MakeSpan(parameters), std::vector<float>{0, 0}, 0.3);
  EXPECT_FLOAT_EQ(parameters[0],
                  static_cast<float>(0.8 - 0.3 * (0.5 / 0.75) / (std::sqrt(0.75 / 0.4375) + 1)));
  EXPECT_EQ(adam.state().step, 2);
  EXPECT_FLOAT_EQ(adam.state().m[0], 0.5f);
  EXPECT_FLOAT_EQ(adam.state().v[1], 3);
}

TEST(AdamTest, FollowsAlgorithmOneOverManySteps) {
  constexpr int kSize = 37;
  const Adam::Options options;
  Adam adam(kSize, options);
  Random random(1);
  std::vector<float> parameters(kSize, 0.5f), gradient(kSize);
  std::vector<double> expected(kSize, 0.5), m(kSize), v(kSize);
  for (int step = 1; step <= 200; ++step) {
    for (int i = 0; i < kSize; ++i) {
      gradient[i] = static_cast<float>(random.Normal() * std::pow(10, i % 5 - 2) + 0.1 * i);
      const double g = gradient[i];
      m[i] = options.beta1 * m[i] + (1 - options.beta1) * g;
      v[i] = options.beta2 * v[i] + (1 - options.beta2) * g * g;
      expected[i] -= 1e-2 * (m[i] / (1 - std::pow(options.beta1, step))) /
                     (std::sqrt(v[i] / (1 - std::pow(options.beta2, step))) + options.epsilon);
    }
    adam.Step(absl::MakeSpan(parameters), gradient, 1e-2);
    for (int i = 0; i < kSize; ++i) ASSERT_NEAR(parameters[i], expected[i], 2e-5) << step;
  }
}

TEST(AdamTest, ScalingTheGradientIsAnArgument) {
  Adam one(3, {}), other(3, {});
  std::vector<float> a(3, 1.0f), b(3, 1.0f);
  one.Step(absl::MakeSpan(a), std::vector<float>{1, 2, -3}, 0.1, 0.25f);
  other.Step(absl::MakeSpan(b), std::vector<float>{0.25f, 0.5f, -0.75f}, 0.1);
  EXPECT_EQ(a, b);
  EXPECT_EQ(one.state().m, other.state().m);
}

TEST(AdamTest, GoesOnFromASavedStateBitForBit) {
  Random random(2);
  const auto gradient = [&random] {
    std::vector<float> values(19);
    for (float& value : values) value = static_cast<float>(random.Normal());
    return values;
  };
  Adam adam(19, {});
  std::vector<float> parameters = gradient();
  for (int i = 0; i < 5; ++i) adam.Step(absl::MakeSpan(parameters), gradient(), 0.01);
  Adam restored(19, {});
  restored.mutable_state() = adam.state();
  std::vector<float> copy = parameters;
  const std::vector<float> next = gradient();
  adam.Step(absl::MakeSpan(parameters), next, 0.01);
  restored.Step(absl::MakeSpan(copy), next, 0.01);
  EXPECT_EQ(parameters, copy);
}

}  // namespace
}  // namespace cadre
