#include "rpc/shards/shard_steps.h"

#include <algorithm>

namespace cadre {

MatchedCounts MatchCounts(absl::Span<const TableCount> counts,
                          absl::Span<const std::string> addresses) {
  MatchedCounts matched;
  matched.of.resize(addresses.size());
  if (counts.size() == 1 && addresses.size() == 1) {
    matched.of[0] = &counts[0];
    return matched;
  }
  for (const TableCount& count : counts) {
    const auto found = std::find(addresses.begin(), addresses.end(), count.table);
    if (found == addresses.end())
      matched.others += count.inserted_steps + count.offset;
    else
      matched.of[found - addresses.begin()] = &count;
  }
  return matched;
}

}  // namespace cadre
