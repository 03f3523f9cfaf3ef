#include "learner/algorithms/policy_gradient/ppo_minibatches.h"

#include <algorithm>
#include <cmath>

#include "common/status_macros.h"
#include "learner/algorithms/optimization/collective_sums.h"

namespace cadre {
namespace {

int64_t Learners(const Collective* collective) {
  return collective == nullptr ? 1 : collective->size();
}

}  // namespace

absl::StatusOr<EpochSplit> SplitEpoch(Collective* collective, int64_t minibatch_size,
                                      int64_t steps) {
  // What all have, so that each takes as many gradient steps as the others.
  CADRE_ASSIGN_OR_RETURN(const int64_t least, LeastOverLearners(collective, steps));
  const int64_t share = std::max<int64_t>(1, minibatch_size / Learners(collective));
  const int64_t size = std::min(share, least);
  return EpochSplit{size, least / size};
}

void NormalizeAdvantages(const AdvantageScale& scale, absl::Span<float> advantages) {
  for (float& a : advantages) a = static_cast<float>((a - scale.mean) * scale.factor);
}

absl::StatusOr<std::vector<AdvantageScale>> AdvantageScales(Collective* collective,
                                                            const EpochSplit& split,
                                                            absl::Span<const float> advantages,
                                                            absl::Span<const int64_t> order) {
  const double n = static_cast<double>(split.size * Learners(collective));
  if (n < 2) return std::vector<AdvantageScale>();
  std::vector<double> means(split.count, 0.0), squares(split.count, 0.0);
  const int64_t steps = split.count * split.size;
  for (int64_t i = 0; i < steps; ++i) means[i / split.size] += advantages[order[i]];
  CADRE_RETURN_IF_ERROR(SumOverLearners(collective, absl::MakeSpan(means)));
  for (double& mean : means) mean /= n;
  for (int64_t i = 0; i < steps; ++i) {
    const double deviation = advantages[order[i]] - means[i / split.size];
    squares[i / split.size] += deviation * deviation;
  }
  CADRE_RETURN_IF_ERROR(SumOverLearners(collective, absl::MakeSpan(squares)));
  std::vector<AdvantageScale> scales(split.count);
  for (int64_t i = 0; i < split.count; ++i)
    scales[i] = {means[i], 1.0 / (std::sqrt(squares[i] / (n - 1)) + 1e-8)};
  return scales;
}

}  // namespace cadre
