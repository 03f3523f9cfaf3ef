// WorkBoard over gRPC. Every reaction returns at once.
#pragma once

#include <memory>
#include <string>

#include "common/metrics/bottleneck.h"
#include "param_server/parameter_store.h"
#include "param_server/work_board.h"
#include "proto/work.grpc.pb.h"

namespace cadre {

class WorkService final : public v1::WorkService::CallbackService {
 public:
  // The store, which must outlive it, knows the run. A read-only replica names whom it
  // follows as `upstream`, and hands reports on to it.
  explicit WorkService(ParameterStore* store, const std::string& upstream = "");

  grpc::ServerUnaryReactor* ReportWork(grpc::CallbackServerContext* context,
                                       const v1::ReportWorkRequest* request,
                                       v1::ReportWorkResponse* response) override;
  grpc::ServerUnaryReactor* WorkInfo(grpc::CallbackServerContext* context,
                                     const v1::WorkInfoRequest* request,
                                     v1::WorkInfoResponse* response) override;

  // What holds the run back now.
  Bottleneck bottleneck() const;

 private:
  ParameterStore* const store_;
  const std::unique_ptr<v1::WorkService::Stub> upstream_;  // Null: it is no replica.
  WorkBoard board_;
};

}  // namespace cadre
