#include "learner/batches/importance_scale.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace cadre {

double LargestWeight(const ReplayBatch& batch, double exponent) {
  if (exponent == 0 || batch.probabilities.empty()) return 1;
  const float least = *std::min_element(batch.probabilities.begin(), batch.probabilities.end());
  // As the tables do: a probability that was rounded to 0 is the smallest that was not.
  const double probability = std::max(least, std::numeric_limits<float>::min());
  return std::pow(static_cast<double>(batch.table_items) * probability, -exponent);
}

void RescaleWeights(double own_largest, double largest_of_all, std::vector<float>& weights,
                    ReplayBatch& batch) {
  if (own_largest == largest_of_all) return;
  const auto factor = static_cast<float>(own_largest / largest_of_all);
  weights.assign(batch.weights.begin(), batch.weights.end());
  for (float& weight : weights) weight *= factor;
  batch.weights = weights;
}

}  // namespace cadre
