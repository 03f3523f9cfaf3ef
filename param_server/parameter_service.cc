#include "param_server/parameter_service.h"

#include <memory>
#include <utility>

#include "common/status_macros.h"
#include "param_server/parameter_encoding.h"
#include "param_server/watch_reactor.h"
#include "rpc/message_bytes.h"
#include "rpc/status.h"

namespace cadre {
namespace {

grpc::ServerUnaryReactor* Finished(grpc::CallbackServerContext* context,
                                   const absl::Status& status) {
  grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
  reactor->Finish(ToGrpcStatus(status));
  return reactor;
}

}  // namespace

ParameterService::ParameterService(ParameterStore* store, ParameterMetrics* metrics)
    : store_(store), metrics_(metrics) {}

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
  CADRE_RETURN_IF_ERROR(store_->CheckRunId(publish->run_id()));
  const v1::Parameters& parameters = publish->parameters();
  CADRE_RETURN_IF_ERROR(store_->Publish(ParametersPtr(publish, &parameters)));
  metrics_->publications.Add({{"model", parameters.model()}}).Increment();
  metrics_->version.Add({{"model", parameters.model()}}).Set(parameters.version());
  return absl::OkStatus();
}

grpc::ServerUnaryReactor* ParameterService::Fetch(grpc::CallbackServerContext* context,
                                                  const grpc::ByteBuffer* request,
                                                  grpc::ByteBuffer* response) {
  absl::StatusOr<grpc::ByteBuffer> fetched = FetchNewer(*request);
  if (fetched.ok()) *response = *std::move(fetched);
  return Finished(context, fetched.status());
}

absl::StatusOr<grpc::ByteBuffer> ParameterService::FetchNewer(const grpc::ByteBuffer& request) {
  v1::FetchRequest fetch;
  CADRE_RETURN_IF_ERROR(ParseMessage(request, &fetch));
  CADRE_RETURN_IF_ERROR(store_->CheckRunId(fetch.run_id()));
  const ParameterStore::View view = store_->Read(fetch.model());
  const bool newer = view.newest != nullptr && view.newest->version() > fetch.known_version();
  grpc::ByteBuffer response = EncodeResponse(newer ? view.newest : nullptr, view.run_state);
  if (newer) metrics_->sent_bytes.Increment(response.Length());
  return response;
}

grpc::ServerWriteReactor<grpc::ByteBuffer>* ParameterService::Watch(
    grpc::CallbackServerContext* context, const grpc::ByteBuffer* request) {
  return new WatchReactor(store_, metrics_, *request);
}

grpc::ServerUnaryReactor* ParameterService::SetRunState(grpc::CallbackServerContext* context,
                                                        const v1::SetRunStateRequest* request,
                                                        v1::SetRunStateResponse* response) {
  absl::Status status = store_->CheckRunId(request->run_id());
  if (status.ok()) status = store_->SetRunState(request->run_state());
  return Finished(context, status);
}

grpc::ServerUnaryReactor* ParameterService::ParameterInfo(grpc::CallbackServerContext* context,
                                                          const v1::ParameterInfoRequest* request,
                                                          v1::ParameterInfoResponse* response) {
  response->set_run_id(store_->run_id());
  response->set_run_state(store_->Read("").run_state);
  response->set_watchers(static_cast<int64_t>(metrics_->watchers.Value()));
  for (const ParameterStore::ModelStatus& status : store_->Models()) {
    v1::ModelInfo* model = response->add_models();
    model->set_model(status.model);
    model->set_version(status.version);
    model->set_bytes(status.bytes);
    model->set_publications(status.publications);
  }
  return Finished(context, absl::OkStatus());
}

}  // namespace cadre
