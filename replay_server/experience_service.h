// The gRPC face of the queues. It only translates: what is kept, and for how long,
// is Queue's.
#pragma once

#include <vector>

#include "proto/experience.grpc.pb.h"
#include "replay_server/open_streams.h"
#include "replay_server/queue.h"
#include "replay_server/queue_directory.h"

namespace cadre {

class ExperienceService final : public v1::ExperienceService::CallbackService {
 public:
  // The queues must outlive the service, and the service the server.
  explicit ExperienceService(std::vector<Queue*> queues) : directory_(std::move(queues)) {}

  // Ends all streams, and those that come later, with UNAVAILABLE, so that clients
  // try again elsewhere or later; open leases go back to their queues. Returns when
  // the clients have been told, at most after `grace`. Any thread.
  void Stop(absl::Duration grace) {
    streams_.EndAll();
    streams_.WaitUntilNone(grace);
  }

  grpc::ServerBidiReactor<v1::AppendRequest, v1::AppendResponse>* Append(
      grpc::CallbackServerContext* context) override;
  grpc::ServerBidiReactor<v1::ConsumeRequest, v1::ConsumeResponse>* Consume(
      grpc::CallbackServerContext* context) override;
  grpc::ServerUnaryReactor* Info(grpc::CallbackServerContext* context,
                                 const v1::InfoRequest* request,
                                 v1::InfoResponse* response) override;

 private:
  const QueueDirectory directory_;
  OpenStreams streams_;
};

}  // namespace cadre
