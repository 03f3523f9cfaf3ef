// The arithmetic under the networks and optimisers: dense layers, activations and
// flat-vector steps on plain float32 arrays, single-threaded, without LibTorch.
// Compiled once for each instruction set; the best one that the processor has is
// chosen at the first call. The same machine gives the same bits every time.
// Pure functions, callable from any thread.
#pragma once

#include <cstdint>

namespace cadre::kernels {

// A matrix element (i, p) stands at data[i * row_stride + p * column_stride].
struct StridedMatrix {
  const float* data;
  int64_t row_stride;
  int64_t column_stride;
};

// The order of an image's values in memory. Planes are PyTorch's order, and that of its
// Flatten. Pixels are faster between two operations on images.
enum class Layout {
  kPlanes,  // [C, H, W]
  kPixels,  // [H, W, C]
};

// A convolution as torch.nn.Conv2d has it: images [C, H, W] in a border of `padding` zeros,
// filters [F, C, KH, KW], outputs [F, OH, OW].
struct Conv2d {
  int64_t channels, height, width;
  int64_t filters, kernel_height, kernel_width;
  int64_t stride = 1;
  int64_t padding = 0;
  Layout input_layout = Layout::kPlanes;   // The layout of the input and its gradient.
  Layout output_layout = Layout::kPlanes;  // The layout of the output and its gradient.

  int64_t output_height() const { return (height + 2 * padding - kernel_height) / stride + 1; }
  int64_t output_width() const { return (width + 2 * padding - kernel_width) / stride + 1; }
};

// Images [B, C, H, W]: `floats`, or, if that is null, `bytes`, whose values are byte * scale.
struct Images {
  const float* floats;
  const uint8_t* bytes = nullptr;
  float scale = 1.0f;
};

// The gradients of a convolution. The last three may be null, if they are not wanted.
struct Conv2dGradients {
  const float* output;                 // [B, F, OH, OW]
  const float* relu_output = nullptr;  // The output of conv2d, if it applied the ReLU.
  float* weights = nullptr;            // [F, C, KH, KW]; added to.
  float* bias = nullptr;               // [F]; added to.
  float* input = nullptr;              // [B, C, H, W]; set, or added to if `accumulate_input`.
  bool accumulate_input = false;
};

// Max pooling of images [C, H, W] in a border of `padding` < kernel / 2 elements that never win;
// outputs [C, OH, OW]; kernel <= 16.
struct Pool2d {
  int64_t channels, height, width;
  int64_t kernel, stride;
  int64_t padding = 0;
  Layout layout = Layout::kPlanes;  // The layout of inputs and outputs.

  int64_t output_height() const { return (height + 2 * padding - kernel) / stride + 1; }
  int64_t output_width() const { return (width + 2 * padding - kernel) / stride + 1; }
};

struct KernelTable {
  const char* name;  // "avx512", "avx2", "baseline"

  // C[i, j] = start + sum_p A[i, p] B[p, j]; A [M, P], B [P, N] with rows `ldb`
  // apart, C [M, N] with rows `ldc` apart, P >= 1. `start` is C itself if
  // `accumulate`, else bias[j], or 0 if bias is null.
  void (*gemm)(int64_t m, int64_t n, int64_t p, StridedMatrix a, const float* b, int64_t ldb,
               float* c, int64_t ldc, const float* bias, bool accumulate);

  // The same with a B that was packed before: for weights, which many products use.
  // Packing copies B [P, N] to packed_size(P, N) floats, in this table's own order.
  int64_t (*packed_size)(int64_t p, int64_t n);
  void (*pack)(int64_t p, int64_t n, StridedMatrix b, float* packed);
  void (*gemm_packed)(int64_t m, int64_t n, int64_t p, StridedMatrix a, const float* packed,
                      float* c, int64_t ldc, const float* bias, bool accumulate);

  // Images [B, C, n pixels] from one layout to the other.
  void (*planes_to_pixels)(int64_t batch, int64_t channels, int64_t n, const float* planes,
                           float* pixels);
  void (*pixels_to_planes)(int64_t batch, int64_t channels, int64_t n, const float* pixels,
                           float* planes);

  // Packing copies the filters to conv2d_packed_size(shape) floats. The scratch of either pass
  // is conv2d_scratch_size(shape) floats, for a batch of any size.
  int64_t (*conv2d_packed_size)(const Conv2d& shape);
  void (*conv2d_pack)(const Conv2d& shape, const float* weights, float* packed);
  int64_t (*conv2d_scratch_size)(const Conv2d& shape);

  // output [B, F, OH, OW] = bias [F] (0 if null) + the convolution, and its ReLU if `relu`. An
  // image gives the same bits in a batch of any size. A kernel that is two or three times as
  // large as the stride may be run by Winograd's filtering (docs/decisions/013-winograd.md): its
  // rounding errors are about 3e-6 of the largest output, and a NaN or an infinity spoils outputs
  // up to 4 pixels away from those that depend on it.
  void (*conv2d)(const Conv2d& shape, int64_t batch, Images input, const float* packed,
                 const float* bias, bool relu, float* output, float* scratch);

  // `weights` [F, C, KH, KW] are not packed; they are read for the gradient of the input only,
  // and `input` for that of the weights only.
  void (*conv2d_backward)(const Conv2d& shape, int64_t batch, Images input, const float* weights,
                          const Conv2dGradients& gradients, float* scratch);

  // y = tanh(y), y = max(y, 0); [n] in place. tanh is within 3 ulp. A NaN stays one.
  void (*tanh)(int64_t n, float* y);
  void (*relu)(int64_t n, float* y);

  // Gradient through the activation, from its output y: d *= 1 - y^2, d *= (y > 0).
  void (*tanh_backward)(int64_t n, const float* y, float* d);
  void (*relu_backward)(int64_t n, const float* y, float* d);

  // y = GELU(x) = x Phi(x), with the exact normal distribution, and y = SiLU(x) = x sigmoid(x);
  // [n], y may be x. They are within 8 and 4 ulp; results below 1e-36, within that.
  void (*gelu)(int64_t n, const float* x, float* y);
  void (*silu)(int64_t n, const float* x, float* y);

  // Gradient through them, from the input x of the activation: the output is not enough. The
  // slopes are within 4e-7.
  void (*gelu_backward)(int64_t n, const float* x, float* d);
  void (*silu_backward)(int64_t n, const float* x, float* d);

  // output [B, C, OH, OW]; `chosen` [B, C, OH, OW], which max_pool_backward needs, may be null.
  // The scratch is max_pool_scratch_size(shape) floats. A NaN wins.
  int64_t (*max_pool_scratch_size)(const Pool2d& shape);
  void (*max_pool)(const Pool2d& shape, int64_t batch, const float* input, float* output,
                   uint8_t* chosen, float* scratch);
  // Sets `input_gradient` [B, C, H, W], or adds to it if `accumulate`.
  void (*max_pool_backward)(const Pool2d& shape, int64_t batch, const uint8_t* chosen,
                            const float* output_gradient, float* input_gradient, bool accumulate);

  // y = (x - mean) / sqrt(variance + epsilon) * scale + shift, over each row; x, y [rows, n],
  // y may be x; scale, shift [n]. `statistics` [rows, 2] gets what the backward pass needs.
  void (*layer_norm)(int64_t rows, int64_t n, const float* x, const float* scale,
                     const float* shift, float epsilon, float* y, float* statistics);
  // Turns the gradient `d` [rows, n] of y into that of x. Adds to `scale_gradient` [n] and
  // `shift_gradient` [n], either of which may be null.
  void (*layer_norm_backward)(int64_t rows, int64_t n, const float* x, const float* scale,
                              const float* statistics, float* d, float* scale_gradient,
                              float* shift_gradient);

  // One step of torch.nn.GRU with `units` U. `gates` [rows, 3 U] is W_ih x + b_ih and
  // `hidden_gates` [rows, 3 U] is W_hh h + b_hh, each of r, z, n; `hidden` [rows, U] is h.
  // Sets `next` [rows, U], which may be `hidden`, and leaves r, z and n in `gates`.
  void (*gru)(int64_t rows, int64_t units, float* gates, const float* hidden_gates,
              const float* hidden, float* next);
  // From the gradient of `next` and what the step left. Sets the gradients of W_ih x + b_ih, of
  // W_hh h + b_hh, and of h, without what h gets through W_hh. They may overwrite `gates`,
  // `hidden_gates` and `d_next`.
  void (*gru_backward)(int64_t rows, int64_t units, const float* gates, const float* hidden_gates,
                       const float* hidden, const float* d_next, float* d_gates,
                       float* d_hidden_gates, float* d_hidden);

  // One step of torch.nn.LSTM. `gates` [rows, 4 U] is W_ih x + b_ih + W_hh h + b_hh, of i, f, g,
  // o; `cell` [rows, U]. Sets `next_cell`, which may be `cell`, and `next_hidden` [rows, U], and
  // leaves the values of the gates in `gates`.
  void (*lstm)(int64_t rows, int64_t units, float* gates, const float* cell, float* next_cell,
               float* next_hidden);
  // `d_cell` is the gradient of `next_cell`, and becomes that of `cell`. Sets `d_gates`, which
  // may be `gates`.
  void (*lstm_backward)(int64_t rows, int64_t units, const float* gates, const float* cell,
                        const float* next_cell, const float* d_next_hidden, float* d_cell,
                        float* d_gates);

  // out[j] += sum_i d[i, j]; d [M, N].
  void (*column_sums)(int64_t m, int64_t n, const float* d, float* out);

  // sum_i x[i]^2, accumulated in float64.
  double (*squared_norm)(int64_t n, const float* x);

  // Adam (Kingma and Ba 2015, algorithm 1): parameters, first and second moments [n].
  // The gradient is multiplied by `gradient_scale` first. `step_size` already
  // holds the bias corrections, as does `epsilon`. In the same step `decay` times the
  // parameters is subtracted from them, which is AdamW (Loshchilov and Hutter 2019, algorithm 2)
  // if `decay` is the learning rate times the weight decay.
  void (*adam)(int64_t n, float* parameters, float* m, float* v, const float* gradient,
               float gradient_scale, float beta1, float beta2, float step_size, float epsilon,
               float decay);

  // buffer = momentum buffer + g;  parameters -= step_size buffer;  all [n]. If `buffer` is null
  // it is g alone. g = gradient_scale gradient + l2 parameters: an L2 penalty, as PyTorch's
  // weight_decay of SGD and RMSprop.
  void (*sgd)(int64_t n, float* parameters, float* buffer, const float* gradient,
              float gradient_scale, float l2, float momentum, float step_size);

  // RMSProp (Tieleman and Hinton 2012, lecture 6.5): square = decay square + (1 - decay) g^2;
  // parameters -= step_size g / (sqrt(square) + epsilon), or / sqrt(square + epsilon) if
  // `epsilon_inside_root`. With `mean` = decay mean + (1 - decay) g, if it is not null,
  // square - mean^2 takes the place of square (Graves 2013, eq. 38 to 40). All [n]; g as in sgd.
  void (*rms_prop)(int64_t n, float* parameters, float* square, float* mean, const float* gradient,
                   float gradient_scale, float l2, float decay, float step_size, float epsilon,
                   bool epsilon_inside_root);

  // The upper half of each float32, rounded to nearest, ties to even, and back; [n]. NaN
  // stays NaN.
  void (*to_bfloat16)(int64_t n, const float* x, uint16_t* out);
  void (*from_bfloat16)(int64_t n, const uint16_t* x, float* out);
};

// The fastest table that this processor runs.
const KernelTable& Best();

// Every table that this processor runs, for tests: they must agree.
const KernelTable* Supported(int index);  // null past the last

}  // namespace cadre::kernels
