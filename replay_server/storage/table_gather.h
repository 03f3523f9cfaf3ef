// Copies the items of a batch out of a table's columns. Pure; the rows must not change
// meanwhile.
#pragma once

#include <vector>

#include "common/experience/batch_memory.h"
#include "proto/config.pb.h"
#include "proto/experience.pb.h"
#include "replay_server/storage/row_storage.h"
#include "replay_server/storage/table_items.h"

namespace cadre {

class TableGather {
 public:
  // Of batches with the columns that BatchColumns (common/experience/replay_batch.h) gives for
  // this config and spec.
  TableGather(const TableConfig& config, const v1::ExperienceSpec& spec);

  // Fills the columns of `batch`, except those that have no block.
  void Gather(const RowStorage& storage, const SampledItems& items, BatchInMaking* batch) const;

  // Where the rows of those stand, by position; nothing for the others. Of transitions.
  std::vector<PiecewiseBytes> Refer(const RowStorage& storage, const SampledItems& items,
                                    const BatchInMaking& batch) const;
  // Whether each item of a column is one row, as it stands.
  bool refers() const { return !sequences_; }

 private:
  void Transitions(const RowStorage& storage, const SampledItems& items,
                   BatchInMaking* batch) const;
  void Sequences(const RowStorage& storage, const SampledItems& items, BatchInMaking* batch) const;

  const bool sequences_;
  const int64_t length_;               // Steps of a whole item.
  int reward_ = -1;                    // The column whose rows are summed; -1: none.
  std::vector<double> discounts_;      // gamma^k for k = 0 ... length_.
  std::vector<bool> is_state_column_;  // By position in the spec.
};

// Importance weights (Schaul et al. 2016, section 3.4): (N * probability)^-exponent over
// the largest; N, the items of the table, cancels out. [B] each.
void ImportanceWeights(absl::Span<const float> probabilities, double exponent,
                       absl::Span<float> weights);

}  // namespace cadre
