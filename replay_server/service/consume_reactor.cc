#include "replay_server/service/consume_reactor.h"

#include <limits>
#include <utility>

#include "absl/strings/str_cat.h"

namespace cadre {
namespace {

// More than any pipeline needs; a bound on what one consumer can keep from the rest.
constexpr size_t kMostOpenLeases = 64;

// Protobuf cannot write a larger message.
constexpr size_t kMostMessageBytes = std::numeric_limits<int32_t>::max();

grpc::Status InvalidRequest(const std::string& what) {
  return {grpc::StatusCode::INVALID_ARGUMENT, absl::StrCat("Consume: ", what)};
}

std::shared_ptr<ConsumeReactor> Shared(
    StreamReactor<v1::ConsumeRequest, v1::ConsumeResponse>* self) {
  return std::static_pointer_cast<ConsumeReactor>(self->shared_from_this());
}

}  // namespace

void ConsumeReactor::OnRequest(v1::ConsumeRequest& request) {
  if (request.has_open() != (queue_ == nullptr))
    return End(InvalidRequest("wanted `open` in the first request and in no other"));
  if (request.has_open()) return Open(request.open());
  if (request.has_take()) return Take(request.take());
  if (request.has_acknowledge()) return Acknowledge(request.acknowledge().lease_id());
  End(InvalidRequest("got a request without `take` or `acknowledge`"));
}

void ConsumeReactor::Open(const v1::ConsumeOpen& open) {
  absl::StatusOr<Queue*> queue = directory_->FindQueue(open.queue());
  if (!queue.ok()) return End(ToGrpcStatus(queue.status()));
  absl::StatusOr<uint64_t> consumer = (*queue)->OpenConsumer(open.run_id(), open.spec());
  if (!consumer.ok()) return End(ToGrpcStatus(consumer.status()));
  log_->Info(open.name().empty() ? "a consumer" : open.name(),
             absl::StrCat("consumes queue '", open.queue(), "'"));
  queue_ = *queue;
  consumer_ = *consumer;
  bool ended;
  {
    absl::MutexLock lock(&mutex_);
    ended = ending();
    opened_ = true;
    responses_.push_back(std::make_shared<v1::ConsumeResponse>());
    Wake();
  }
  if (ended) return queue_->CloseConsumer(consumer_);
  ReadNext();
}

void ConsumeReactor::Take(const v1::Take& take) {
  bool busy;
  size_t open_leases;
  {
    absl::MutexLock lock(&mutex_);
    busy = taking_;
    open_leases = leases_.size();
    taking_ = true;
  }
  if (busy) return End(InvalidRequest("got a second `take` before the first was answered"));
  if (open_leases >= kMostOpenLeases)
    return End(InvalidRequest(
        absl::StrCat("got a `take` with ", open_leases, " leases open; acknowledge them first")));
  queue_->Take(
      consumer_, take.steps(), take.version(),
      [self = Shared(this)](absl::StatusOr<Lease> lease) { self->OnTaken(std::move(lease)); });
  ReadNext();
}

void ConsumeReactor::OnTaken(absl::StatusOr<Lease> lease) {
  if (absl::IsCancelled(lease.status())) return End(OpenStreams::StoppingStatus());
  if (!lease.ok()) return End(ToGrpcStatus(lease.status()));
  auto response = std::make_shared<v1::ConsumeResponse>();
  response->set_lease_id(lease->id);
  response->mutable_rollouts()->Reserve(static_cast<int>(lease->rollouts.size()));
  for (v1::Rollout& rollout : lease->rollouts) *response->add_rollouts() = std::move(rollout);
  const size_t bytes = response->ByteSizeLong();
  bool delivered = false;
  if (bytes <= kMostMessageBytes) {
    absl::MutexLock lock(&mutex_);
    taking_ = false;
    if (!ending()) {
      leases_[lease->id] = response;
      responses_.push_back(response);
      Wake();
      delivered = true;
    }
  }
  if (delivered) return;
  ReturnLease(lease->id, *response);
  End({grpc::StatusCode::RESOURCE_EXHAUSTED,
       absl::StrCat("Consume: the lease has ", bytes, " bytes; wanted at most ", kMostMessageBytes,
                    ": take fewer steps")});
}

void ConsumeReactor::Acknowledge(uint64_t lease_id) {
  bool known;
  {
    absl::MutexLock lock(&mutex_);
    known = !ending() && leases_.erase(lease_id) == 1;
  }
  if (!known)
    return End(InvalidRequest(absl::StrCat("got `acknowledge` of lease ", lease_id,
                                           ", which is not open on this stream")));
  // Ours alone from here on, and open in the queue.
  if (absl::Status status = queue_->Acknowledge(lease_id); !status.ok())
    return End(ToGrpcStatus(status));
  ReadNext();
}

void ConsumeReactor::ReturnLease(uint64_t lease_id, v1::ConsumeResponse& response) {
  Lease lease;
  lease.id = lease_id;
  for (v1::Rollout& rollout : *response.mutable_rollouts())
    lease.rollouts.push_back(std::move(rollout));
  queue_->Return(std::move(lease));
}

std::shared_ptr<const v1::ConsumeResponse> ConsumeReactor::NextResponse() {
  if (responses_.empty()) return nullptr;
  std::shared_ptr<const v1::ConsumeResponse> next = std::move(responses_.front());
  responses_.pop_front();
  return next;
}

void ConsumeReactor::OnEnd() {
  {
    absl::MutexLock lock(&mutex_);
    if (!opened_) return;
  }
  queue_->CloseConsumer(consumer_);
}

// Only here, as gRPC may read the responses until now.
void ConsumeReactor::OnGone() {
  absl::flat_hash_map<uint64_t, std::shared_ptr<v1::ConsumeResponse>> leases;
  {
    absl::MutexLock lock(&mutex_);
    leases.swap(leases_);
  }
  for (auto& [lease_id, response] : leases) ReturnLease(lease_id, *response);
  if (!leases.empty())
    log_->Warn("a consumer", "went away;",
               absl::StrCat(" ", leases.size(), " leases go back to the queue"));
}

}  // namespace cadre
