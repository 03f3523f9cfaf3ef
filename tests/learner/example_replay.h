// Replay batches with random numbers in them, and a table that hands them out.
#pragma once

#include <memory>
#include <utility>
#include <vector>

#include "common/config/replay_config.h"
#include "common/experience/batch_memory.h"
#include "common/ports.h"
#include "common/random.h"
#include "policy/off_policy_columns.h"

namespace cadre {

// Of CartPole's shapes: 4 float32 observed, 2 actions.
inline std::vector<v1::ColumnSpec> CartPoleBatchColumns(bool normalizes_rewards = false) {
  return *BatchColumns(TableConfig(), OffPolicySpec({{{.shape = {4}}}}, ActionSpace::Discrete(2),
                                                    /*state_size=*/0, normalizes_rewards));
}

inline BatchInMaking ExampleReplayBatch(BatchMemoryPool& pool, int64_t items, Random& random,
                                        bool normalizes_rewards = false) {
  const std::vector<v1::ColumnSpec> columns = CartPoleBatchColumns(normalizes_rewards);
  BatchInMaking made = AllocateBatch(pool, columns, items);
  for (int64_t i = 0; i < items; ++i) {
    made.keys[i] = random.Below(1000);
    made.probabilities[i] = 0.01f;
    made.weights[i] = 1;
    made.ages[i] = static_cast<int64_t>(random.Below(100));
  }
  for (size_t c = 0; c < columns.size(); ++c) {
    const TensorView& view = made.batch.columns[c];
    const auto bytes = absl::MakeSpan(made.columns[c], view.bytes.size());
    if (view.dtype == v1::DTYPE_FLOAT32)
      for (float& value : MutableColumnAs<float>(bytes))
        value = static_cast<float>(random.Normal());
    if (view.dtype == v1::DTYPE_INT32)
      for (int32_t& value : MutableColumnAs<int32_t>(bytes))
        value = static_cast<int32_t>(random.Below(2));
    if (view.dtype == v1::DTYPE_INT64)
      for (int64_t& value : MutableColumnAs<int64_t>(bytes)) value = 1;
  }
  for (float& discount : MutableColumnAs<float>(absl::MakeSpan(
           made.columns[OffPolicyColumns(1, normalizes_rewards).discount], items * sizeof(float))))
    discount = random.Below(4) == 0 ? 0.0f : 0.99f;
  return made;
}

// A table into which `steps_per_news` more steps have come whenever it is asked for news,
// and that never makes anybody wait.
class FakeReplay final : public ReplaySource {
 public:
  absl::StatusOr<ReplayBatch> Sample(const SampleOptions& options) override {
    if (asked.empty() && published != nullptr) published_when_first_asked = published->size();
    asked.push_back(options);
    if (closed) return absl::CancelledError("closed");
    inserted_steps = std::max(inserted_steps + steps_per_batch, options.min_inserted_steps);
    if (lose_at > 0 && inserted_steps >= lose_at) {
      inserted_steps = left;
      lose_at = 0;
    }
    ReplayBatch batch;
    if (options.items > 0) {
      BatchInMaking made = ExampleReplayBatch(pool_, options.items, random_, normalizes_rewards);
      if (change) change(made);
      batch = std::move(made.batch);
    }
    batch.inserted_steps = inserted_steps;
    batch.table_items = inserted_steps;
    batch.episodes = std::exchange(episodes, {});
    return batch;
  }
  absl::Status UpdatePriorities(absl::Span<const uint64_t> keys,
                                absl::Span<const float> priorities) override {
    updated_keys.assign(keys.begin(), keys.end());
    updated_priorities.assign(priorities.begin(), priorities.end());
    ++priority_updates;
    return absl::OkStatus();
  }
  void Close() override { closed = true; }

  bool normalizes_rewards = false;
  int64_t steps_per_batch = 0;
  int64_t inserted_steps = 0;
  int64_t lose_at = 0;  // With so many steps there are `left` instead, once. 0: never.
  int64_t left = 0;
  const std::vector<ParametersPtr>* published = nullptr;  // What the learner has published.
  size_t published_when_first_asked = 0;
  std::function<void(BatchInMaking&)> change;
  std::vector<v1::Episode> episodes;
  std::vector<SampleOptions> asked;
  std::vector<uint64_t> updated_keys;
  std::vector<float> updated_priorities;
  int priority_updates = 0;
  bool closed = false;

 private:
  BatchMemoryPool pool_;
  Random random_{1};
};

}  // namespace cadre
