// Memory for replay batches: one aligned allocation for each, which goes back to a
// pool when the last owner lets go, so that large batches cost no page faults in the
// steady state. Thread-safe.
#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <memory>
#include <vector>

#include "absl/types/span.h"
#include "common/experience/replay_batch.h"
#include "proto/experience.pb.h"

namespace cadre {

class BatchMemoryPool {
 public:
  // Keeps at most `most_idle` allocations that nobody uses.
  explicit BatchMemoryPool(size_t most_idle = 16);

  // At least `bytes`, 64-byte aligned, not initialised. May outlive the pool.
  std::shared_ptr<std::byte> Take(size_t bytes);

 private:
  struct Idle;
  const std::shared_ptr<Idle> idle_;
};

// A batch whose blocks are there but not yet filled: the same memory to write to.
struct BatchInMaking {
  ReplayBatch batch;  // Views on what follows.
  uint64_t* keys = nullptr;
  float* probabilities = nullptr;
  float* weights = nullptr;
  int64_t* ages = nullptr;
  std::vector<std::byte*> columns;
};

// What an item takes in a batch with `columns`, everything included.
int64_t BatchItemBytes(absl::Span<const v1::ColumnSpec> columns);

// Each block starts at a multiple of 64 bytes. `columns` as BatchColumns() has them; one
// with more bytes an item than `most_item_bytes` has no block: null, and an empty view.
BatchInMaking AllocateBatch(BatchMemoryPool& pool, absl::Span<const v1::ColumnSpec> columns,
                            int64_t items,
                            int64_t most_item_bytes = std::numeric_limits<int64_t>::max());

}  // namespace cadre
