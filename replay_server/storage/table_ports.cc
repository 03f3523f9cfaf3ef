#include "replay_server/storage/table_ports.h"

#include <utility>

#include "absl/memory/memory.h"
#include "absl/synchronization/notification.h"
#include "common/experience/rollout_view.h"
#include "common/status_macros.h"

namespace cadre {

absl::StatusOr<std::unique_ptr<TableSink>> TableSink::Create(Table* table, std::string run_id,
                                                             const v1::ExperienceSpec& spec,
                                                             uint64_t writer_id) {
  CADRE_ASSIGN_OR_RETURN(const Table::WriterStream stream,
                         table->OpenWriter(run_id, writer_id, spec, /*first_sequence=*/0,
                                           [](uint64_t /*settled_sequence*/) {}));
  return absl::WrapUnique(new TableSink(table, std::move(run_id), writer_id, stream));
}

TableSink::~TableSink() { Close(); }

absl::Status TableSink::Append(v1::Rollout rollout) {
  const auto owned = std::make_shared<v1::Rollout>(std::move(rollout));
  owned->set_run_id(run_id_);
  owned->set_writer_id(writer_id_);
  absl::MutexLock lock(&append_mutex_);
  owned->set_sequence(last_sequence_ + 1);
  absl::Status answer;
  absl::Notification answered;
  table_->Append(stream_, ViewOf(owned), [&](absl::Status status) {
    answer = std::move(status);
    answered.Notify();
  });
  answered.WaitForNotification();
  // A refused rollout has used its number too.
  if (answer.ok() || absl::IsInvalidArgument(answer)) ++last_sequence_;
  return answer;
}

void TableSink::Close() { table_->CloseWriter(stream_); }

absl::StatusOr<std::unique_ptr<TableSource>> TableSource::Create(Table* table,
                                                                 absl::string_view run_id,
                                                                 const v1::ExperienceSpec& spec) {
  CADRE_ASSIGN_OR_RETURN(const uint64_t sampler, table->OpenSampler(run_id, spec));
  return absl::WrapUnique(new TableSource(table, sampler));
}

TableSource::~TableSource() { Close(); }

absl::StatusOr<ReplayBatch> TableSource::Sample(const SampleOptions& options) {
  absl::MutexLock lock(&sample_mutex_);
  return table_->Sample(sampler_, options);
}

absl::Status TableSource::UpdatePriorities(absl::Span<const uint64_t> keys,
                                           absl::Span<const float> priorities) {
  return table_->UpdatePriorities(keys, priorities);
}

void TableSource::Close() { table_->CloseSampler(sampler_); }

}  // namespace cadre
