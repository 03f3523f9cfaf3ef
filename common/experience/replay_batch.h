// What a table hands to a learner: B items, each column one dense block that a
// tensor can wrap. Plain views; `owner` keeps the memory alive, usually to go back
// to a pool.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "common/tensor_view.h"
#include "proto/config.pb.h"
#include "proto/experience.pb.h"

namespace cadre {

// A batch is one message for remote learners, and those end there.
inline constexpr int64_t kLargestBatchBytes = (int64_t{1} << 31) - (int64_t{1} << 20);

struct ReplayBatch {
  int64_t items = 0;                      // B
  absl::Span<const uint64_t> keys;        // [B] Name the items in priority updates.
  absl::Span<const float> probabilities;  // [B] With which each was chosen.
  absl::Span<const float> weights;        // [B] Importance weights, the largest 1.
  absl::Span<const int64_t> ages;         // [B] Steps inserted since the item's own.
  std::vector<TensorView> columns;        // [B, shape...], by position in BatchColumns().
  int64_t table_items = 0;                // Of the table(s) when the batch was chosen.
  double table_mass = 0;                  // Sum of the weights that items are chosen by.
  int64_t inserted_steps = 0;             // Ever.
  std::vector<v1::Episode> episodes;      // Finished since the previous batch.
  std::shared_ptr<const void> owner;
};

// Columns of the batches of a table with these items whose actors append `spec`, by
// position; their shapes are those of one item.
//   transitions  for each column of the spec the item's first row; then next_<name>
//                for each column with a row for each observation: n steps later, or
//                the episode's last; then `discount` float32 []: gamma^n, 0 where
//                that observation is terminal. `reward` is the sum of gamma^k r_k.
//   sequences    for each column its rows, [L, ...] or [L + 1, ...] where it has a
//                row for each observation, L = burn_in + length, zeros past the end;
//                [...] for a state column; then `length` int32 [], steps that are
//                there, and `terminated` uint8 [], whether the last ends the episode
//                in a terminal state.
// INVALID_ARGUMENT where the spec does not fit: transitions with n > 1 want `reward`
// float32 []; a state column must be there; no name may come twice.
absl::StatusOr<std::vector<v1::ColumnSpec>> BatchColumns(const TableConfig& config,
                                                         const v1::ExperienceSpec& spec);

}  // namespace cadre
