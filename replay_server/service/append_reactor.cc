#include "replay_server/service/append_reactor.h"

#include <algorithm>
#include <utility>
#include <variant>

#include "absl/strings/str_cat.h"
#include "rpc/wire/message_bytes.h"
#include "rpc/wire/replay_codec.h"

namespace cadre {
namespace {

// A writer that keeps sending bad rollouts without reading why is cut off here.
constexpr size_t kMostUntoldRefusals = 1000;

std::shared_ptr<AppendReactor> Shared(StreamReactor<grpc::ByteBuffer, grpc::ByteBuffer>* self) {
  return std::static_pointer_cast<AppendReactor>(self->shared_from_this());
}

grpc::Status InvalidRequest(absl::string_view what) {
  return {grpc::StatusCode::INVALID_ARGUMENT, absl::StrCat("Append: ", what)};
}

}  // namespace

void AppendReactor::OnRequest(grpc::ByteBuffer& request) {
  // Not in `request` any more, which the next read fills, maybe before Append returns.
  grpc::ByteBuffer message;
  message.Swap(&request);
  if (target_ == nullptr) return OnFirst(message);
  const absl::Status status = target_->Append(
      message, [self = Shared(this)](uint64_t sequence, const absl::Status& status) {
        self->OnAppended(sequence, status);
      });
  if (!status.ok()) End(InvalidRequest(status.message()));
}

void AppendReactor::OnFirst(const grpc::ByteBuffer& message) {
  const absl::StatusOr<AppendMessage> decoded = DecodeAppend(message);
  if (!decoded.ok()) return End(InvalidRequest(decoded.status().message()));
  if (const auto* open = std::get_if<v1::AppendOpen>(&*decoded)) return Open(*open);
  End(InvalidRequest("wanted `open` in the first request and `rollout` in the others"));
}

void AppendReactor::Open(const v1::AppendOpen& open) {
  absl::StatusOr<std::unique_ptr<AppendTarget>> target =
      FindAppendTarget(*directory_, open.target());
  if (!target.ok()) return End(ToGrpcStatus(target.status()));
  if ((*target)->opens_at_once()) return OpenTarget(open, *std::move(target));
  openers_->Run([self = Shared(this), open, target = *std::move(target)]() mutable {
    self->OpenTarget(open, std::move(target));
  });
}

void AppendReactor::OpenTarget(const v1::AppendOpen& open, std::unique_ptr<AppendTarget> target) {
  const absl::StatusOr<uint64_t> settled =
      target->Open(open, [weak = std::weak_ptr<AppendReactor>(Shared(this))](uint64_t sequence) {
        if (const auto self = weak.lock()) self->OnSettled(sequence);
      });
  if (!settled.ok()) return End(ToGrpcStatus(settled.status()));
  name_ = open.name().empty() ? "a writer" : open.name();
  writer_ = open.writer_id();
  log_->Info(name_, absl::StrCat("writes to '", open.target(), "'"),
             absl::StrCat(" as ", absl::Hex(writer_)));
  target_ = std::move(target);
  bool ended;
  {
    absl::MutexLock lock(&mutex_);
    ended = ending();
    opened_ = true;
    answer_open_ = true;
    settled_ = std::max(settled_, *settled);
    Wake();
  }
  if (ended) return target_->Close();
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
    log_->Refused(writer_, name_, status.message());
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

std::shared_ptr<const grpc::ByteBuffer> AppendReactor::NextResponse() {
  if (!answer_open_ && settled_ == told_settled_ && refusals_.empty()) return nullptr;
  v1::AppendResponse response;
  answer_open_ = false;
  told_settled_ = settled_;
  response.set_settled_sequence(settled_);
  if (!refusals_.empty()) {
    response.set_refused_sequence(refusals_.front().sequence);
    response.set_refused_reason(std::move(refusals_.front().reason));
    refusals_.pop_front();
  }
  return std::make_shared<const grpc::ByteBuffer>(SerializeMessage(response));
}

void AppendReactor::OnEnd() {
  {
    absl::MutexLock lock(&mutex_);
    if (!opened_) return;
  }
  target_->Close();
  log_->StreamEnded(writer_, name_);
}

}  // namespace cadre
