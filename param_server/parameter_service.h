// ParameterStore over gRPC. It only translates; every reaction returns at once.
// Publish, Fetch, Watch and PushGradient take and give raw bytes, so that a version is
// copied once, out of the network's buffers, and never on its way to the readers.
#pragma once

#include <string>

#include "param_server/bfloat16_cache.h"
#include "param_server/parameter_metrics.h"
#include "param_server/parameter_store.h"
#include "param_server/serial_executor.h"
#include "proto/parameters.grpc.pb.h"

namespace cadre {

using ParameterServiceMethods = v1::ParameterService::WithRawCallbackMethod_Publish<
    v1::ParameterService::WithRawCallbackMethod_Fetch<
        v1::ParameterService::WithRawCallbackMethod_Watch<
            v1::ParameterService::WithRawCallbackMethod_PushGradient<
                v1::ParameterService::WithCallbackMethod_StartModel<
                    v1::ParameterService::WithCallbackMethod_FetchModel<
                        v1::ParameterService::WithCallbackMethod_SetRunState<
                            v1::ParameterService::WithCallbackMethod_ParameterInfo<
                                v1::ParameterService::Service>>>>>>>>;

class ParameterService final : public ParameterServiceMethods {
 public:
  // Both must outlive the server. Close the store before the server is shut down, and
  // its watchers end by themselves. A read-only replica names whom it follows as
  // `upstream`, and refuses everything that would change the store.
  ParameterService(ParameterStore* store, ParameterMetrics* metrics, std::string upstream = "");

  grpc::ServerUnaryReactor* Publish(grpc::CallbackServerContext* context,
                                    const grpc::ByteBuffer* request,
                                    grpc::ByteBuffer* response) override;
  grpc::ServerUnaryReactor* Fetch(grpc::CallbackServerContext* context,
                                  const grpc::ByteBuffer* request,
                                  grpc::ByteBuffer* response) override;
  grpc::ServerWriteReactor<grpc::ByteBuffer>* Watch(grpc::CallbackServerContext* context,
                                                    const grpc::ByteBuffer* request) override;
  grpc::ServerUnaryReactor* StartModel(grpc::CallbackServerContext* context,
                                       const v1::StartModelRequest* request,
                                       v1::StartModelResponse* response) override;
  grpc::ServerUnaryReactor* PushGradient(grpc::CallbackServerContext* context,
                                         const grpc::ByteBuffer* request,
                                         grpc::ByteBuffer* response) override;
  grpc::ServerUnaryReactor* FetchModel(grpc::CallbackServerContext* context,
                                       const v1::FetchModelRequest* request,
                                       v1::FetchModelResponse* response) override;
  grpc::ServerUnaryReactor* SetRunState(grpc::CallbackServerContext* context,
                                        const v1::SetRunStateRequest* request,
                                        v1::SetRunStateResponse* response) override;
  grpc::ServerUnaryReactor* ParameterInfo(grpc::CallbackServerContext* context,
                                          const v1::ParameterInfoRequest* request,
                                          v1::ParameterInfoResponse* response) override;

 private:
  absl::Status StorePublished(const grpc::ByteBuffer& request);
  absl::StatusOr<grpc::ByteBuffer> FetchNewer(const v1::FetchRequest& request);
  absl::StatusOr<grpc::ByteBuffer> ApplyPushed(const grpc::ByteBuffer& request);
  void CountVersion(const v1::Parameters& parameters);
  // FAILED_PRECONDITION for another run, and on a replica.
  absl::Status CheckMayChange(const std::string& run_id) const;

  ParameterStore* const store_;
  ParameterMetrics* const metrics_;
  const std::string upstream_;
  Bfloat16Cache bfloat16_;
  // Sends what others brought, and encodes.
  SerialExecutor sender_{"param-send"};
  // Does what takes milliseconds, one after the other, while gRPC's threads serve readers.
  SerialExecutor worker_{"param-apply"};
};

}  // namespace cadre
