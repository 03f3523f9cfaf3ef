#include "rpc/shards/shard_split.h"

#include <algorithm>
#include <cmath>

namespace cadre {

std::vector<int64_t> SplitByMass(int64_t items, absl::Span<const double> masses, Random& random) {
  std::vector<int64_t> split(masses.size(), 0);
  double total = 0;
  for (const double mass : masses) total += mass;
  if (!(total > 0)) return split;
  // Marks stand at offset, offset + 1, ...; each shard gets those within its stretch.
  const double offset = random.Uniform();
  double before = 0;
  int64_t given = 0;
  size_t last = 0;
  for (size_t i = 0; i < masses.size(); ++i) {
    if (masses[i] <= 0) continue;
    before += masses[i];
    const double end = before / total * static_cast<double>(items);
    const int64_t marks = std::clamp<int64_t>(std::llround(std::floor(end + offset)), given, items);
    split[i] = marks - given;
    given = marks;
    last = i;
  }
  split[last] += items - given;  // What rounding may have left.
  return split;
}

void SetImportanceWeights(int64_t items, absl::Span<const float> probabilities, double exponent,
                          absl::Span<float> weights) {
  double largest = 0;
  for (size_t i = 0; i < probabilities.size(); ++i) {
    const double weight =
        std::pow(static_cast<double>(items) * static_cast<double>(probabilities[i]), -exponent);
    weights[i] = static_cast<float>(weight);
    largest = std::max(largest, weight);
  }
  for (float& weight : weights) weight = static_cast<float>(weight / largest);
}

void ShardKeys::Name(size_t shard, absl::Span<uint64_t> keys) {
  for (uint64_t& key : keys) {
    items_[next_ % items_.size()] = {shard, key};
    key = next_++;
  }
}

std::optional<ShardKeys::Item> ShardKeys::Find(uint64_t name) const {
  if (name >= next_ || next_ - name > items_.size()) return std::nullopt;
  return items_[name % items_.size()];
}

}  // namespace cadre
