// The arithmetic of sampling several tables as one. Pure; not thread-safe.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "absl/types/span.h"
#include "common/random.h"

namespace cadre {

// How many of `items` each shard is asked for: items * mass / total in expectation, and
// never off by one or more, so that in the end each item of any shard is chosen with its
// own weight over the sum of all (systematic sampling; Madow 1949). Their sum is `items`;
// all 0 where no shard has a mass.
std::vector<int64_t> SplitByMass(int64_t items, absl::Span<const double> masses, Random& random);

// Importance weights (items * probability)^-exponent, over the largest of them (Schaul
// et al. 2016, section 3.4).
void SetImportanceWeights(int64_t items, absl::Span<const float> probabilities, double exponent,
                          absl::Span<float> weights);

// Names for items of shards, whose own keys may be the same: the newest `capacity` ones
// are known.
class ShardKeys {
 public:
  struct Item {
    size_t shard = 0;
    uint64_t key = 0;  // In that shard.
  };

  explicit ShardKeys(size_t capacity = size_t{1} << 18) : items_(capacity) {}

  // Replaces the shard's keys by names.
  void Name(size_t shard, absl::Span<uint64_t> keys);
  // Nothing for a name that is too old, or was never given.
  std::optional<Item> Find(uint64_t name) const;

 private:
  std::vector<Item> items_;  // That of a name is at name % capacity.
  uint64_t next_ = 0;
};

}  // namespace cadre
