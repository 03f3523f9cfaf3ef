// The experience ports of the embedded mode: a Queue in the same process, with
// rollouts moved through it, never serialised. Thread-safe, as common/ports.h asks;
// the Queue must outlive them.
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
#include "replay_server/storage/queue.h"

namespace cadre {

// One writer.
class QueueSink final : public ExperienceSink {
 public:
  // `writer_id` is unique among the writers of the queue's life. Fails as
  // Queue::OpenWriter does.
  static absl::StatusOr<std::unique_ptr<QueueSink>> Create(Queue* queue, std::string run_id,
                                                           const v1::ExperienceSpec& spec,
                                                           uint64_t writer_id);
  ~QueueSink() override;

  absl::Status Append(v1::Rollout rollout) override;
  void Close() override;

 private:
  QueueSink(Queue* queue, std::string run_id, uint64_t writer_id, uint64_t stream)
      : queue_(queue), run_id_(std::move(run_id)), writer_id_(writer_id), stream_(stream) {}

  Queue* const queue_;
  const std::string run_id_;
  const uint64_t writer_id_;
  const uint64_t stream_;

  absl::Mutex append_mutex_;  // Held while one Append waits, so that sequences stay in order.
  uint64_t last_sequence_ ABSL_GUARDED_BY(append_mutex_) = 0;
};

// One consumer. Leases that it has not acknowledged when it is destroyed stay leased:
// their rollouts are the caller's.
class QueueSource final : public ExperienceSource {
 public:
  static absl::StatusOr<std::unique_ptr<QueueSource>> Create(Queue* queue, absl::string_view run_id,
                                                             const v1::ExperienceSpec& spec);
  ~QueueSource() override;

  absl::StatusOr<Lease> Take(int64_t steps, int64_t version) override;
  absl::Status Acknowledge(uint64_t lease_id) override;
  void Close() override;

  // Gives an open lease back, just as it was taken.
  void Return(Lease lease);

 private:
  QueueSource(Queue* queue, uint64_t consumer) : queue_(queue), consumer_(consumer) {}

  Queue* const queue_;
  const uint64_t consumer_;
};

}  // namespace cadre
