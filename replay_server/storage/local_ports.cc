#include "replay_server/storage/local_ports.h"

#include <utility>

#include "absl/memory/memory.h"
#include "absl/synchronization/notification.h"
#include "common/status_macros.h"

namespace cadre {
namespace {

// The answer of a Queue call, waited for.
template <typename T>
class Answer {
 public:
  // The callback for the queue; `this` must live until Wait returns.
  auto Receive() {
    return [this](T value) {
      value_ = std::move(value);
      received_.Notify();
    };
  }
  T Wait() {
    received_.WaitForNotification();
    return std::move(value_);
  }

 private:
  T value_;
  absl::Notification received_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<QueueSink>> QueueSink::Create(Queue* queue, std::string run_id,
                                                             const v1::ExperienceSpec& spec,
                                                             uint64_t writer_id) {
  CADRE_ASSIGN_OR_RETURN(
      const Queue::WriterStream stream,
      queue->OpenWriter(run_id, writer_id, spec, [](uint64_t /*settled_sequence*/) {}));
  return absl::WrapUnique(new QueueSink(queue, std::move(run_id), writer_id, stream.id));
}

QueueSink::~QueueSink() { Close(); }

absl::Status QueueSink::Append(v1::Rollout rollout) {
  rollout.set_run_id(run_id_);
  rollout.set_writer_id(writer_id_);
  Answer<absl::Status> answer;
  absl::MutexLock lock(&append_mutex_);
  rollout.set_sequence(last_sequence_ + 1);
  queue_->Append(stream_, std::move(rollout), answer.Receive());
  absl::Status status = answer.Wait();
  // A refused rollout has used its number too.
  if (status.ok() || absl::IsInvalidArgument(status)) ++last_sequence_;
  return status;
}

void QueueSink::Close() { queue_->CloseWriter(stream_); }

absl::StatusOr<std::unique_ptr<QueueSource>> QueueSource::Create(Queue* queue,
                                                                 absl::string_view run_id,
                                                                 const v1::ExperienceSpec& spec) {
  CADRE_ASSIGN_OR_RETURN(const uint64_t consumer, queue->OpenConsumer(run_id, spec));
  return absl::WrapUnique(new QueueSource(queue, consumer));
}

QueueSource::~QueueSource() { Close(); }

absl::StatusOr<Lease> QueueSource::Take(int64_t steps, int64_t version) {
  Answer<absl::StatusOr<Lease>> answer;
  queue_->Take(consumer_, steps, version, answer.Receive());
  return answer.Wait();
}

absl::Status QueueSource::Acknowledge(uint64_t lease_id) { return queue_->Acknowledge(lease_id); }

void QueueSource::Close() { queue_->CloseConsumer(consumer_); }

void QueueSource::Return(Lease lease) { queue_->Return(std::move(lease)); }

}  // namespace cadre
