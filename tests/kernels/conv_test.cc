// Convolutions in every table, against plain loops in float64.
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <vector>

#include "tests/kernels/every_table.h"

namespace cadre::kernels {
namespace {

class ConvTest : public EveryTableTest {};
INSTANTIATE_FOR_EVERY_TABLE(ConvTest);

// What one batch gives, forward and backward.
struct Example {
  Example(const Conv2d& shape, int64_t batch, bool bytes, bool relu, Random& random)
      : shape(shape), batch(batch), relu(relu) {
    inputs = shape.channels * shape.height * shape.width;
    outputs = shape.filters * shape.output_height() * shape.output_width();
    depth = shape.channels * shape.kernel_height * shape.kernel_width;
    input = Normals(batch * inputs, random);
    if (bytes) {
      input_bytes.resize(input.size());
      for (size_t i = 0; i < input.size(); ++i) {
        input_bytes[i] = static_cast<uint8_t>(random.Below(256));
        input[i] = static_cast<float>(input_bytes[i]) * kScale;
      }
    }
    weights = Normals(shape.filters * depth, random);
    bias = Normals(shape.filters, random);
    output_gradient = Normals(batch * outputs, random);
    given_input = input;
    given_gradient = output_gradient;
    if (shape.input_layout == Layout::kPixels) {
      given_input = Turned(input, shape.channels, shape.height * shape.width, true);
      input_bytes = Turned(input_bytes, shape.channels, shape.height * shape.width, true);
    }
    if (shape.output_layout == Layout::kPixels)
      given_gradient = Turned(output_gradient, shape.filters, outputs / shape.filters, true);
  }
  Images images() const {
    if (input_bytes.empty()) return {.floats = given_input.data()};
    return {.floats = nullptr, .bytes = input_bytes.data(), .scale = kScale};
  }
  // Back in planes.
  std::vector<float> OutputPlanes(const std::vector<float>& output) const {
    if (shape.output_layout == Layout::kPlanes) return output;
    return Turned(output, shape.filters, outputs / shape.filters, false);
  }
  std::vector<float> InputPlanes(const std::vector<float>& gradient) const {
    if (shape.input_layout == Layout::kPlanes) return gradient;
    return Turned(gradient, shape.channels, shape.height * shape.width, false);
  }

  static constexpr float kScale = 1.0f / 255.0f;
  Conv2d shape;
  int64_t batch;
  bool relu;
  int64_t inputs, outputs, depth;
  std::vector<float> input, weights, bias, output_gradient;  // In planes.
  std::vector<float> given_input, given_gradient;            // In the shape's layouts.
  std::vector<uint8_t> input_bytes;
};

// A sum in float64, and the sum of its terms' magnitudes.
struct Sum {
  double value = 0, magnitude = 0;
  void Add(double term) {
    value += term;
    magnitude += std::abs(term);
  }
};

struct Reference {
  std::vector<Sum> output, weight_gradient, bias_gradient, input_gradient;
};

// Calls `f(output, weight, input)` with the indices of each product.
template <typename F>
void ForProducts(const Example& e, F f) {
  const Conv2d& s = e.shape;
  int64_t output = 0;
  for (int64_t b = 0; b < e.batch; ++b)
    for (int64_t filter = 0; filter < s.filters; ++filter)
      for (int64_t y = 0; y < s.output_height(); ++y)
        for (int64_t x = 0; x < s.output_width(); ++x, ++output)
          for (int64_t k = 0; k < e.depth; ++k) {
            const int64_t column = x * s.stride - s.padding + k % s.kernel_width;
            const int64_t row = y * s.stride - s.padding + k / s.kernel_width % s.kernel_height;
            const int64_t channel = k / (s.kernel_width * s.kernel_height);
            if (row < 0 || row >= s.height || column < 0 || column >= s.width) continue;
            f(output, filter * e.depth + k,
              b * e.inputs + (channel * s.height + row) * s.width + column);
          }
}

// The ReLU of the backward pass is that of `output`, the forward pass of the kernel.
Reference Reckon(const Example& e, const std::vector<float>& output) {
  Reference r;
  r.output.resize(e.batch * e.outputs);
  r.weight_gradient.resize(e.weights.size());
  r.bias_gradient.resize(e.bias.size());
  r.input_gradient.resize(e.input.size());
  const int64_t plane = e.outputs / e.shape.filters;
  const auto gradient = [&](int64_t i) {
    return e.relu && output[i] <= 0 ? 0.0 : static_cast<double>(e.output_gradient[i]);
  };
  for (int64_t i = 0; i < e.batch * e.outputs; ++i) {
    const int64_t filter = i / plane % e.shape.filters;
    r.output[i].Add(e.bias[filter]);
    r.bias_gradient[filter].Add(gradient(i));
  }
  ForProducts(e, [&](int64_t out, int64_t weight, int64_t in) {
    r.output[out].Add(static_cast<double>(e.weights[weight]) * e.input[in]);
    r.weight_gradient[weight].Add(gradient(out) * e.input[in]);
    r.input_gradient[in].Add(gradient(out) * e.weights[weight]);
  });
  if (e.relu)
    for (Sum& sum : r.output) sum.value = std::max(sum.value, 0.0);
  return r;
}

// `got` without `before`, which was there. Elements share intermediate sums, and so errors.
void ExpectSums(const std::vector<float>& got, float before, const std::vector<Sum>& expected) {
  double magnitude = std::abs(before);
  for (const Sum& sum : expected) magnitude = std::max(magnitude, sum.magnitude);
  for (size_t i = 0; i < expected.size(); ++i)
    ASSERT_NEAR(got[i] - before, expected[i].value, 2e-6 * magnitude) << i;
  ASSERT_EQ(got.size(), expected.size() + 1);
  ASSERT_EQ(got.back(), kCanary) << "wrote past the end";
}

std::vector<float> Filled(size_t size, float value) {
  std::vector<float> values(size + 1, value);
  values.back() = kCanary;
  return values;
}

std::vector<float> Filled(std::vector<float> values) {
  values.push_back(kCanary);
  return values;
}

void Check(const KernelTable& table, const Example& e) {
  SCOPED_TRACE(testing::Message() << e.shape.channels << " x " << e.shape.height << " x "
                                  << e.shape.width << ", " << e.shape.filters << " filters "
                                  << e.shape.kernel_height << " x " << e.shape.kernel_width
                                  << ", stride " << e.shape.stride << ", padding "
                                  << e.shape.padding << ", batch " << e.batch);
  SCOPED_TRACE(
      testing::Message() << (e.input_bytes.empty() ? "floats, " : "bytes, ")
                         << (e.shape.input_layout == Layout::kPixels ? "pixels" : "planes")
                         << " to "
                         << (e.shape.output_layout == Layout::kPixels ? "pixels" : "planes"));
  const int64_t packed_size = table.conv2d_packed_size(e.shape);
  const int64_t scratch_size = table.conv2d_scratch_size(e.shape);
  std::vector<float> packed = Filled(packed_size, 0), scratch = Filled(scratch_size, kNaN);
  table.conv2d_pack(e.shape, e.weights.data(), packed.data());
  ASSERT_EQ(packed.back(), kCanary) << "packed past the end";
  std::vector<float> output = Filled(e.batch * e.outputs, kNaN);
  table.conv2d(e.shape, e.batch, e.images(), packed.data(), e.bias.data(), e.relu, output.data(),
               scratch.data());
  const Reference reference = Reckon(e, e.OutputPlanes(output));
  ExpectSums(e.OutputPlanes(output), 0, reference.output);

  std::fill(scratch.begin(), scratch.end() - 1, kNaN);
  std::vector<float> weight_gradient = Filled(e.weights.size(), 2);
  std::vector<float> bias_gradient = Filled(e.bias.size(), 3);
  std::vector<float> input_gradient = Filled(e.input.size(), kNaN);
  const float* relu_output = e.relu ? output.data() : nullptr;
  table.conv2d_backward(e.shape, e.batch, e.images(), e.weights.data(),
                        {.output = e.given_gradient.data(),
                         .relu_output = relu_output,
                         .weights = weight_gradient.data(),
                         .bias = bias_gradient.data(),
                         .input = input_gradient.data()},
                        scratch.data());
  ExpectSums(weight_gradient, 2, reference.weight_gradient);
  ExpectSums(bias_gradient, 3, reference.bias_gradient);
  ExpectSums(e.InputPlanes(input_gradient), 0, reference.input_gradient);

  // Each gradient alone is the same.
  std::vector<float> alone = Filled(e.input.size(), 5);
  table.conv2d_backward(e.shape, e.batch, {nullptr}, e.weights.data(),
                        {.output = e.given_gradient.data(),
                         .relu_output = relu_output,
                         .input = alone.data(),
                         .accumulate_input = true},
                        scratch.data());
  ExpectSums(e.InputPlanes(alone), 5, reference.input_gradient);
  alone = Filled(e.weights.size(), 2);
  table.conv2d_backward(
      e.shape, e.batch, e.images(), nullptr,
      {.output = e.given_gradient.data(), .relu_output = relu_output, .weights = alone.data()},
      scratch.data());
  ASSERT_EQ(alone, weight_gradient);
  ASSERT_EQ(scratch.back(), kCanary) << "used more scratch than was asked for";
}

TEST_P(ConvTest, IsItsDefinitionForOddShapesStridesAndPaddings) {
  Random random(1);
  int variant = 0;
  for (const int64_t channels : {1, 2, 3, 4, 7, 16, 21})
    for (const int64_t size : {5, 9, 18})
      for (const int64_t filters : {1, 5, 16, 35})
        for (const int64_t kernel : {1, 2, 3, 4})
          for (const int64_t stride : {1, 2, 4})
            for (const int64_t padding : {0, 1}) {
              ++variant;
              if (variant * 7 % 11 > 3) continue;  // Every value with every other, not all at once.
              const int64_t kernel_width = variant % 5 == 0 ? 2 : kernel;
              const Conv2d shape{channels, size,   size + variant % 3,
                                 filters,  kernel, kernel_width,
                                 stride,   padding};
              Check(table(), Example(shape, variant % 4 == 0 ? 3 : 1, variant % 2 == 0,
                                     variant % 3 == 0, random));
            }
}

TEST_P(ConvTest, IsItsDefinitionForTheLayersOfKnownNetworks) {
  Random random(2);
  constexpr Layout kPixels = Layout::kPixels;
  Check(table(), Example({4, 84, 84, 32, 8, 8, 4, 0}, 1, true, true, random));
  Check(table(), Example({32, 20, 20, 64, 4, 4, 2, 0}, 1, false, true, random));
  Check(table(), Example({32, 20, 20, 64, 4, 4, 2, 0, kPixels, kPixels}, 3, false, true, random));
  Check(table(), Example({64, 9, 9, 64, 3, 3, 1, 0}, 2, false, true, random));
  Check(table(), Example({64, 9, 9, 64, 3, 3, 1, 0, kPixels}, 11, false, true, random));
  Check(table(), Example({16, 42, 42, 32, 3, 3, 1, 1, kPixels, kPixels}, 1, false, false, random));
  Check(table(), Example({32, 11, 11, 32, 3, 3, 1, 1}, 1, false, false, random));
  Check(table(), Example({4, 10, 10, 16, 3, 3, 1, 0}, 256, true, true, random));
  Check(table(), Example({70, 6, 6, 40, 5, 5, 1, 2}, 1, false, true, random));
  Check(table(), Example({3, 6, 6, 4, 1, 1, 1, 2}, 1, false, true, random));  // All border.
}

TEST_P(ConvTest, AnImageGivesTheSameBitsInABatchOfAnySize) {
  Random random(3);
  const Conv2d shapes[] = {{4, 12, 12, 20, 3, 3, 1, 1},
                           {16, 5, 6, 20, 3, 3, 1, 1},
                           {16, 14, 14, 32, 4, 4, 2, 0},
                           {16, 9, 9, 16, 3, 3, 1, 0}};
  for (const Conv2d& shape : shapes) {
    const Example e(shape, 11, true, true, random);
    std::vector<float> packed(table().conv2d_packed_size(e.shape));
    std::vector<float> scratch(table().conv2d_scratch_size(e.shape));
    table().conv2d_pack(e.shape, e.weights.data(), packed.data());
    std::vector<float> together(e.batch * e.outputs), alone(e.outputs);
    table().conv2d(e.shape, e.batch, e.images(), packed.data(), e.bias.data(), true,
                   together.data(), scratch.data());
    for (int64_t b = 0; b < e.batch; ++b) {
      Images image = e.images();
      image.bytes += b * e.inputs;
      table().conv2d(e.shape, 1, image, packed.data(), e.bias.data(), true, alone.data(),
                     scratch.data());
      ASSERT_TRUE(std::equal(alone.begin(), alone.end(), together.begin() + b * e.outputs)) << b;
    }
  }
}

TEST_P(ConvTest, LayoutsAreTurnedIntoEachOther) {
  Random random(4);
  for (const int64_t channels : {1, 2, 3, 4, 7, 8, 16, 33})
    for (const int64_t n : {1, 3, 15, 16, 49, 100}) {
      const std::vector<float> planes = Filled(Normals(2 * channels * n, random));
      const std::vector<float> pixels = Turned(planes, channels, n, true);
      std::vector<float> got(planes.size(), kCanary);
      table().planes_to_pixels(2, channels, n, planes.data(), got.data());
      ASSERT_EQ(got, pixels) << channels << " x " << n;
      table().pixels_to_planes(2, channels, n, pixels.data(), got.data());
      ASSERT_EQ(got, planes) << channels << " x " << n;
    }
}

TEST_P(ConvTest, ReluLetsNaNThroughAndNoBiasIsZero) {
  const Conv2d shape{1, 3, 3, 1, 2, 2, 1, 0};
  const std::vector<float> input = {1, 1, 1, 1, 1, 1, 1, 1, kNaN}, weights = {-1, -1, -1, 2};
  std::vector<float> packed(table().conv2d_packed_size(shape)), output(4);
  std::vector<float> scratch(table().conv2d_scratch_size(shape));
  table().conv2d_pack(shape, weights.data(), packed.data());
  table().conv2d(shape, 1, {.floats = input.data()}, packed.data(), nullptr, true, output.data(),
                 scratch.data());
  EXPECT_EQ(output[0], 0);
  EXPECT_EQ(output[1], 0);
  EXPECT_TRUE(std::isnan(output[3]));
}

TEST_P(ConvTest, NoImagesAddNothing) {
  const Conv2d shape{1, 3, 3, 1, 2, 2, 1, 0};
  const std::vector<float> weights = {1, 2, 3, 4};
  std::vector<float> scratch(table().conv2d_scratch_size(shape)), gradient(4, 7.0f);
  table().conv2d_backward(shape, 0, {nullptr}, weights.data(),
                          {.output = nullptr, .weights = gradient.data()}, scratch.data());
  EXPECT_EQ(gradient, std::vector<float>(4, 7.0f));
}

}  // namespace
}  // namespace cadre::kernels
