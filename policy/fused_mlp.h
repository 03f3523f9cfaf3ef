// Forward and backward pass of one Mlp on the CPU kernels: no graph, no
// allocation after the first batch of a size. Not thread-safe.
#pragma once

#include <cstdint>
#include <vector>

#include "absl/types/span.h"
#include "policy/network.h"

namespace cadre {

class FusedMlp {
 public:
  // `mlp` must outlive this.
  explicit FusedMlp(const Mlp& mlp);

  // Takes the weights from the flat vector [P]. Call after each change of it.
  void Load(absl::Span<const float> parameters);

  // `input` [B, inputs]; returns [B, outputs], valid until the next Forward. Keeps
  // what Backward needs, `input` included: it must stay as it is until then.
  const float* Forward(const float* input, int64_t batch);

  // Adds to `gradient` [P] what `output_gradient` [B, outputs] of the last Forward
  // makes of it, unless `gradient` is empty; overwrites `output_gradient`. Where
  // `input_gradient` [B, inputs] is not null it is set, or added to where
  // `accumulate_input`.
  void Backward(absl::Span<const float> parameters, float* output_gradient,
                absl::Span<float> gradient, float* input_gradient, bool accumulate_input);

 private:
  const Mlp& mlp_;
  std::vector<std::vector<float>> packed_;   // For each layer, W^T as the kernels want it.
  std::vector<std::vector<float>> bias_;     // For each layer, b [outputs].
  std::vector<std::vector<float>> outputs_;  // For each layer, y [B, outputs].
  std::vector<float> gradients_[2];          // Of layer outputs, ping and pong.
  const float* input_ = nullptr;
  int64_t batch_ = 0;
};

}  // namespace cadre
