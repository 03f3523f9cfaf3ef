// The two streams of a dueling network put together (Wang et al. 2016, eq. 9), for each
// atom of a distribution by itself:
//   q[b, i, z] = v[b, z] + a[b, i, z] - mean over actions j of a[b, j, z]
// Pure; once in closed form for the CPU, once for tensors on any device.
#pragma once

#include <cstdint>

#include <torch/types.h>

#include "absl/types/span.h"

namespace cadre {

struct DuelingShape {
  int64_t batch, actions, atoms;  // B, n, Z
};

// `value` [B, Z], `advantage` and `q` [B, n * Z].
void CombineDueling(const DuelingShape& shape, absl::Span<const float> value,
                    absl::Span<const float> advantage, absl::Span<float> q);

// The gradients of both streams from q's; `advantage_gradient` may be `q_gradient`.
void DuelingBackward(const DuelingShape& shape, absl::Span<const float> q_gradient,
                     absl::Span<float> value_gradient, absl::Span<float> advantage_gradient);

// The same on tensors. `value` [B, Z], `advantage` [B, n * Z]; returns q [B, n * Z].
torch::Tensor CombineDueling(const torch::Tensor& value, const torch::Tensor& advantage);

struct DuelingGradient {
  torch::Tensor value;      // [B, Z]
  torch::Tensor advantage;  // [B, n * Z]
};
DuelingGradient DuelingBackward(const torch::Tensor& q_gradient, int64_t atoms);

}  // namespace cadre
