#include "replay_server/append_reactor.h"

#include <algorithm>
#include <utility>

#include "spdlog/spdlog.h"

namespace cadre {
namespace {

// A writer that keeps sending bad rollouts without reading why is cut off here.
constexpr size_t kMostUntoldRefusals = 1000;

std::shared_ptr<AppendReactor> Shared(StreamReactor<v1::AppendRequest, v1::AppendResponse>* self) {
  return std::static_pointer_cast<AppendReactor>(self->shared_from_this());
}

}  // namespace

void AppendReactor::OnRequest(v1::AppendRequest& request) {
  if (queue_ == nullptr && request.has_open()) return Open(request.open());
  if (queue_ == nullptr || !request.has_rollout())
    return End({grpc::StatusCode::INVALID_ARGUMENT,
                "Append: wanted `open` in the first request and `rollout` in the others"});
  const uint64_t sequence = request.rollout().sequence();
  queue_->Append(writer_stream_, std::move(*request.mutable_rollout()),
                 [self = Shared(this), sequence](const absl::Status& status) {
                   self->OnAppended(sequence, status);
                 });
}

void AppendReactor::Open(const v1::AppendOpen& open) {
  absl::StatusOr<Queue*> queue = directory_->Find(open.target());
  if (!queue.ok()) return End(ToGrpcStatus(queue.status()));
  absl::StatusOr<Queue::WriterStream> stream =
      (*queue)->OpenWriter(open.run_id(), open.writer_id(), open.spec(),
                           [weak = std::weak_ptr<AppendReactor>(Shared(this))](uint64_t sequence) {
                             if (const auto self = weak.lock()) self->OnSettled(sequence);
                           });
  if (!stream.ok()) return End(ToGrpcStatus(stream.status()));
  spdlog::info("{} writes to queue '{}' as {:x}", open.name().empty() ? "a writer" : open.name(),
               open.target(), open.writer_id());
  queue_ = *queue;
  writer_stream_ = stream->id;
  bool ended;
  {
    absl::MutexLock lock(&mutex_);
    ended = ending();
    opened_ = true;
    answer_open_ = true;
    settled_ = std::max(settled_, stream->settled_sequence);
    Wake();
  }
  if (ended) return queue_->CloseWriter(writer_stream_);
  ReadNext();
}

void AppendReactor::OnAppended(uint64_t sequence, const absl::Status& status) {
  if (absl::IsInvalidArgument(status)) {
    bool too_many;
    {
      absl::MutexLock lock(&mutex_);
      refusals_.push_back({sequence, std::string(status.message())});
      too_many = refusals_.size() > kMostUntoldRefusals;
      Wake();
    }
    spdlog::warn("refused a rollout: {}", std::string(status.message()));
    if (too_many)
      return End({grpc::StatusCode::RESOURCE_EXHAUSTED, "Append: too many refusals not read"});
  } else if (absl::IsCancelled(status)) {
    return End(OpenStreams::StoppingStatus());
  } else if (!status.ok()) {
    return End(ToGrpcStatus(status));
  }
  ReadNext();
}

void AppendReactor::OnSettled(uint64_t sequence) {
  absl::MutexLock lock(&mutex_);
  settled_ = std::max(settled_, sequence);
  if (opened_) Wake();
}

std::shared_ptr<const v1::AppendResponse> AppendReactor::NextResponse() {
  if (!answer_open_ && settled_ == told_settled_ && refusals_.empty()) return nullptr;
  auto response = std::make_shared<v1::AppendResponse>();
  answer_open_ = false;
  told_settled_ = settled_;
  response->set_settled_sequence(settled_);
  if (!refusals_.empty()) {
    response->set_refused_sequence(refusals_.front().sequence);
    response->set_refused_reason(std::move(refusals_.front().reason));
    refusals_.pop_front();
  }
  return response;
}

void AppendReactor::OnEnd() {
  {
    absl::MutexLock lock(&mutex_);
    if (!opened_) return;
  }
  queue_->CloseWriter(writer_stream_);
}

}  // namespace cadre
