// Max pooling in every table, against a plain loop. Nothing is rounded: results are equal.
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <vector>

#include "tests/kernels/every_table.h"

namespace cadre::kernels {
namespace {

class PoolingTest : public EveryTableTest {};
INSTANTIATE_FOR_EVERY_TABLE(PoolingTest);

// For each output, the index of the input that it is.
std::vector<int64_t> Winners(const Pool2d& s, int64_t batch, const std::vector<float>& input) {
  std::vector<int64_t> winners;
  for (int64_t plane = 0; plane < batch * s.channels; ++plane)
    for (int64_t y = 0; y < s.output_height(); ++y)
      for (int64_t x = 0; x < s.output_width(); ++x) {
        int64_t best = -1;
        float largest = 0;
        for (int64_t k = 0; k < s.kernel * s.kernel; ++k) {
          const int64_t row = y * s.stride - s.padding + k / s.kernel;
          const int64_t column = x * s.stride - s.padding + k % s.kernel;
          if (row < 0 || row >= s.height || column < 0 || column >= s.width) continue;
          const int64_t i = (plane * s.height + row) * s.width + column;
          if (best >= 0 && input[i] <= largest) continue;
          best = i;
          largest = input[i];
        }
        winners.push_back(best);
      }
  return winners;
}

void Check(const KernelTable& table, const Pool2d& s, int64_t batch, Random& random) {
  const bool pixels = s.layout == Layout::kPixels;
  SCOPED_TRACE(testing::Message() << s.height << " x " << s.width << ", kernel " << s.kernel
                                  << ", stride " << s.stride << ", padding " << s.padding
                                  << (pixels ? ", pixels" : ", planes"));
  const int64_t in_size = s.height * s.width, out_size = s.output_height() * s.output_width();
  std::vector<float> input(batch * s.channels * s.height * s.width);
  for (float& value : input) value = static_cast<float>(random.Below(20)) - 30;  // Many are equal.
  const std::vector<int64_t> winners = Winners(s, batch, input);
  const int64_t outputs = static_cast<int64_t>(winners.size());
  const std::vector<float> gradient = Normals(outputs, random);
  const auto given = [&](const std::vector<float>& values, int64_t n) {
    return pixels ? Turned(values, s.channels, n, true) : values;
  };
  const auto planes = [&](const std::vector<float>& values, int64_t n) {
    return pixels ? Turned(values, s.channels, n, false) : values;
  };
  const std::vector<float> given_input = given(input, in_size);
  const std::vector<float> given_gradient = given(gradient, out_size);

  std::vector<float> scratch(table.max_pool_scratch_size(s) + 1, kNaN);
  scratch.back() = kCanary;
  std::vector<float> output(outputs + 1, kCanary), without(outputs + 1, kCanary);
  std::vector<uint8_t> chosen(outputs + 1, 0xAB);
  table.max_pool(s, batch, given_input.data(), output.data(), chosen.data(), scratch.data());
  table.max_pool(s, batch, given_input.data(), without.data(), nullptr, scratch.data());
  ASSERT_EQ(scratch.back(), kCanary);
  ASSERT_EQ(chosen.back(), 0xAB);
  ASSERT_EQ(output.back(), kCanary);
  ASSERT_EQ(output, without);
  output = planes(output, out_size);
  for (int64_t i = 0; i < outputs; ++i) ASSERT_EQ(output[i], input[winners[i]]) << i;

  std::vector<float> expected(input.size() + 1, 0.0f), added(input.size() + 1, 2.0f);
  std::vector<float> expected_added = added, set(input.size() + 1, kNaN);
  expected.back() = set.back() = kCanary;
  for (int64_t i = 0; i < outputs; ++i) expected[winners[i]] += gradient[i];
  for (int64_t i = 0; i < outputs; ++i) expected_added[winners[i]] += gradient[i];
  table.max_pool_backward(s, batch, chosen.data(), given_gradient.data(), set.data(), false);
  table.max_pool_backward(s, batch, chosen.data(), given_gradient.data(), added.data(), true);
  ASSERT_EQ(planes(set, in_size), expected);
  ASSERT_EQ(planes(added, in_size), expected_added);
}

TEST_P(PoolingTest, IsItsDefinitionAndTheFirstOfEqualOnesGetsTheGradient) {
  Random random(1);
  for (const int64_t kernel : {1, 2, 3, 5})
    for (const int64_t stride : {1, 2, 3})
      for (const int64_t padding : {0, 1, 2}) {
        if (2 * padding >= kernel) continue;
        for (const int64_t height : {5, 6, 11})
          for (const int64_t width : {5, 8, 33, 34, 84})
            for (const Layout layout : {Layout::kPlanes, Layout::kPixels})
              Check(table(), {2, height, width, kernel, stride, padding, layout}, 2, random);
      }
  Check(table(), {16, 84, 84, 3, 2, 1}, 1, random);
  Check(table(), {35, 21, 21, 3, 2, 1, Layout::kPixels}, 3, random);
}

TEST_P(PoolingTest, NaNWinsAndSoDoesNegativeInfinityAmongItself) {
  Pool2d shape{1, 3, 3, 3, 2, 1};
  std::vector<float> input(9, -kInfinity), output(4), scratch(table().max_pool_scratch_size(shape));
  std::vector<uint8_t> chosen(4);
  for (const Layout layout : {Layout::kPlanes, Layout::kPixels}) {
    shape.layout = layout;
    input[4] = kNaN;
    table().max_pool(shape, 1, input.data(), output.data(), chosen.data(), scratch.data());
    for (const float value : output) EXPECT_TRUE(std::isnan(value));
    input[4] = -kInfinity;
    table().max_pool(shape, 1, input.data(), output.data(), chosen.data(), scratch.data());
    for (const float value : output) EXPECT_EQ(value, -kInfinity);
    // The gradient of each goes to some element of its window.
    const std::vector<float> gradient = {1, 2, 3, 4};
    std::vector<float> input_gradient(9);
    table().max_pool_backward(shape, 1, chosen.data(), gradient.data(), input_gradient.data(),
                              false);
    float sum = 0;
    for (const float value : input_gradient) sum += value;
    EXPECT_EQ(sum, 10);
  }
}

}  // namespace
}  // namespace cadre::kernels
