// Layer normalisation in every table, against float64.
#include <cmath>
#include <cstdint>
#include <vector>

#include "tests/kernels/every_table.h"

namespace cadre::kernels {
namespace {

class LayerNormTest : public EveryTableTest {};
INSTANTIATE_FOR_EVERY_TABLE(LayerNormTest);

constexpr float kEpsilon = 1e-5f;

struct Row {
  double mean, inverse;
};

Row StatisticsOf(const float* x, int64_t n) {
  double mean = 0, variance = 0;
  for (int64_t i = 0; i < n; ++i) mean += x[i] / static_cast<double>(n);
  for (int64_t i = 0; i < n; ++i)
    variance += (x[i] - mean) * (x[i] - mean) / static_cast<double>(n);
  return {mean, 1 / std::sqrt(variance + kEpsilon)};
}

TEST_P(LayerNormTest, ForwardAndBackwardAreTheirDefinitions) {
  Random random(1);
  for (const int64_t rows : {1, 3, 256})
    for (const int64_t n : {1, 2, 15, 16, 17, 64, 100, 513}) {
      std::vector<float> x = Normals(rows * n, random);
      for (float& value : x) value = 3 * value + 50;  // A mean that is far larger than the rest.
      const std::vector<float> scale = Normals(n, random), shift = Normals(n, random);
      const std::vector<float> gradient = Normals(rows * n, random);
      std::vector<float> y(rows * n + 1, kCanary), statistics(2 * rows + 1, kCanary);
      table().layer_norm(rows, n, x.data(), scale.data(), shift.data(), kEpsilon, y.data(),
                         statistics.data());
      std::vector<float> d = gradient, scale_gradient(n + 1, 1.0f), shift_gradient(n + 1, 2.0f);
      table().layer_norm_backward(rows, n, x.data(), scale.data(), statistics.data(), d.data(),
                                  scale_gradient.data(), shift_gradient.data());
      ASSERT_EQ(y.back(), kCanary);
      ASSERT_EQ(statistics.back(), kCanary);
      ASSERT_EQ(scale_gradient.back(), 1);
      ASSERT_EQ(shift_gradient.back(), 2);

      std::vector<double> by_scale(n, 1), by_shift(n, 2);
      for (int64_t row = 0; row < rows; ++row) {
        const Row of = StatisticsOf(&x[row * n], n);
        double mean_g = 0, mean_gu = 0;
        const auto u = [&](int64_t i) { return (x[row * n + i] - of.mean) * of.inverse; };
        const auto g = [&](int64_t i) {
          return static_cast<double>(gradient[row * n + i]) * scale[i];
        };
        for (int64_t i = 0; i < n; ++i) {
          mean_g += g(i) / static_cast<double>(n);
          mean_gu += g(i) * u(i) / static_cast<double>(n);
          by_scale[i] += u(i) * gradient[row * n + i];
          by_shift[i] += gradient[row * n + i];
          ASSERT_NEAR(y[row * n + i], u(i) * scale[i] + shift[i],
                      1e-5 * (1 + std::abs(scale[i]) * of.inverse));
        }
        for (int64_t i = 0; i < n; ++i)
          ASSERT_NEAR(d[row * n + i], of.inverse * (g(i) - mean_g - u(i) * mean_gu),
                      2e-5 * of.inverse * (1 + std::abs(g(i)) + of.inverse * std::abs(mean_gu)))
              << rows << " x " << n;
      }
      for (int64_t i = 0; i < n; ++i) {
        ASSERT_NEAR(scale_gradient[i], by_scale[i], 1e-4 * std::sqrt(rows));
        ASSERT_NEAR(shift_gradient[i], by_shift[i], 1e-5 * std::sqrt(rows));
      }
    }
}

TEST_P(LayerNormTest, WorksInPlaceAndGradientsOfScaleAndShiftMayBeLeftOut) {
  Random random(2);
  constexpr int64_t kRows = 4, kSize = 37;
  const std::vector<float> x = Normals(kRows * kSize, random), scale = Normals(kSize, random);
  const std::vector<float> shift = Normals(kSize, random), gradient = x;
  std::vector<float> y(x.size()), in_place = x, statistics(2 * kRows), ignored(kSize);
  table().layer_norm(kRows, kSize, x.data(), scale.data(), shift.data(), kEpsilon, y.data(),
                     statistics.data());
  table().layer_norm(kRows, kSize, in_place.data(), scale.data(), shift.data(), kEpsilon,
                     in_place.data(), statistics.data());
  EXPECT_EQ(y, in_place);
  std::vector<float> with = gradient, without = gradient;
  table().layer_norm_backward(kRows, kSize, x.data(), scale.data(), statistics.data(), with.data(),
                              ignored.data(), ignored.data());
  table().layer_norm_backward(kRows, kSize, x.data(), scale.data(), statistics.data(),
                              without.data(), nullptr, nullptr);
  EXPECT_EQ(with, without);
}

}  // namespace
}  // namespace cadre::kernels
