// ParameterStore over gRPC. It only translates; every reaction returns at once.
// Publish, Fetch and Watch take and give raw bytes, so that a version is copied once,
// out of the network's buffers, and never on its way to the readers.
#pragma once

#include "param_server/parameter_metrics.h"
#include "param_server/parameter_store.h"
#include "proto/parameters.grpc.pb.h"

namespace cadre {

using ParameterServiceMethods = v1::ParameterService::WithRawCallbackMethod_Publish<
    v1::ParameterService::WithRawCallbackMethod_Fetch<
        v1::ParameterService::WithRawCallbackMethod_Watch<
            v1::ParameterService::WithCallbackMethod_SetRunState<
                v1::ParameterService::WithCallbackMethod_ParameterInfo<
                    v1::ParameterService::Service>>>>>;

class ParameterService final : public ParameterServiceMethods {
 public:
  // Both must outlive the server. Close the store before the server is shut down, and
  // its watchers end by themselves.
  ParameterService(ParameterStore* store, ParameterMetrics* metrics);

  grpc::ServerUnaryReactor* Publish(grpc::CallbackServerContext* context,
                                    const grpc::ByteBuffer* request,
                                    grpc::ByteBuffer* response) override;
  grpc::ServerUnaryReactor* Fetch(grpc::CallbackServerContext* context,
                                  const grpc::ByteBuffer* request,
                                  grpc::ByteBuffer* response) override;
  grpc::ServerWriteReactor<grpc::ByteBuffer>* Watch(grpc::CallbackServerContext* context,
                                                    const grpc::ByteBuffer* request) override;
  grpc::ServerUnaryReactor* SetRunState(grpc::CallbackServerContext* context,
                                        const v1::SetRunStateRequest* request,
                                        v1::SetRunStateResponse* response) override;
  grpc::ServerUnaryReactor* ParameterInfo(grpc::CallbackServerContext* context,
                                          const v1::ParameterInfoRequest* request,
                                          v1::ParameterInfoResponse* response) override;

 private:
  absl::Status StorePublished(const grpc::ByteBuffer& request);
  absl::StatusOr<grpc::ByteBuffer> FetchNewer(const grpc::ByteBuffer& request);

  ParameterStore* const store_;
  ParameterMetrics* const metrics_;
};

}  // namespace cadre
