// The kernels of image and recurrent networks against LibTorch, forward and backward.
#include <cmath>
#include <cstdint>
#include <vector>

#include <ATen/ATen.h>
#include <torch/autograd.h>

#include "common/kernels/kernels.h"
#include "common/random.h"
#include "gtest/gtest.h"

namespace cadre {
namespace {

using kernels::Conv2d;
using kernels::Layout;
using kernels::Pool2d;

const kernels::KernelTable& Kernel() { return kernels::Best(); }

std::vector<float> Normals(int64_t n, Random& random) {
  std::vector<float> values(n);
  for (float& value : values) value = static_cast<float>(random.Normal());
  return values;
}

at::Tensor Leaf(const std::vector<float>& values, at::IntArrayRef shape) {
  return at::tensor(values).reshape(shape).requires_grad_();
}

// To 1e-5 of the largest element: a sum's rounding errors are relative to its terms.
void ExpectClose(const std::vector<float>& got, const at::Tensor& tensor) {
  const at::Tensor expected = tensor.detach().contiguous().to(at::kFloat);
  ASSERT_EQ(static_cast<int64_t>(got.size()), expected.numel());
  const double largest = expected.abs().max().item<double>();
  const float* values = expected.data_ptr<float>();
  for (size_t i = 0; i < got.size(); ++i)
    ASSERT_NEAR(got[i], values[i], 1e-5 * (1e-3 + largest)) << i;
}

std::vector<float> Turned(const std::vector<float>& values, int64_t batch, int64_t channels,
                          bool to_pixels) {
  std::vector<float> turned(values.size());
  const int64_t n = static_cast<int64_t>(values.size()) / batch / channels;
  (to_pixels ? Kernel().planes_to_pixels : Kernel().pixels_to_planes)(batch, channels, n,
                                                                      values.data(), turned.data());
  return turned;
}

void CheckConvolution(Conv2d s, int64_t batch, bool bytes, bool relu) {
  SCOPED_TRACE(testing::Message() << s.channels << " x " << s.height << " x " << s.width << ", "
                                  << s.filters << " filters " << s.kernel_height << " x "
                                  << s.kernel_width << ", stride " << s.stride << ", padding "
                                  << s.padding << ", batch " << batch);
  Random random(1);
  const int64_t outputs = s.filters * s.output_height() * s.output_width();
  const int64_t inputs = s.channels * s.height * s.width;
  const int64_t depth = s.channels * s.kernel_height * s.kernel_width;
  std::vector<float> x = Normals(batch * inputs, random);
  std::vector<uint8_t> x_bytes(bytes ? x.size() : 0);
  for (size_t i = 0; i < x_bytes.size(); ++i) {
    x_bytes[i] = static_cast<uint8_t>(random.Below(256));
    x[i] = static_cast<float>(x_bytes[i]) / 255.0f;
  }
  const std::vector<float> weights = Normals(s.filters * depth, random);
  const std::vector<float> bias = Normals(s.filters, random);
  const std::vector<float> gradient = Normals(batch * outputs, random);

  const at::Tensor input = Leaf(x, {batch, s.channels, s.height, s.width});
  const at::Tensor w = Leaf(weights, {s.filters, s.channels, s.kernel_height, s.kernel_width});
  const at::Tensor b = Leaf(bias, {s.filters});
  at::Tensor expected = at::conv2d(input, w, b, s.stride, s.padding);
  if (relu) expected = at::relu(expected);
  expected.backward(at::tensor(gradient).reshape(expected.sizes()));

  for (const Layout layout : {Layout::kPlanes, Layout::kPixels}) {
    const bool pixels = layout == Layout::kPixels;
    s.input_layout = bytes ? Layout::kPlanes : layout;
    s.output_layout = layout;
    const std::vector<float> in = pixels ? Turned(x, batch, s.channels, true) : x;
    const std::vector<float> d = pixels ? Turned(gradient, batch, s.filters, true) : gradient;
    const kernels::Images images{bytes ? nullptr : in.data(), x_bytes.data(), 1.0f / 255.0f};
    std::vector<float> packed(Kernel().conv2d_packed_size(s)), output(batch * outputs);
    std::vector<float> scratch(Kernel().conv2d_scratch_size(s));
    Kernel().conv2d_pack(s, weights.data(), packed.data());
    Kernel().conv2d(s, batch, images, packed.data(), bias.data(), relu, output.data(),
                    scratch.data());
    ExpectClose(pixels ? Turned(output, batch, s.filters, false) : output, expected);
    std::vector<float> dw(weights.size()), db(bias.size()), dx(x.size());
    Kernel().conv2d_backward(s, batch, images, weights.data(),
                             {.output = d.data(),
                              .relu_output = relu ? output.data() : nullptr,
                              .weights = dw.data(),
                              .bias = db.data(),
                              .input = dx.data()},
                             scratch.data());
    ExpectClose(dw, w.grad());
    ExpectClose(db, b.grad());
    ExpectClose(s.input_layout == Layout::kPixels ? Turned(dx, batch, s.channels, false) : dx,
                input.grad());
  }
}

TEST(KernelsAgainstLibTorchTest, ConvolutionsOfKnownNetworks) {
  CheckConvolution({4, 84, 84, 32, 8, 8, 4, 0}, 3, true, true);
  CheckConvolution({32, 20, 20, 64, 4, 4, 2, 0}, 3, false, true);
  CheckConvolution({64, 9, 9, 64, 3, 3, 1, 0}, 3, false, true);
  CheckConvolution({4, 10, 10, 16, 3, 3, 1, 0}, 256, true, true);
  CheckConvolution({16, 42, 42, 32, 3, 3, 1, 1}, 3, false, false);
  CheckConvolution({32, 11, 11, 32, 3, 3, 1, 1}, 256, false, false);
}

TEST(KernelsAgainstLibTorchTest, ConvolutionsOfOddShapes) {
  for (const int64_t batch : {1, 3})
    for (const int64_t channels : {1, 3, 16})
      for (const int64_t filters : {1, 17, 32})
        for (const int64_t kernel : {1, 2, 3, 4})
          for (const int64_t stride : {1, 2, 4})
            for (const int64_t padding : {0, 1})
              CheckConvolution({channels, 9, 13, filters, kernel, kernel, stride, padding}, batch,
                               false, batch == 3);
}

TEST(KernelsAgainstLibTorchTest, MaxPooling) {
  Random random(2);
  for (const auto& [height, width] : {std::pair<int64_t, int64_t>{84, 84}, {21, 42}, {11, 7}}) {
    constexpr int64_t kBatch = 3, kChannels = 18;
    Pool2d s{kChannels, height, width, 3, 2, 1};
    const std::vector<float> x = Normals(kBatch * kChannels * height * width, random);
    const at::Tensor input = Leaf(x, {kBatch, kChannels, height, width});
    const at::Tensor expected = at::max_pool2d(input, 3, 2, 1);
    const std::vector<float> gradient = Normals(expected.numel(), random);
    expected.backward(at::tensor(gradient).reshape(expected.sizes()));
    for (const Layout layout : {Layout::kPlanes, Layout::kPixels}) {
      const bool pixels = layout == Layout::kPixels;
      s.layout = layout;
      const std::vector<float> in = pixels ? Turned(x, kBatch, kChannels, true) : x;
      const std::vector<float> d = pixels ? Turned(gradient, kBatch, kChannels, true) : gradient;
      std::vector<float> output(gradient.size()), dx(x.size());
      std::vector<float> scratch(Kernel().max_pool_scratch_size(s));
      std::vector<uint8_t> chosen(output.size());
      Kernel().max_pool(s, kBatch, in.data(), output.data(), chosen.data(), scratch.data());
      Kernel().max_pool_backward(s, kBatch, chosen.data(), d.data(), dx.data(), false);
      ExpectClose(pixels ? Turned(output, kBatch, kChannels, false) : output, expected);
      ExpectClose(pixels ? Turned(dx, kBatch, kChannels, false) : dx, input.grad());
    }
  }
}

TEST(KernelsAgainstLibTorchTest, LayerNorm) {
  Random random(3);
  for (const int64_t rows : {1, 3, 256})
    for (const int64_t n : {5, 64, 513}) {
      const std::vector<float> x = Normals(rows * n, random), scale = Normals(n, random);
      const std::vector<float> shift = Normals(n, random), gradient = Normals(rows * n, random);
      const at::Tensor input = Leaf(x, {rows, n}), w = Leaf(scale, {n}), b = Leaf(shift, {n});
      const at::Tensor expected = at::layer_norm(input, {n}, w, b, 1e-5);
      expected.backward(at::tensor(gradient).reshape({rows, n}));
      std::vector<float> y(x.size()), statistics(2 * rows), d = gradient, dw(n), db(n);
      Kernel().layer_norm(rows, n, x.data(), scale.data(), shift.data(), 1e-5f, y.data(),
                          statistics.data());
      Kernel().layer_norm_backward(rows, n, x.data(), scale.data(), statistics.data(), d.data(),
                                   dw.data(), db.data());
      ExpectClose(y, expected);
      ExpectClose(d, input.grad());
      ExpectClose(dw, w.grad());
      ExpectClose(db, b.grad());
    }
}

TEST(KernelsAgainstLibTorchTest, GeluAndSilu) {
  std::vector<float> x;
  for (int i = -2000; i <= 2000; ++i) x.push_back(static_cast<float>(i) * 0.01f);
  const auto n = static_cast<int64_t>(x.size());
  for (const bool gelu : {true, false}) {
    const at::Tensor input = Leaf(x, {n});
    const at::Tensor expected = gelu ? at::gelu(input) : at::silu(input);
    expected.backward(at::ones({n}));
    std::vector<float> y(n), d(n, 1.0f);
    (gelu ? Kernel().gelu : Kernel().silu)(n, x.data(), y.data());
    (gelu ? Kernel().gelu_backward : Kernel().silu_backward)(n, x.data(), d.data());
    ExpectClose(y, expected);
    ExpectClose(d, input.grad());
  }
}

// One step of a cell with the weights and biases of PyTorch.
struct CellExample {
  CellExample(int64_t gates, int64_t batch, int64_t inputs, int64_t units, Random& random)
      : gates(gates), batch(batch), inputs(inputs), units(units) {
    x = Normals(batch * inputs, random);
    h = Normals(batch * units, random);
    c = Normals(batch * units, random);
    w_ih = Normals(gates * units * inputs, random);
    w_hh = Normals(gates * units * units, random);
    b_ih = Normals(gates * units, random);
    b_hh = Normals(gates * units, random);
    d_h = Normals(batch * units, random);
    d_c = Normals(batch * units, random);
  }
  // in W^T + b, or in W^T + what is there; in [batch, depth].
  void Multiply(const std::vector<float>& in, const std::vector<float>& weights,
                const std::vector<float>& bias, bool accumulate, std::vector<float>& out) const {
    const int64_t columns = gates * units;
    const int64_t depth = static_cast<int64_t>(weights.size()) / columns;
    std::vector<float> packed(Kernel().packed_size(depth, columns));
    Kernel().pack(depth, columns, {weights.data(), 1, depth}, packed.data());
    for (int64_t i = 0; accumulate && i < batch * columns; ++i) out[i] += bias[i % columns];
    Kernel().gemm_packed(batch, columns, depth, {in.data(), depth, 1}, packed.data(), out.data(),
                         columns, accumulate ? nullptr : bias.data(), accumulate);
  }

  int64_t gates, batch, inputs, units;
  std::vector<float> x, h, c, w_ih, w_hh, b_ih, b_hh, d_h, d_c;
};

TEST(KernelsAgainstLibTorchTest, GruCell) {
  Random random(4);
  for (const int64_t units : {5, 32}) {
    const CellExample e(3, 3, 7, units, random);
    const at::Tensor h = Leaf(e.h, {3, units}), b_ih = Leaf(e.b_ih, {3 * units});
    const at::Tensor b_hh = Leaf(e.b_hh, {3 * units}), w_hh = Leaf(e.w_hh, {3 * units, units});
    const at::Tensor expected =
        at::gru_cell(Leaf(e.x, {3, 7}), h, Leaf(e.w_ih, {3 * units, 7}), w_hh, b_ih, b_hh);
    expected.backward(at::tensor(e.d_h).reshape({3, units}));

    std::vector<float> gates(9 * units), hidden_gates(9 * units), next(3 * units);
    e.Multiply(e.x, e.w_ih, e.b_ih, false, gates);
    e.Multiply(e.h, e.w_hh, e.b_hh, false, hidden_gates);
    Kernel().gru(3, units, gates.data(), hidden_gates.data(), e.h.data(), next.data());
    ExpectClose(next, expected);
    std::vector<float> d_gates(gates.size()), d_hidden_gates(gates.size()), d_hidden(e.h.size());
    Kernel().gru_backward(3, units, gates.data(), hidden_gates.data(), e.h.data(), e.d_h.data(),
                          d_gates.data(), d_hidden_gates.data(), d_hidden.data());
    Kernel().gemm(3, units, 3 * units, {d_hidden_gates.data(), 3 * units, 1}, e.w_hh.data(), units,
                  d_hidden.data(), units, nullptr, true);
    std::vector<float> db_ih(3 * units), db_hh(3 * units);
    Kernel().column_sums(3, 3 * units, d_gates.data(), db_ih.data());
    Kernel().column_sums(3, 3 * units, d_hidden_gates.data(), db_hh.data());
    ExpectClose(d_hidden, h.grad());
    ExpectClose(db_ih, b_ih.grad());
    ExpectClose(db_hh, b_hh.grad());
  }
}

TEST(KernelsAgainstLibTorchTest, LstmCell) {
  Random random(5);
  for (const int64_t units : {5, 32}) {
    const CellExample e(4, 3, 7, units, random);
    const at::Tensor h = Leaf(e.h, {3, units}), c = Leaf(e.c, {3, units});
    const at::Tensor b_ih = Leaf(e.b_ih, {4 * units});
    const auto [expected_h, expected_c] =
        at::lstm_cell(Leaf(e.x, {3, 7}), {h, c}, Leaf(e.w_ih, {4 * units, 7}),
                      Leaf(e.w_hh, {4 * units, units}), b_ih, Leaf(e.b_hh, {4 * units}));
    const at::Tensor loss = (expected_h * at::tensor(e.d_h).reshape({3, units})).sum() +
                            (expected_c * at::tensor(e.d_c).reshape({3, units})).sum();
    loss.backward();

    std::vector<float> gates(12 * units), next_c(3 * units), next_h(3 * units);
    e.Multiply(e.x, e.w_ih, e.b_ih, false, gates);
    e.Multiply(e.h, e.w_hh, e.b_hh, true, gates);
    Kernel().lstm(3, units, gates.data(), e.c.data(), next_c.data(), next_h.data());
    ExpectClose(next_h, expected_h);
    ExpectClose(next_c, expected_c);
    std::vector<float> d_c = e.d_c, d_h(e.h.size()), db(4 * units);
    Kernel().lstm_backward(3, units, gates.data(), e.c.data(), next_c.data(), e.d_h.data(),
                           d_c.data(), gates.data());
    Kernel().gemm(3, units, 4 * units, {gates.data(), 4 * units, 1}, e.w_hh.data(), units,
                  d_h.data(), units, nullptr, false);
    Kernel().column_sums(3, 4 * units, gates.data(), db.data());
    ExpectClose(d_c, c.grad());
    ExpectClose(d_h, h.grad());
    ExpectClose(db, b_ih.grad());
  }
}

}  // namespace
}  // namespace cadre
