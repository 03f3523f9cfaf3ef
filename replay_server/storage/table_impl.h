// The inside of Table: its lock and whoever waits for what. For table*.cc alone.
//
//   table.cc            opening, closing, Info
//   table_inserting.cc  Append: admit under the lock, copy without it, commit
//   table_sampling.cc   Sample: choose under the lock, gather without it; priorities
//   table_state.cc      Save and Restore
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <deque>
#include <list>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "absl/synchronization/mutex.h"
#include "common/experience/batch_memory.h"
#include "common/random.h"
#include "replay_server/storage/episode_log.h"
#include "replay_server/storage/rate_limiter.h"
#include "replay_server/storage/row_pins.h"
#include "replay_server/storage/row_storage.h"
#include "replay_server/storage/stream_agreement.h"
#include "replay_server/storage/table.h"
#include "replay_server/storage/table_gather.h"
#include "replay_server/storage/table_items.h"
#include "replay_server/storage/writer_sequences.h"
#include "replay_server/storage/writer_streams.h"

namespace cadre {

class Table::Impl {
 public:
  explicit Impl(TableOptions options);
  ~Impl();

  absl::StatusOr<WriterStream> OpenWriter(absl::string_view run_id, uint64_t writer_id,
                                          const v1::ExperienceSpec& spec, uint64_t first_sequence,
                                          SettledListener listener);
  void CloseWriter(uint64_t stream);
  void Append(uint64_t stream, RolloutView rollout, AppendDone done);

  absl::StatusOr<uint64_t> OpenSampler(absl::string_view run_id, const v1::ExperienceSpec& spec,
                                       std::function<void()> overdue);
  void CloseSampler(uint64_t sampler);
  absl::StatusOr<BatchInPlace> Sample(uint64_t sampler, const SampleOptions& options,
                                      bool in_place);
  absl::StatusOr<std::optional<BatchInPlace>> TrySample(uint64_t sampler,
                                                        const SampleOptions& options,
                                                        bool in_place);
  void WhenSampleable(uint64_t sampler, const SampleOptions& options,
                      absl::AnyInvocable<void()> ready);
  absl::Status UpdatePriorities(absl::Span<const uint64_t> keys,
                                absl::Span<const float> priorities);
  absl::StatusOr<std::vector<v1::ColumnSpec>> batch_columns() const;

  absl::Status Save(const StateSink& write);
  absl::Status CheckSaved(const StateSource& read) const;
  absl::Status Restore(const StateSource& read);

  bool allocated() const;
  void Reset(absl::AnyInvocable<void(absl::Status)> done);
  void Close();
  v1::TableInfo Info() const;
  double sampling_seconds() const {
    return 1e-9 * static_cast<double>(gathering_nanoseconds_.load(std::memory_order_relaxed));
  }
  const TableOptions& options() const { return options_; }

 private:
  using Clock = std::chrono::steady_clock;  // Measures how long others wait, no more.

  // What the first spec decides. Constant from then on, but for the rows.
  struct Layout {
    v1::ExperienceSpec spec;
    std::vector<v1::ColumnSpec> batch_columns;
    int64_t item_bytes;  // In a batch.
    RowStorage storage;
    TableGather gather;
  };
  struct ParkedAppend {
    uint64_t stream;
    uint64_t writer;
    RolloutView rollout;
    int64_t steps;
    absl::Status valid;  // Whether the rollout fits the spec.
    AppendDone done;
    Clock::time_point since;
  };
  // A rollout whose rows are being filled.
  struct Insertion {
    uint64_t writer;
    RolloutView rollout;
    int64_t steps;
    int64_t planned_items;
    TakenRows rows;
    AppendDone done;
  };
  struct Sampler {
    bool closed = false;            // Under mutex_.
    int64_t promised = 0;           // Under mutex_: items kept for its next sample.
    uint64_t next_episode = 0;      // Under mutex_.
    SampledItems items;             // Its thread's.
    std::function<void()> overdue;  // Constant.
  };
  struct WaitingSampler {
    std::shared_ptr<Sampler> sampler;
    SampleOptions options;
    Clock::time_point since;
    absl::AnyInvocable<void()> ready;
  };
  struct Counts {
    int64_t inserted_items = 0, inserted_steps = 0, inserted_rollouts = 0;
    int64_t sampled_items = 0, sampled_batches = 0;
    int64_t refused_rollouts = 0, duplicate_rollouts = 0, lost_rollouts = 0;
    int64_t updated_priorities = 0, stale_priorities = 0;
  };
  // What one call has brought about, to be done once the lock is free: callbacks to
  // run, and rollouts to be copied to their rows.
  struct Effects {
    std::vector<absl::AnyInvocable<void()>> callbacks;
    absl::flat_hash_set<uint64_t> settled_writers;
    std::vector<Insertion> insertions;

    void Answer(AppendDone done, absl::Status status);
  };

  // What the first spec brings.
  struct Allocation {
    std::shared_ptr<Layout> layout;
    std::unique_ptr<TableItems> items;
    std::unique_ptr<RowPins> pins;
  };

  absl::Status CheckOpen(absl::string_view run_id, const v1::ExperienceSpec& spec) const
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Of a stream that opens with `spec`, which is checked. Others wait for nothing meanwhile,
  // but for those that open.
  absl::Status AllocateOnce(absl::string_view run_id, const v1::ExperienceSpec& spec)
      ABSL_LOCKS_EXCLUDED(mutex_);
  absl::StatusOr<Allocation> Allocate(v1::ExperienceSpec spec);
  void Install(Allocation allocation) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  absl::Status ClosedError() const;
  std::string Where() const;  // "table 'replay': ".

  absl::Status CheckRollout(const ParkedAppend& append) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Whether a table that is full can complete the windows of such rollouts, `rows` rows each,
  // besides those of the writers that came earlier. These are never refused for the later ones.
  absl::Status CheckWindowsFit(const ParkedAppend& append, int64_t rows) const
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // The writers that came before `writer` and still have windows to complete, and it with so many
  // environments.
  TableWriters EarlierAnd(uint64_t writer, int64_t environments, int64_t segment_length) const
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Whether `append` is done with: answered, or on its way to its rows. If not, nothing
  // has changed and it waits.
  bool TryAdmit(ParkedAppend& append, Effects& effects) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Commit(Insertion insertion, Effects& effects) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Admits the parked appends that can be, and lets the samplers go on that may; the last
  // thing under the lock.
  void Advance(Effects& effects) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Settle(uint64_t writer, uint64_t sequence, Effects& effects)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void LeavePark(ParkedAppend& append) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Does all that a call has brought about, and what comes of that.
  void Finish(Effects effects) ABSL_LOCKS_EXCLUDED(mutex_);

  absl::Status CheckSample(const SampleOptions& options) const
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  bool MaySample(const Sampler& sampler, const SampleOptions& options) const
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void LetSamplersGoOn(Effects& effects) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // From a promise on MaySample of others leaves so many items to `sampler`.
  void Promise(Sampler& sampler, int64_t items) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Unpromise(Sampler& sampler) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Null where rows are copied. RESOURCE_EXHAUSTED where there is no thread for it.
  absl::StatusOr<std::unique_ptr<RowPins>> StartPins(const Layout& layout);
  // Whether large rows of this batch may be sent from where they stand.
  bool MayPin(const SampleOptions& options) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void EndGathers(const std::vector<uint64_t>& gathers) ABSL_LOCKS_EXCLUDED(mutex_);
  void SetPriority(uint64_t key, float priority) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  // What is not in items_ and layout_, but their scalars with it.
  void SaveHead(StateWriter& writer) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void RestoreHead(StateReader& reader) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  struct Identity {
    std::string run_id;
    v1::ExperienceSpec spec;
    bool same_limiter = true;  // The same rate limiter's config.
  };
  // Fails where it is not this table's. How fast it was sampled makes no difference.
  Identity ReadIdentity(StateReader& reader) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  Identity RestoreIdentity(StateReader& reader) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void AwaitNoSave() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Does what Reset was called for.
  void Empty(Effects& effects) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Lets updates in again, those that came meanwhile first.
  void ResumeUpdates() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  // Everything in a batch that is not its items.
  void TellNews(Sampler& sampler, ReplayBatch& batch) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Returns the gather that keeps the chosen rows.
  uint64_t Choose(Sampler& sampler, BatchInMaking& made) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const TableOptions options_;  // Constant after construction.
  // Idle ones are beyond the budget: no more than a stream has under way.
  BatchMemoryPool batch_memory_{4};

  std::atomic<int64_t> gathering_nanoseconds_ = 0;  // Spent on batches.

  mutable absl::Mutex mutex_;
  bool closed_ ABSL_GUARDED_BY(mutex_) = false;
  std::string run_id_ ABSL_GUARDED_BY(mutex_);
  uint64_t last_id_ ABSL_GUARDED_BY(mutex_) = 0;  // Of streams and samplers.

  bool allocating_ ABSL_GUARDED_BY(mutex_) = false;  // Some stream that opens does.
  // Null before the first spec. What they point to stays until the table goes.
  std::shared_ptr<Layout> layout_ ABSL_GUARDED_BY(mutex_);  // Shared with pinned rows.
  std::unique_ptr<TableItems> items_ ABSL_GUARDED_BY(mutex_) ABSL_PT_GUARDED_BY(mutex_);
  RateLimiter limiter_ ABSL_GUARDED_BY(mutex_);
  Random random_ ABSL_GUARDED_BY(mutex_);
  EpisodeLog episodes_ ABSL_GUARDED_BY(mutex_);
  Counts counts_ ABSL_GUARDED_BY(mutex_);

  StreamAgreement agreement_ ABSL_GUARDED_BY(mutex_);
  WriterStreams streams_ ABSL_GUARDED_BY(mutex_);
  WriterSequences sequences_ ABSL_GUARDED_BY(mutex_);
  std::deque<ParkedAppend> parked_ ABSL_GUARDED_BY(mutex_);
  // Rollouts whose rows are being filled: how many, and the items that they will make.
  // The limiter counts these already.
  int64_t insertions_ ABSL_GUARDED_BY(mutex_) = 0;
  int64_t planned_items_ ABSL_GUARDED_BY(mutex_) = 0;

  // So many batches are copied before rows are pinned again.
  int64_t unpinned_batches_ ABSL_GUARDED_BY(mutex_) = 0;

  // While it is saved nothing is inserted; until the bookkeeping is, nothing is updated.
  bool saving_ ABSL_GUARDED_BY(mutex_) = false;
  bool updates_deferred_ ABSL_GUARDED_BY(mutex_) = false;
  std::vector<std::pair<uint64_t, float>> deferred_updates_ ABSL_GUARDED_BY(mutex_);
  // Callbacks of Reset that wait for the save's end.
  std::vector<absl::AnyInvocable<void(absl::Status)>> resets_ ABSL_GUARDED_BY(mutex_);

  absl::flat_hash_map<uint64_t, std::shared_ptr<Sampler>> samplers_ ABSL_GUARDED_BY(mutex_);
  Clock::duration writers_blocked_ ABSL_GUARDED_BY(mutex_){};  // Those that no longer are.
  Clock::duration samplers_waited_ ABSL_GUARDED_BY(mutex_){};
  std::list<WaitingSampler> waiting_samplers_ ABSL_GUARDED_BY(mutex_);  // In their order.
  int64_t promised_items_ ABSL_GUARDED_BY(mutex_) = 0;                  // To all samplers.

  std::unique_ptr<RowPins> pins_ ABSL_GUARDED_BY(mutex_);  // Null: rows are copied.
};

}  // namespace cadre
