// Replay storage: actors insert rollouts, learners sample items as often as the rate
// limiter lets them. Knows no gRPC or log, and a clock only to tell how long others have
// waited. Thread-safe.
//
//   Append --> [parked while the limiter waits] --> rows --> items --Sample--> batch
//                                                     ^        |
//                                            remover -+        +-- UpdatePriorities
//
// Rows stand in columns that are allocated once, when the first spec comes, from the
// configured bytes. An append reserves rows under a short lock, copies the payload to
// them without it, and commits; a sample chooses items under a short lock and gathers
// their rows without it. Rows that a sample may still be reading are not written over.
//
// An item is a window of steps of one episode: one step, n steps or a sequence. It
// begins at a step, may go on through later segments of the same environment of the
// same writer, and is there to be sampled once all of its steps are or the episode
// has ended.
//
// Priorities come with the rollout, or else are the largest that the table has seen.
// They must be finite and >= 0: a rollout with another is refused by itself.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "common/config/replay_capacity.h"
#include "common/experience/replay_batch.h"
#include "common/experience/rollout_view.h"
#include "common/ports.h"
#include "proto/config.pb.h"
#include "proto/experience.pb.h"
#include "replay_server/storage/writer_streams.h"

namespace cadre {

struct TableOptions {
  TableConfig config;  // Valid; see replay_config.h.
  // Who will write, where that is known: a table too small for them is refused before the
  // first stream. Who comes besides them and does not fit is refused with its rollouts, as
  // everybody is if nothing is known.
  std::optional<TableWriters> writers;
  // Data of other runs is refused. Empty: the run of whoever opens a stream first.
  std::string run_id;
  // As in QueueOptions.
  std::vector<v1::AgreedSetting> agreed;
  // Where the rows are mapped from, for a table larger than memory; made when the
  // columns are allocated. Empty: anonymous memory.
  std::string storage_path;
  uint64_t seed = 1;  // Of its random numbers.
  // Numbers of items that Restore leaves out. Random where another table may have gone on
  // from what is restored: keys that it gave away then name no item of this one.
  uint32_t skipped_keys = 0;
  size_t max_idle_writers = 100'000;  // See writer_sequences.h.
};

// A batch some of whose columns are not one block.
struct BatchInPlace {
  ReplayBatch batch;
  // By position in batch.columns: what an empty view has instead, kept by batch.owner.
  std::vector<PiecewiseBytes> rows;
};

class Table {
 public:
  using AppendDone = absl::AnyInvocable<void(absl::Status)>;
  using SettledListener = cadre::SettledListener;

  struct WriterStream {
    uint64_t id = 0;
    uint64_t settled_sequence = 0;  // Of this writer; 0 if it is not known here.
  };

  static absl::StatusOr<std::unique_ptr<Table>> Create(TableOptions options);
  ~Table();  // Close().

  // --- Writers; as Queue's, callbacks included (queue.h) ---

  // `first_sequence`: the oldest that the writer still holds, 0 where unknown. What
  // came before it and is not known here was lost, and is counted. Allocates the columns
  // when the first spec comes, which waits for a disk if they are in a file (allocated()):
  // RESOURCE_EXHAUSTED where that is impossible.
  absl::StatusOr<WriterStream> OpenWriter(absl::string_view run_id, uint64_t writer_id,
                                          const v1::ExperienceSpec& spec, uint64_t first_sequence,
                                          SettledListener listener);
  void CloseWriter(uint64_t stream);

  // Takes one rollout; at most one at a time for each stream. `done` gets
  //   OK                its rows are in the table (or were: a duplicate); settled
  //   INVALID_ARGUMENT  refused, and why; settled
  //   ABORTED           not the writer's next sequence; nothing has changed
  // and is held back while the rate limiter, or a sample that still reads the rows to
  // be reused, wants it so. Parked rollouts go in in their order.
  void Append(uint64_t stream, RolloutView rollout, AppendDone done);

  // --- Samplers ---

  // Checks run and spec like OpenWriter. `overdue`: see SampleInPlace.
  absl::StatusOr<uint64_t> OpenSampler(absl::string_view run_id, const v1::ExperienceSpec& spec,
                                       std::function<void()> overdue = nullptr);
  // Ends its Sample that waits with CANCELLED. No other call of it may come later.
  void CloseSampler(uint64_t sampler);

  // Blocks until the limiter lets B items be sampled (B = 0: it does not ask it). INVALID_ARGUMENT
  // where it never will. One thread at a time for each sampler. The batch's memory comes from a
  // pool.
  absl::StatusOr<ReplayBatch> Sample(uint64_t sampler, const SampleOptions& options);

  // The same for who sends the batch on: large rows may be left where they stand, and are
  // written over only once `batch.owner` is gone. If others wait for them longer than
  // RowPins::kLongestWait, `overdue` of OpenSampler is called, which is to let go of them.
  // Rows are copied where that would keep others waiting.
  absl::StatusOr<BatchInPlace> SampleInPlace(uint64_t sampler, const SampleOptions& options);

  // SampleInPlace without its wait: nothing where it would wait.
  absl::StatusOr<std::optional<BatchInPlace>> TrySampleInPlace(uint64_t sampler,
                                                               const SampleOptions& options);
  // Calls `ready` once, when TrySampleInPlace of `sampler` with the same options need not wait,
  // or fails: perhaps before this returns, on any thread, without locks. What it may sample is
  // kept for it until it samples or is closed, so that nobody who comes later is first. Others
  // may have removed the items meanwhile: then it gets nothing, and asks again. At most one
  // such wait at a time for each sampler.
  void WhenSampleable(uint64_t sampler, const SampleOptions& options,
                      absl::AnyInvocable<void()> ready);

  // [K] each. Keys of items that are gone are ignored and counted. INVALID_ARGUMENT,
  // with the first bad one, where a priority is not allowed; the others are set.
  absl::Status UpdatePriorities(absl::Span<const uint64_t> keys,
                                absl::Span<const float> priorities);

  // What Sample's batches carry. FAILED_PRECONDITION before the first spec.
  absl::StatusOr<std::vector<v1::ColumnSpec>> batch_columns() const;

  // --- All ---

  // Whether there are columns. Then nothing here but Save, Restore and Sample waits.
  bool allocated() const;

  // Empties the table and its limiter; waiting requests go on waiting. `done` is called once,
  // with OK when the table is empty, which is after a Save that is under way, on the thread
  // of that. CANCELLED: the table was closed.
  void Reset(absl::AnyInvocable<void(absl::Status)> done);

  // A consistent state of everything (rows, items, priorities, limiter, who has
  // written what, random numbers), in pieces for table_checkpoint.h: inserts wait
  // while `write` runs; samples go on, unless they remove items (max_times_sampled).
  absl::Status Save(
      const std::function<absl::Status(absl::Span<const std::byte> bytes)>& write) const;
  // Whether Restore would take what was saved, from its beginning: FAILED_PRECONDITION where
  // the config or the run differs, DATA_LOSS where the bytes make no sense.
  absl::Status CheckSaved(
      const std::function<absl::Status(absl::Span<std::byte> bytes)>& read) const;
  // Of an empty table with the same config, before the first stream. `read` fills all of
  // its argument. FAILED_PRECONDITION where the config that was saved differs,
  // DATA_LOSS where the bytes make no sense.
  absl::Status Restore(const std::function<absl::Status(absl::Span<std::byte> bytes)>& read);

  // Ends everything that waits, with CANCELLED, and refuses whatever comes. Idempotent.
  void Close();

  v1::TableInfo Info() const;
  // Spent on gathering batches, since the table is.
  double sampling_seconds() const;
  const TableOptions& options() const;

 private:
  class Impl;
  explicit Table(std::unique_ptr<Impl> impl);
  const std::unique_ptr<Impl> impl_;
};

}  // namespace cadre
