// Activations and their slopes in every table, against float64.
#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>
#include <numbers>
#include <vector>

#include "tests/kernels/every_table.h"

namespace cadre::kernels {
namespace {

class ActivationsTest : public EveryTableTest {};
INSTANTIATE_FOR_EVERY_TABLE(ActivationsTest);

// Floats of every finite exponent and both signs.
std::vector<float> FloatsOfAllSizes() {
  std::vector<float> x;
  for (uint32_t bits = 0; bits < 0x7F800000u; bits += 5003) {
    x.push_back(std::bit_cast<float>(bits));
    x.push_back(-x.back());
  }
  return x;
}

// Where activations bend, densely.
std::vector<float> FloatsNearZero() {
  std::vector<float> x;
  for (int i = -150000; i <= 150000; ++i) x.push_back(static_cast<float>(i) * 1.37e-4f);
  return x;
}

TEST_P(ActivationsTest, TanhIsWithinThreeUlpOverAllFloats) {
  std::vector<float> x;
  for (uint32_t bits = 0; bits < 0x7F800000u; bits += 5003) {  // Every finite exponent.
    x.push_back(std::bit_cast<float>(bits));
    x.push_back(-x.back());
  }
  std::vector<float> y = x;
  table().tanh(static_cast<int64_t>(y.size()), y.data());
  for (size_t i = 0; i < x.size(); ++i) {
    ASSERT_LE(UlpError(y[i], std::tanh(static_cast<double>(x[i]))), 3) << "tanh(" << x[i] << ")";
    ASSERT_LE(std::abs(y[i]), 1) << x[i];
  }
}

TEST_P(ActivationsTest, TanhKeepsSpecialValues) {
  const float denormal = std::numeric_limits<float>::denorm_min();
  std::vector<float> y = {0.0f,
                          -0.0f,
                          denormal,
                          -denormal,
                          1e-40f,
                          30.0f,
                          kInfinity,
                          -kInfinity,
                          kNaN,
                          -kNaN,
                          std::numeric_limits<float>::max()};
  table().tanh(static_cast<int64_t>(y.size()), y.data());
  EXPECT_EQ(y[0], 0);
  EXPECT_FALSE(std::signbit(y[0]));
  EXPECT_EQ(y[1], 0);
  EXPECT_TRUE(std::signbit(y[1]));
  EXPECT_EQ(y[2], denormal);
  EXPECT_EQ(y[3], -denormal);
  EXPECT_EQ(y[4], 1e-40f);
  EXPECT_EQ(y[5], 1);
  EXPECT_EQ(y[6], 1);
  EXPECT_EQ(y[7], -1);
  EXPECT_TRUE(std::isnan(y[8]));
  EXPECT_TRUE(std::isnan(y[9]));
  EXPECT_EQ(y[10], 1);
}

TEST_P(ActivationsTest, TanhOfAnyLengthTouchesNothingElseAndIsTheSameInEveryLane) {
  Random random(3);
  const std::vector<float> x = Normals(100, random);
  std::vector<float> whole = x;
  table().tanh(100, whole.data());
  for (int64_t n = 0; n < 70; ++n) {
    std::vector<float> part(x.begin(), x.begin() + n);
    part.push_back(kCanary);
    table().tanh(n, part.data());
    ASSERT_TRUE(std::equal(part.begin(), part.end() - 1, whole.begin())) << n;
    ASSERT_EQ(part.back(), kCanary) << n;
  }
}

TEST_P(ActivationsTest, ReluIsTheLargerOfItselfAndZero) {
  std::vector<float> y(37, -2.0f);
  y[0] = 3;
  y[9] = 1e-42f;
  y[10] = -kInfinity;
  y[35] = kInfinity;
  y[36] = kNaN;
  table().relu(36, y.data());
  std::vector<float> expected(36, 0.0f);
  expected[0] = 3;
  expected[9] = 1e-42f;
  expected[35] = kInfinity;
  EXPECT_TRUE(std::equal(expected.begin(), expected.end(), y.begin()));
  table().relu(1, &y[36]);
  EXPECT_TRUE(std::isnan(y[36]));  // A broken network must not look alive.
}

TEST_P(ActivationsTest, ActivationGradientsFollowFromTheOutputs) {
  Random random(4);
  for (const int64_t n : {0, 1, 7, 16, 33, 100}) {
    std::vector<float> y = Normals(n, random), d = Normals(n, random);
    if (n > 5) y[5] = 0;
    for (float& value : y) value = std::tanh(value);
    std::vector<float> tanh = d, relu = d;
    table().tanh_backward(n, y.data(), tanh.data());
    table().relu_backward(n, y.data(), relu.data());
    for (int64_t i = 0; i < n; ++i) {
      const double slope = 1 - static_cast<double>(y[i]) * y[i];
      EXPECT_NEAR(tanh[i], d[i] * slope, 2e-7 * std::abs(d[i]));
      EXPECT_EQ(relu[i], y[i] > 0 ? d[i] : 0);
    }
  }
}

double Cdf(double x) { return 0.5 * std::erfc(-x / std::numbers::sqrt2); }
double Density(double x) { return std::exp(-0.5 * x * x) / std::sqrt(2 * std::numbers::pi); }
double SigmoidOf(double x) { return 1 / (1 + std::exp(-x)); }

struct SmoothActivation {
  void (*KernelTable::*forward)(int64_t, const float*, float*);
  void (*KernelTable::*backward)(int64_t, const float*, float*);
  double (*value)(double);
  double (*slope)(double);
  double ulp;
};
const SmoothActivation kSmooth[] = {
    {&KernelTable::gelu, &KernelTable::gelu_backward, [](double x) { return x * Cdf(x); },
     [](double x) { return Cdf(x) + x * Density(x); }, 8},
    {&KernelTable::silu, &KernelTable::silu_backward, [](double x) { return x * SigmoidOf(x); },
     [](double x) { return SigmoidOf(x) * (1 + x * (1 - SigmoidOf(x))); }, 4}};

TEST_P(ActivationsTest, GeluIsWithinEightUlpAndSiluWithinFour) {
  for (const SmoothActivation& activation : kSmooth)
    for (const std::vector<float>& x : {FloatsOfAllSizes(), FloatsNearZero()}) {
      std::vector<float> y(x.size());
      (table().*activation.forward)(static_cast<int64_t>(x.size()), x.data(), y.data());
      for (size_t i = 0; i < x.size(); ++i) {
        const double exact = activation.value(x[i]);
        if (std::abs(exact) >= 1e-36)
          ASSERT_LE(UlpError(y[i], exact), activation.ulp) << "of " << x[i];
        else
          ASSERT_NEAR(y[i], exact, 1e-36) << "of " << x[i];
      }
    }
}

TEST_P(ActivationsTest, SlopesOfGeluAndSiluAreWithin4e7) {
  for (const SmoothActivation& activation : kSmooth)
    for (const std::vector<float>& x : {FloatsOfAllSizes(), FloatsNearZero()}) {
      std::vector<float> d(x.size(), 1.0f);
      (table().*activation.backward)(static_cast<int64_t>(x.size()), x.data(), d.data());
      for (size_t i = 0; i < x.size(); ++i) {
        ASSERT_NEAR(d[i], activation.slope(x[i]), 4e-7) << "at " << x[i];
      }
    }
}

TEST_P(ActivationsTest, GeluAndSiluOfSpecialValues) {
  for (const SmoothActivation& activation : kSmooth) {
    const std::vector<float> x = {0.0f, -0.0f, kInfinity, -kInfinity, kNaN};
    std::vector<float> y(x.size()), d(x.size(), 1.0f);
    (table().*activation.forward)(5, x.data(), y.data());
    (table().*activation.backward)(5, x.data(), d.data());
    EXPECT_EQ(y[0], 0);
    EXPECT_EQ(y[1], 0);
    EXPECT_EQ(y[2], kInfinity);
    EXPECT_EQ(y[3], 0);
    EXPECT_TRUE(std::isnan(y[4]));
    EXPECT_NEAR(d[0], 0.5f, 4e-7);
    EXPECT_EQ(d[2], 1);
    EXPECT_EQ(d[3], 0);
    EXPECT_TRUE(std::isnan(d[4]));
  }
}

TEST_P(ActivationsTest, GeluAndSiluOfAnyLengthInPlaceTouchNothingElse) {
  Random random(7);
  const std::vector<float> x = Normals(70, random), gradient = Normals(70, random);
  for (const SmoothActivation& activation : kSmooth) {
    std::vector<float> whole(70), slopes = gradient;
    (table().*activation.forward)(70, x.data(), whole.data());
    (table().*activation.backward)(70, x.data(), slopes.data());
    for (int64_t n = 0; n < 70; ++n) {
      std::vector<float> y(x.begin(), x.begin() + n), d(gradient.begin(), gradient.begin() + n);
      y.push_back(kCanary);
      d.push_back(kCanary);
      (table().*activation.forward)(n, y.data(), y.data());
      (table().*activation.backward)(n, x.data(), d.data());
      ASSERT_TRUE(std::equal(y.begin(), y.end() - 1, whole.begin())) << n;
      ASSERT_TRUE(std::equal(d.begin(), d.end() - 1, slopes.begin())) << n;
      ASSERT_EQ(y.back(), kCanary);
      ASSERT_EQ(d.back(), kCanary);
    }
  }
}

}  // namespace
}  // namespace cadre::kernels
