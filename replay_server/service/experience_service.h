// The gRPC face of the queues and tables. It only translates: what is kept, and for how
// long, is Queue's and Table's.
//
// Append and Sample take and give raw bytes, so that the payload of experience is
// copied once on its way in and once on its way out.
#pragma once

#include <vector>

#include "common/process/thread_pool.h"
#include "proto/experience.grpc.pb.h"
#include "replay_server/service/experience_directory.h"
#include "replay_server/service/open_streams.h"
#include "replay_server/service/stream_log.h"
#include "replay_server/storage/queue.h"
#include "replay_server/storage/table.h"
#include "replay_server/storage/table_checkpointer.h"

namespace cadre {

using ExperienceServiceMethods = v1::ExperienceService::WithRawCallbackMethod_Append<
    v1::ExperienceService::WithCallbackMethod_Consume<
        v1::ExperienceService::WithRawCallbackMethod_Sample<
            v1::ExperienceService::WithCallbackMethod_Info<
                v1::ExperienceService::WithCallbackMethod_Checkpoint<
                    v1::ExperienceService::WithCallbackMethod_Reset<
                        v1::ExperienceService::Service>>>>>>;

class ExperienceService final : public ExperienceServiceMethods {
 public:
  // They must outlive the service, and the service the server. `checkpointer`: of the
  // tables; null where they are not saved.
  explicit ExperienceService(std::vector<Queue*> queues, std::vector<Table*> tables = {},
                             TableCheckpointer* checkpointer = nullptr);

  // Ends all streams, and those that come later, with UNAVAILABLE, so that clients
  // try again elsewhere or later; open leases go back to their queues. Returns when
  // the clients have been told, at most after `grace`. Any thread.
  void Stop(absl::Duration grace) {
    streams_.EndAll();
    streams_.WaitUntilNone(grace);
  }

  grpc::ServerBidiReactor<grpc::ByteBuffer, grpc::ByteBuffer>* Append(
      grpc::CallbackServerContext* context) override;
  grpc::ServerBidiReactor<v1::ConsumeRequest, v1::ConsumeResponse>* Consume(
      grpc::CallbackServerContext* context) override;
  grpc::ServerBidiReactor<grpc::ByteBuffer, grpc::ByteBuffer>* Sample(
      grpc::CallbackServerContext* context) override;
  grpc::ServerUnaryReactor* Info(grpc::CallbackServerContext* context,
                                 const v1::InfoRequest* request,
                                 v1::InfoResponse* response) override;
  grpc::ServerUnaryReactor* Checkpoint(grpc::CallbackServerContext* context,
                                       const v1::CheckpointRequest* request,
                                       v1::CheckpointResponse* response) override;
  grpc::ServerUnaryReactor* Reset(grpc::CallbackServerContext* context,
                                  const v1::ResetRequest* request,
                                  v1::ResetResponse* response) override;

 private:
  absl::StatusOr<Table*> FindTableOfRun(const v1::ResetRequest& request) const;

  const ExperienceDirectory directory_;
  TableCheckpointer* const checkpointer_;
  StreamLog log_;
  OpenStreams streams_;
  ThreadPool gatherers_;  // For all Sample streams.
  // Opens the streams of tables that have no columns yet, as these may be in a file: none of
  // gRPC's threads waits for a disk.
  ThreadPool openers_;
};

}  // namespace cadre
