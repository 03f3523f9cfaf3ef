#include "learner/algorithms/targets/categorical_projection.h"

#include <algorithm>
#include <cmath>

#include "common/check.h"

namespace cadre {

void ProjectCategorical(const CategoricalSupport& support, double reward, double discount,
                        absl::Span<const float> probabilities, absl::Span<float> projected) {
  CADRE_CHECK(probabilities.size() == support.atoms && projected.size() == support.atoms);
  std::fill(projected.begin(), projected.end(), 0.0f);
  const double last = static_cast<double>(support.atoms - 1);
  const double per_spacing = 1 / support.spacing();
  for (int64_t j = 0; j < support.atoms; ++j) {
    // Where it lands, in units of the spacing from the first atom: in [0, Z - 1].
    const double position =
        std::clamp((reward + discount * support.value(j) - support.min) * per_spacing, 0.0, last);
    const double below = std::floor(position);
    const double share = position - below;  // Of the atom above.
    const int64_t atom = static_cast<int64_t>(below);
    projected[atom] += static_cast<float>(probabilities[j] * (1 - share));
    // The paper's floor and ceiling are one atom where it is hit, and the probability lost.
    if (share > 0) projected[atom + 1] += static_cast<float>(probabilities[j] * share);
  }
}

torch::Tensor ProjectCategorical(const CategoricalSupport& support, const torch::Tensor& rewards,
                                 const torch::Tensor& discounts,
                                 const torch::Tensor& probabilities) {
  const torch::Tensor z = SupportValues(support, rewards.device());
  const torch::Tensor landed = (rewards.unsqueeze(1) + discounts.unsqueeze(1) * z)
                                   .clamp(support.min, support.max);  // [B, Z]
  // Atom i takes from landed j the share max(0, 1 - |landed_j - z_i| / spacing).
  const torch::Tensor distance = (landed.unsqueeze(1) - z.unsqueeze(1)).abs();  // [B, Z to, Z from]
  const torch::Tensor share = (1 - distance / support.spacing()).clamp_min(0);
  return torch::bmm(share, probabilities.unsqueeze(2)).squeeze(2);
}

torch::Tensor SupportValues(const CategoricalSupport& support, torch::Device device) {
  return torch::linspace(support.min, support.max, support.atoms,
                         torch::dtype(torch::kFloat32).device(device));
}

}  // namespace cadre
