#include "replay_server/experience_service.h"

#include <memory>

#include "replay_server/append_reactor.h"
#include "replay_server/consume_reactor.h"

namespace cadre {

grpc::ServerBidiReactor<v1::AppendRequest, v1::AppendResponse>* ExperienceService::Append(
    grpc::CallbackServerContext* /*context*/) {
  return std::make_shared<AppendReactor>(&directory_)->Start(&streams_);
}

grpc::ServerBidiReactor<v1::ConsumeRequest, v1::ConsumeResponse>* ExperienceService::Consume(
    grpc::CallbackServerContext* /*context*/) {
  return std::make_shared<ConsumeReactor>(&directory_)->Start(&streams_);
}

grpc::ServerUnaryReactor* ExperienceService::Info(grpc::CallbackServerContext* context,
                                                  const v1::InfoRequest* /*request*/,
                                                  v1::InfoResponse* response) {
  for (const Queue* queue : directory_.queues()) *response->add_queues() = queue->Info();
  grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
  reactor->Finish(grpc::Status::OK);
  return reactor;
}

}  // namespace cadre
