#include "param_server/watch_reactor.h"

#include "param_server/parameter_encoding.h"
#include "proto/parameters.pb.h"
#include "rpc/status.h"
#include "rpc/wire/message_bytes.h"

namespace cadre {

WatchReactor::WatchReactor(ParameterStore* store, ParameterMetrics* metrics,
                           Bfloat16Cache* bfloat16, SerialExecutor* sender,
                           const grpc::ByteBuffer& request)
    : store_(store), metrics_(metrics), bfloat16_(bfloat16), sender_(sender) {
  metrics_->watchers.Increment();
  v1::WatchRequest watch;
  absl::Status status = ParseMessage(request, &watch);
  if (status.ok()) status = store_->CheckRunId(watch.run_id());
  if (!status.ok()) {
    Finish(ToGrpcStatus(status));
    return;
  }
  model_ = watch.model();
  encoding_ = watch.encoding();
  sent_version_ = watch.known_version();
  SendOrWait();  // Sends: at least the run's state is news.
}

void WatchReactor::SendOrWait() {
  if (!store_->AddWaiter(this, model_, sent_version_, sent_state_)) {
    // A version may have to be encoded first, or is just being encoded for others.
    if (encoding_ == v1::VALUE_ENCODING_BFLOAT16)
      OnChange();
    else
      Send();
    return;
  }
  // A cancellation before AddWaiter found nothing to remove. In a reaction `this`
  // outlives the turn.
  if (cancelled_ && store_->RemoveWaiter(this)) Finish(grpc::Status::CANCELLED);
}

void WatchReactor::OnChange() {
  sender_->Run([this] { Send(); });
}

void WatchReactor::Send() {
  const ParameterStore::View view = store_->Read(model_);
  if (view.closed) {
    Finish(grpc::Status(grpc::StatusCode::UNAVAILABLE, "the server is shutting down"));
    return;
  }
  const bool newer = view.newest != nullptr && view.newest->version() > sent_version_;
  response_ =
      EncodeResponse(newer ? bfloat16_->Encoded(view.newest, encoding_) : nullptr, view.run_state);
  sent_state_ = view.run_state;
  if (newer) {
    sent_version_ = view.newest->version();
    metrics_->sent_bytes.Increment(response_.Length());
  }
  StartWrite(&response_);
}

void WatchReactor::OnWriteDone(bool ok) {
  if (!ok) {
    Finish(grpc::Status::CANCELLED);
    return;
  }
  response_.Clear();  // A version that nobody needs any more is not kept alive here.
  SendOrWait();
}

void WatchReactor::OnCancel() {
  cancelled_ = true;
  if (store_->RemoveWaiter(this)) Finish(grpc::Status::CANCELLED);
}

void WatchReactor::OnDone() {
  metrics_->watchers.Decrement();
  delete this;
}

}  // namespace cadre
