#include "common/experience/batch_memory.h"

#include <cstdlib>
#include <new>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "common/check.h"
#include "common/experience/experience_spec.h"

namespace cadre {
namespace {

constexpr size_t kAlignment = 64;

size_t Aligned(size_t bytes) { return (bytes + kAlignment - 1) / kAlignment * kAlignment; }

struct Block {
  std::byte* data;
  size_t bytes;
};

}  // namespace

struct BatchMemoryPool::Idle {
  const size_t most;
  absl::Mutex mutex;
  std::vector<Block> blocks ABSL_GUARDED_BY(mutex);

  // Giving back must not fail: it allocates nothing.
  explicit Idle(size_t most_idle) : most(most_idle) { blocks.reserve(most); }
  ~Idle() {
    for (const Block& block : blocks) std::free(block.data);
  }

  // An idle block that is large enough, but not wastefully; else a new one.
  Block Take(size_t bytes) {
    {
      absl::MutexLock lock(&mutex);
      for (size_t i = blocks.size(); i-- > 0;) {
        const Block block = blocks[i];
        if (block.bytes < bytes || block.bytes / 2 > bytes) continue;
        blocks.erase(blocks.begin() + static_cast<std::ptrdiff_t>(i));
        return block;
      }
    }
    auto* data = static_cast<std::byte*>(std::aligned_alloc(kAlignment, bytes));
    if (data == nullptr) throw std::bad_alloc();
    return {data, bytes};
  }

  void GiveBack(Block block) {
    Block victim{nullptr, 0};
    {
      absl::MutexLock lock(&mutex);
      if (blocks.size() >= most) {
        victim = blocks.front();
        blocks.erase(blocks.begin());
      }
      blocks.push_back(block);
    }
    std::free(victim.data);
  }
};

BatchMemoryPool::BatchMemoryPool(size_t most_idle)
    : idle_(std::make_shared<Idle>(most_idle < 1 ? 1 : most_idle)) {}

std::shared_ptr<std::byte> BatchMemoryPool::Take(size_t bytes) {
  const Block block = idle_->Take(Aligned(bytes < 1 ? 1 : bytes));
  return {block.data, [idle = idle_, block](std::byte*) { idle->GiveBack(block); }};
}

int64_t BatchItemBytes(absl::Span<const v1::ColumnSpec> columns) {
  // Key, probability, weight, age.
  int64_t bytes = sizeof(uint64_t) + 2 * sizeof(float) + sizeof(int64_t);
  for (const v1::ColumnSpec& column : columns) bytes += RowBytes(column);
  return bytes;
}

BatchInMaking AllocateBatch(BatchMemoryPool& pool, absl::Span<const v1::ColumnSpec> columns,
                            int64_t items, int64_t most_item_bytes) {
  CADRE_CHECK(items >= 0);
  const auto block_bytes = [&](const v1::ColumnSpec& column) -> size_t {
    const int64_t item_bytes = RowBytes(column);
    return item_bytes > most_item_bytes ? 0 : static_cast<size_t>(items * item_bytes);
  };
  const auto rows = static_cast<size_t>(items);
  size_t bytes = Aligned(rows * sizeof(uint64_t)) + 2 * Aligned(rows * sizeof(float)) +
                 Aligned(rows * sizeof(int64_t));
  for (const v1::ColumnSpec& column : columns) bytes += Aligned(block_bytes(column));
  std::shared_ptr<std::byte> memory = pool.Take(bytes);

  std::byte* next = memory.get();
  const auto take = [&next](size_t size) {
    std::byte* const block = next;
    next += Aligned(size);
    return block;
  };
  BatchInMaking made;
  ReplayBatch& batch = made.batch;
  batch.items = items;
  made.keys = reinterpret_cast<uint64_t*>(take(rows * sizeof(uint64_t)));
  made.probabilities = reinterpret_cast<float*>(take(rows * sizeof(float)));
  made.weights = reinterpret_cast<float*>(take(rows * sizeof(float)));
  made.ages = reinterpret_cast<int64_t*>(take(rows * sizeof(int64_t)));
  batch.keys = {made.keys, rows};
  batch.probabilities = {made.probabilities, rows};
  batch.weights = {made.weights, rows};
  batch.ages = {made.ages, rows};
  for (const v1::ColumnSpec& column : columns) {
    const size_t size = block_bytes(column);
    made.columns.push_back(RowBytes(column) > most_item_bytes ? nullptr : take(size));
    TensorView view;
    view.dtype = column.dtype();
    view.shape.push_back(items);
    view.shape.insert(view.shape.end(), column.shape().begin(), column.shape().end());
    view.bytes = {made.columns.back(), size};
    batch.columns.push_back(std::move(view));
  }
  batch.owner = std::move(memory);
  return made;
}

}  // namespace cadre
