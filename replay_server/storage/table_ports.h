// The replay ports of the embedded mode: a Table in the same process. Nothing is
// serialised; a rollout is copied once, to its rows. Thread-safe, as common/ports.h
// asks; the Table must outlive them.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/synchronization/mutex.h"
#include "common/ports.h"
#include "replay_server/storage/table.h"

namespace cadre {

// One writer.
class TableSink final : public ExperienceSink {
 public:
  // `writer_id` is unique among the writers of the table's life, or goes on where the
  // writer of that id ended. Fails as Table::OpenWriter does.
  static absl::StatusOr<std::unique_ptr<TableSink>> Create(Table* table, std::string run_id,
                                                           const v1::ExperienceSpec& spec,
                                                           uint64_t writer_id);
  ~TableSink() override;

  absl::Status Append(v1::Rollout rollout) override;
  void Close() override;

 private:
  TableSink(Table* table, std::string run_id, uint64_t writer_id, Table::WriterStream stream)
      : table_(table),
        run_id_(std::move(run_id)),
        writer_id_(writer_id),
        stream_(stream.id),
        last_sequence_(stream.settled_sequence) {}

  Table* const table_;
  const std::string run_id_;
  const uint64_t writer_id_;
  const uint64_t stream_;

  absl::Mutex append_mutex_;  // Held while one Append waits, so that sequences stay in order.
  uint64_t last_sequence_ ABSL_GUARDED_BY(append_mutex_);
};

// One sampler. Its batches stay valid after it is gone, and after the Table is.
class TableSource final : public ReplaySource {
 public:
  static absl::StatusOr<std::unique_ptr<TableSource>> Create(Table* table, absl::string_view run_id,
                                                             const v1::ExperienceSpec& spec);
  ~TableSource() override;

  absl::StatusOr<ReplayBatch> Sample(const SampleOptions& options) override;
  absl::Status UpdatePriorities(absl::Span<const uint64_t> keys,
                                absl::Span<const float> priorities) override;
  void Close() override;

 private:
  TableSource(Table* table, uint64_t sampler) : table_(table), sampler_(sampler) {}

  Table* const table_;
  const uint64_t sampler_;

  absl::Mutex sample_mutex_;  // Held while one Sample waits: a sampler has one at a time.
};

}  // namespace cadre
