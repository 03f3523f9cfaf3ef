// Several servers sampled as one table: each item of any of them is chosen with its own
// weight over the sum of all. A batch is split over the shards in proportion to their
// masses; what comes back is put together, with probabilities and weights of the whole
// and keys by which updates find their shard.
//
// A shard that dies is left out: the others give what it still owed, and get its share
// until it answers again. So is one to which no actor appends any more, since its rate
// limiter would hold the samplers for ever, until one does, unless all are like that. Where
// none is left, Sample waits, as one source would.
// Thread-safe.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "absl/types/span.h"
#include "common/experience/batch_memory.h"
#include "common/ports.h"
#include "common/random.h"
#include "rpc/client/replay_source_options.h"
#include "rpc/shards/replay_shard.h"
#include "rpc/shards/shard_split.h"

namespace cadre {

class ShardedReplaySource final : public ReplaySource {
 public:
  // `seed` is of the split over the shards.
  static absl::StatusOr<std::unique_ptr<ShardedReplaySource>> Create(
      const std::vector<std::string>& addresses, const ReplaySourceOptions& options,
      uint64_t seed = 1);
  ~ShardedReplaySource() override;  // Close().

  // One at a time. Without items it waits for the first answer of each shard, but not long
  // for those that are away: such a one counts from its first answer on, unless CountOn knows
  // its count, so that the steps never jump by what it had before. Batches fetched ahead are split
  // by what was known when they were asked for; their probabilities are of that split.
  absl::StatusOr<ReplayBatch> Sample(const SampleOptions& options) override;
  // Keys of batches that are long gone are ignored.
  absl::Status UpdatePriorities(absl::Span<const uint64_t> keys,
                                absl::Span<const float> priorities) override;
  std::vector<TableCount> Counts() const override;
  int64_t CountOn(absl::Span<const TableCount> counts) override;
  void Close() override;

  int live_shards() const;

 private:
  struct Part {
    size_t shard = 0;
    uint64_t ticket = 0;
    double mass = 0;  // Of the shard, when the part was asked for.
    int64_t items = 0;
  };
  // All shards, as they are known to be.
  struct Survey {
    std::vector<double> masses;  // 0 where the shard is left out.
    double mass = 0;             // Their sum.
    int64_t items = 0;
    int64_t inserted_steps = 0;  // Includes the shards that are left out.
    int live = 0;
    int unheard = 0;  // Have never answered.
  };
  // A batch that was asked for.
  struct Plan {
    SampleOptions options;
    std::vector<Part> parts;
    double total_mass = 0;
  };
  // What has come of it: a part each.
  struct Gathered {
    std::vector<Part> parts;
    std::vector<BatchOnWire> batches;
    double total_mass = 0;
  };

  ShardedReplaySource(const ReplaySourceOptions& options, uint64_t seed);

  void OnChange() ABSL_LOCKS_EXCLUDED(watch_mutex_);
  absl::Status Problem() const;  // What ends the source, if anything.
  Survey Look() const;
  // Until there is something to sample, and all tables together have got so many steps.
  absl::StatusOr<Survey> WaitUntil(int64_t inserted_steps)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(sample_mutex_);
  absl::StatusOr<Survey> WaitUntil(absl::FunctionRef<bool(const Survey&)> enough)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(sample_mutex_);
  // A batch without items.
  absl::StatusOr<ReplayBatch> SampleNothing(int64_t min_inserted_steps)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(sample_mutex_);
  int64_t changes() const;
  void WaitForChange(int64_t seen, absl::Duration timeout) const;
  // While no shard is live.
  absl::Duration patience() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(sample_mutex_) {
    return was_live_ ? options_.outage.reconnect_timeout : options_.outage.connect_timeout;
  }
  absl::StatusOr<Plan> Ask(const SampleOptions& options, int64_t items)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(sample_mutex_);
  absl::Status Gather(const Plan& plan, Gathered* gathered)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(sample_mutex_);
  absl::StatusOr<ReplayBatch> Finish(const Gathered& gathered, double exponent)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(sample_mutex_);
  absl::Status CheckColumns(size_t shard) ABSL_EXCLUSIVE_LOCKS_REQUIRED(sample_mutex_);

  const ReplaySourceOptions options_;
  BatchMemoryPool pool_;

  absl::Mutex sample_mutex_ ABSL_ACQUIRED_BEFORE(mutex_);  // Held by the one Sample.
  Random random_ ABSL_GUARDED_BY(sample_mutex_);
  bool was_live_ ABSL_GUARDED_BY(sample_mutex_) = false;  // Any shard, ever.
  std::deque<Plan> ahead_ ABSL_GUARDED_BY(sample_mutex_);
  std::vector<v1::ColumnSpec> columns_ ABSL_GUARDED_BY(sample_mutex_);

  mutable absl::Mutex mutex_;
  bool closed_ ABSL_GUARDED_BY(mutex_) = false;
  int64_t changes_ ABSL_GUARDED_BY(mutex_) = 0;
  ShardKeys keys_ ABSL_GUARDED_BY(mutex_);

  absl::Mutex watch_mutex_ ABSL_ACQUIRED_BEFORE(mutex_);
  bool watches_ ABSL_GUARDED_BY(watch_mutex_) = false;  // shards_ is complete.

  // Constant after Create(). Last, as their threads call OnChange().
  std::vector<std::unique_ptr<ReplayShard>> shards_;
};

}  // namespace cadre
