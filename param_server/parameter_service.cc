#include "param_server/parameter_service.h"

#include <memory>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/status_macros.h"
#include "param_server/parameter_encoding.h"
#include "param_server/watch_reactor.h"
#include "rpc/status.h"
#include "rpc/wire/message_bytes.h"

namespace cadre {
namespace {

grpc::ServerUnaryReactor* Finished(grpc::CallbackServerContext* context,
                                   const absl::Status& status) {
  grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
  reactor->Finish(ToGrpcStatus(status));
  return reactor;
}

}  // namespace

ParameterService::ParameterService(ParameterStore* store, ParameterMetrics* metrics,
                                   std::string upstream)
    : store_(store), metrics_(metrics), upstream_(std::move(upstream)) {}

absl::Status ParameterService::CheckMayChange(const std::string& run_id) const {
  CADRE_RETURN_IF_ERROR(store_->CheckRunId(run_id));
  if (upstream_.empty()) return absl::OkStatus();
  return absl::FailedPreconditionError(absl::StrCat(
      "this server is a read-only replica; send it to the one that it follows, ", upstream_));
}

void ParameterService::CountVersion(const v1::Parameters& parameters) {
  metrics_->version.Add({{"model", parameters.model()}}).Set(parameters.version());
}

grpc::ServerUnaryReactor* ParameterService::Publish(grpc::CallbackServerContext* context,
                                                    const grpc::ByteBuffer* request,
                                                    grpc::ByteBuffer* response) {
  const grpc::Slice empty;  // As a PublishResponse is.
  *response = grpc::ByteBuffer(&empty, 1);
  const absl::Status status = StorePublished(*request);
  if (!status.ok()) metrics_->refused_publications.Increment();
  return Finished(context, status);
}

absl::Status ParameterService::StorePublished(const grpc::ByteBuffer& request) {
  const auto publish = std::make_shared<v1::PublishRequest>();
  CADRE_RETURN_IF_ERROR(ParseMessage(request, publish.get()));
  CADRE_RETURN_IF_ERROR(CheckMayChange(publish->run_id()));
  const v1::Parameters& parameters = publish->parameters();
  CADRE_RETURN_IF_ERROR(store_->Publish(ParametersPtr(publish, &parameters)));
  metrics_->publications.Add({{"model", parameters.model()}}).Increment();
  CountVersion(parameters);
  return absl::OkStatus();
}

grpc::ServerUnaryReactor* ParameterService::StartModel(grpc::CallbackServerContext* context,
                                                       const v1::StartModelRequest* request,
                                                       v1::StartModelResponse* response) {
  grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
  worker_.Run([=, this] {
    absl::Status status = CheckMayChange(request->run_id());
    if (status.ok()) {
      const absl::StatusOr<ModelUpdater::Newest> newest = store_->StartModel(request->model());
      status = newest.status();
      if (newest.ok()) {
        CountVersion(*newest->parameters);
        *response->mutable_parameters() = *newest->parameters;
        for (const v1::PushedSequence& learner : newest->learners)
          *response->add_pushed() = learner;
      }
    }
    reactor->Finish(ToGrpcStatus(status));
  });
  return reactor;
}

grpc::ServerUnaryReactor* ParameterService::PushGradient(grpc::CallbackServerContext* context,
                                                         const grpc::ByteBuffer* request,
                                                         grpc::ByteBuffer* response) {
  grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
  worker_.Run([=, this] {
    absl::StatusOr<grpc::ByteBuffer> applied = ApplyPushed(*request);
    if (applied.ok()) *response = *std::move(applied);
    reactor->Finish(ToGrpcStatus(applied.status()));
  });
  return reactor;
}

absl::StatusOr<grpc::ByteBuffer> ParameterService::ApplyPushed(const grpc::ByteBuffer& request) {
  v1::PushGradientRequest push;
  CADRE_RETURN_IF_ERROR(ParseMessage(request, &push));
  CADRE_RETURN_IF_ERROR(CheckMayChange(push.run_id()));
  const std::string& model = push.gradient().model();
  const auto count = [&](const char* outcome) { metrics_->CountGradient(model, outcome); };
  const absl::StatusOr<ModelUpdater::Pushed> pushed = store_->PushGradient(push.gradient());
  if (absl::IsInvalidArgument(pushed.status())) count("broken");  // The model is known.
  CADRE_RETURN_IF_ERROR(pushed.status());
  switch (pushed->outcome) {
    case ModelUpdater::Outcome::kApplied:
      count("applied");
      CountVersion(*pushed->gradient.newest);
      break;
    case ModelUpdater::Outcome::kTooOld:
      count("too_old");
      break;
    case ModelUpdater::Outcome::kDuplicate:
      count("duplicate");
      break;
    case ModelUpdater::Outcome::kNoStep:  // No gradient.
      break;
  }
  if (pushed->outcome == ModelUpdater::Outcome::kApplied ||
      pushed->outcome == ModelUpdater::Outcome::kTooOld)
    metrics_->GradientLag(model).Observe(static_cast<double>(pushed->gradient.lag));
  return EncodePushResponse(*pushed, store_->Read(model).run_state);
}

grpc::ServerUnaryReactor* ParameterService::FetchModel(grpc::CallbackServerContext* context,
                                                       const v1::FetchModelRequest* request,
                                                       v1::FetchModelResponse* response) {
  grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
  worker_.Run([=, this] {
    absl::Status status = CheckMayChange(request->run_id());
    if (status.ok()) {
      absl::StatusOr<v1::SharedModel> model = store_->FetchModel(request->model());
      status = model.status();
      if (model.ok()) *response->mutable_model() = *std::move(model);
    }
    reactor->Finish(ToGrpcStatus(status));
  });
  return reactor;
}

grpc::ServerUnaryReactor* ParameterService::Fetch(grpc::CallbackServerContext* context,
                                                  const grpc::ByteBuffer* request,
                                                  grpc::ByteBuffer* response) {
  v1::FetchRequest fetch;
  if (const absl::Status status = ParseMessage(*request, &fetch); !status.ok())
    return Finished(context, status);
  const bool encodes = fetch.encoding() == v1::VALUE_ENCODING_BFLOAT16;
  grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
  const auto answer = [=, this, fetch = std::move(fetch)] {
    absl::StatusOr<grpc::ByteBuffer> fetched = FetchNewer(fetch);
    if (fetched.ok()) *response = *std::move(fetched);
    reactor->Finish(ToGrpcStatus(fetched.status()));
  };
  if (encodes)
    sender_.Run(answer);
  else
    answer();
  return reactor;
}

absl::StatusOr<grpc::ByteBuffer> ParameterService::FetchNewer(const v1::FetchRequest& fetch) {
  CADRE_RETURN_IF_ERROR(store_->CheckRunId(fetch.run_id()));
  const ParameterStore::View view = store_->Read(fetch.model());
  const bool newer = view.newest != nullptr && view.newest->version() > fetch.known_version();
  grpc::ByteBuffer response = EncodeResponse(
      newer ? bfloat16_.Encoded(view.newest, fetch.encoding()) : nullptr, view.run_state);
  if (newer) metrics_->sent_bytes.Increment(response.Length());
  return response;
}

grpc::ServerWriteReactor<grpc::ByteBuffer>* ParameterService::Watch(
    grpc::CallbackServerContext* context, const grpc::ByteBuffer* request) {
  return new WatchReactor(store_, metrics_, &bfloat16_, &sender_, *request);
}

grpc::ServerUnaryReactor* ParameterService::SetRunState(grpc::CallbackServerContext* context,
                                                        const v1::SetRunStateRequest* request,
                                                        v1::SetRunStateResponse* response) {
  absl::Status status = CheckMayChange(request->run_id());
  if (status.ok()) status = store_->SetRunState(request->run_state());
  return Finished(context, status);
}

grpc::ServerUnaryReactor* ParameterService::ParameterInfo(grpc::CallbackServerContext* context,
                                                          const v1::ParameterInfoRequest* request,
                                                          v1::ParameterInfoResponse* response) {
  response->set_run_id(store_->run_id());
  response->set_run_state(store_->Read("").run_state);
  response->set_watchers(static_cast<int64_t>(metrics_->watchers.Value()));
  for (v1::ModelInfo& model : store_->Models()) *response->add_models() = std::move(model);
  response->set_following(upstream_);
  return Finished(context, absl::OkStatus());
}

}  // namespace cadre
