#include "learner/algorithms/device/normal_noise.h"

#include <cmath>
#include <numbers>

#include "learner/algorithms/device/tensor_spans.h"

namespace cadre {

void FillNormal(Random& random, absl::Span<float> noise) {
  for (size_t i = 0; i < noise.size(); i += 2) {
    const double radius = std::sqrt(-2.0 * std::log(1.0 - random.Uniform()));
    const double angle = 2.0 * std::numbers::pi * random.Uniform();
    noise[i] = static_cast<float>(radius * std::cos(angle));
    if (i + 1 < noise.size()) noise[i + 1] = static_cast<float>(radius * std::sin(angle));
  }
}

void FillNormal(Random& random, torch::Tensor& noise) {
  if (noise.device().is_cpu()) return FillNormal(random, Flat(noise));
  const torch::Tensor drawn = torch::empty(noise.sizes());
  FillNormal(random, Flat(drawn));
  noise.copy_(drawn);
}

void FillNormalShare(Random& random, const Collective* collective, torch::Tensor& noise) {
  if (collective == nullptr) return FillNormal(random, noise);
  const torch::Tensor whole = torch::empty({collective->size(), noise.numel()});
  FillNormal(random, Flat(whole));
  noise.copy_(whole[collective->rank()].view(noise.sizes()));
}

}  // namespace cadre
