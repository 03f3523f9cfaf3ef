#include "learner/algorithms/dueling.h"

#include "common/check.h"

namespace cadre {

void CombineDueling(const DuelingShape& shape, absl::Span<const float> value,
                    absl::Span<const float> advantage, absl::Span<float> q) {
  const auto [batch, actions, atoms] = shape;
  CADRE_CHECK(value.size() == batch * atoms && advantage.size() == batch * actions * atoms &&
              q.size() == advantage.size());
  for (int64_t b = 0; b < batch; ++b) {
    for (int64_t z = 0; z < atoms; ++z) {
      const float* a = &advantage[b * actions * atoms + z];
      float sum = 0;
      for (int64_t i = 0; i < actions; ++i) sum += a[i * atoms];
      const float shift = value[b * atoms + z] - sum / static_cast<float>(actions);
      float* out = &q[b * actions * atoms + z];
      for (int64_t i = 0; i < actions; ++i) out[i * atoms] = a[i * atoms] + shift;
    }
  }
}

void DuelingBackward(const DuelingShape& shape, absl::Span<const float> q_gradient,
                     absl::Span<float> value_gradient, absl::Span<float> advantage_gradient) {
  const auto [batch, actions, atoms] = shape;
  CADRE_CHECK(value_gradient.size() == batch * atoms &&
              q_gradient.size() == batch * actions * atoms &&
              advantage_gradient.size() == q_gradient.size());
  for (int64_t b = 0; b < batch; ++b) {
    for (int64_t z = 0; z < atoms; ++z) {
      const float* dq = &q_gradient[b * actions * atoms + z];
      float sum = 0;
      for (int64_t i = 0; i < actions; ++i) sum += dq[i * atoms];
      value_gradient[b * atoms + z] = sum;
      const float mean = sum / static_cast<float>(actions);
      float* da = &advantage_gradient[b * actions * atoms + z];
      for (int64_t i = 0; i < actions; ++i) da[i * atoms] = dq[i * atoms] - mean;
    }
  }
}

torch::Tensor CombineDueling(const torch::Tensor& value, const torch::Tensor& advantage) {
  const torch::Tensor a = advantage.view({advantage.size(0), -1, value.size(1)});  // [B, n, Z]
  return (a - a.mean(1, /*keepdim=*/true) + value.unsqueeze(1)).flatten(1);
}

DuelingGradient DuelingBackward(const torch::Tensor& q_gradient, int64_t atoms) {
  const torch::Tensor dq = q_gradient.view({q_gradient.size(0), -1, atoms});  // [B, n, Z]
  return {dq.sum(1), (dq - dq.mean(1, /*keepdim=*/true)).flatten(1)};
}

}  // namespace cadre
