// Distributions over a fixed set of returns, and the projection of a shifted and shrunk
// one back onto it (Bellemare et al. 2017, arXiv:1707.06887, algorithm 1). Pure; once
// for the CPU, once for tensors on any device.
#pragma once

#include <cstdint>

#include <torch/types.h>

#include "absl/types/span.h"

namespace cadre {

// Z returns, evenly spaced: z_i = min + i (max - min) / (Z - 1).
struct CategoricalSupport {
  double min, max;
  int64_t atoms;  // Z, at least 2.

  double spacing() const { return (max - min) / static_cast<double>(atoms - 1); }
  double value(int64_t i) const { return min + static_cast<double>(i) * spacing(); }
};

// Where the target of one transition puts its probability. Each atom's r + discount z_j,
// clipped to the support, gives its probability to the two atoms around it in inverse
// proportion to the distances, or all of it to the one that it hits. `probabilities`
// [Z] are those of the next state's action; sets `projected` [Z], with the same sum.
void ProjectCategorical(const CategoricalSupport& support, double reward, double discount,
                        absl::Span<const float> probabilities, absl::Span<float> projected);

// The same for B transitions: `rewards` and `discounts` [B], `probabilities` and the
// result [B, Z].
torch::Tensor ProjectCategorical(const CategoricalSupport& support, const torch::Tensor& rewards,
                                 const torch::Tensor& discounts,
                                 const torch::Tensor& probabilities);

// The returns themselves, [Z] float32.
torch::Tensor SupportValues(const CategoricalSupport& support, torch::Device device);

}  // namespace cadre
