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

struct KernelTable {
  const char* name;  // "avx512", "avx2", "baseline"

  // C[i, j] = start + sum_p A[i, p] B[p, j]; A [M, P], B [P, N] with rows `ldb`
  // apart, C [M, N] with rows `ldc` apart, P >= 1. `start` is C itself where
  // `accumulate`, else bias[j], else 0 where bias is null.
  void (*gemm)(int64_t m, int64_t n, int64_t p, StridedMatrix a, const float* b, int64_t ldb,
               float* c, int64_t ldc, const float* bias, bool accumulate);

  // The same with a B that was packed before: for weights, which many products use.
  // Packing copies B [P, N] to packed_size(P, N) floats, in this table's own order.
  int64_t (*packed_size)(int64_t p, int64_t n);
  void (*pack)(int64_t p, int64_t n, StridedMatrix b, float* packed);
  void (*gemm_packed)(int64_t m, int64_t n, int64_t p, StridedMatrix a, const float* packed,
                      float* c, int64_t ldc, const float* bias, bool accumulate);

  // y = tanh(y), y = max(y, 0); [n] in place. tanh is within 3 ulp. A NaN stays one.
  void (*tanh)(int64_t n, float* y);
  void (*relu)(int64_t n, float* y);

  // Gradient through the activation, from its output y: d *= 1 - y^2, d *= (y > 0).
  void (*tanh_backward)(int64_t n, const float* y, float* d);
  void (*relu_backward)(int64_t n, const float* y, float* d);

  // out[j] += sum_i d[i, j]; d [M, N].
  void (*column_sums)(int64_t m, int64_t n, const float* d, float* out);

  // sum_i x[i]^2, accumulated in float64.
  double (*squared_norm)(int64_t n, const float* x);

  // Adam (Kingma and Ba 2015, algorithm 1): parameters, first and second moments [n].
  // The gradient is multiplied by `gradient_scale` first. `step_size` already
  // holds the bias corrections, as does `epsilon`.
  void (*adam)(int64_t n, float* parameters, float* m, float* v, const float* gradient,
               float gradient_scale, float beta1, float beta2, float step_size, float epsilon);

  // buffer = momentum buffer + g;  parameters -= step_size buffer;  all [n]. The gradient
  // is multiplied by `gradient_scale` first. Where `buffer` is null it is g alone.
  void (*sgd)(int64_t n, float* parameters, float* buffer, const float* gradient,
              float gradient_scale, float momentum, float step_size);

  // RMSProp (Tieleman and Hinton 2012, lecture 6.5): square = decay square + (1 - decay) g^2;
  // parameters -= step_size g / (sqrt(square) + epsilon), or / sqrt(square + epsilon) where
  // `epsilon_inside_root`. With `mean` = decay mean + (1 - decay) g, where it is not null,
  // square - mean^2 takes the place of square (Graves 2013, eq. 38 to 40). All [n].
  void (*rms_prop)(int64_t n, float* parameters, float* square, float* mean, const float* gradient,
                   float gradient_scale, float decay, float step_size, float epsilon,
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
