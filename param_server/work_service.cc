#include "param_server/work_service.h"

#include <utility>

#include "absl/time/time.h"
#include "rpc/call_timeout.h"
#include "rpc/channel.h"
#include "rpc/status.h"

namespace cadre {
namespace {

constexpr absl::Duration kForwardPatience = absl::Seconds(2);

// What is no address has no stub: the follower refuses it with a message.
std::unique_ptr<v1::WorkService::Stub> StubOf(const std::string& upstream) {
  if (upstream.empty()) return nullptr;
  const auto channel = MakeChannel(upstream);
  return channel.ok() ? v1::WorkService::NewStub(*channel) : nullptr;
}

// A report on its way to the server that this one follows.
struct ForwardedReport {
  grpc::ClientContext context;
  v1::ReportWorkRequest request;
  v1::ReportWorkResponse response;
};

// Nobody waits for what becomes of it: there will be another.
void Forward(v1::WorkService::Stub* stub, const v1::ReportWorkRequest& request) {
  const auto report = std::make_shared<ForwardedReport>();
  report->request = request;
  SetTimeout(report->context, kForwardPatience);
  stub->async()->ReportWork(&report->context, &report->request, &report->response,
                            [report](const grpc::Status& /*status*/) {});
}

}  // namespace

WorkService::WorkService(ParameterStore* store, const std::string& upstream)
    : store_(store), upstream_(StubOf(upstream)) {}

grpc::ServerUnaryReactor* WorkService::ReportWork(grpc::CallbackServerContext* context,
                                                  const v1::ReportWorkRequest* request,
                                                  v1::ReportWorkResponse* /*response*/) {
  const absl::Status status = store_->CheckRunId(request->run_id());
  if (status.ok() && upstream_ != nullptr)
    Forward(upstream_.get(), *request);
  else if (status.ok())
    board_.Report(request->report(), MonotonicTime::Now());
  grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
  reactor->Finish(ToGrpcStatus(status));
  return reactor;
}

grpc::ServerUnaryReactor* WorkService::WorkInfo(grpc::CallbackServerContext* context,
                                                const v1::WorkInfoRequest* /*request*/,
                                                v1::WorkInfoResponse* response) {
  if (upstream_ == nullptr) {
    for (v1::WorkerInfo& worker : board_.Workers(MonotonicTime::Now()))
      *response->add_workers() = std::move(worker);
    const Bottleneck found = bottleneck();
    v1::BottleneckInfo& info = *response->mutable_bottleneck();
    info.set_verdict(VerdictName(found.verdict));
    info.set_actors_to_add(found.actors_to_add);
    info.set_text(found.text);
  }
  grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
  reactor->Finish(grpc::Status::OK);
  return reactor;
}

Bottleneck WorkService::bottleneck() const {
  return FindBottleneck(board_.Shares(store_->Read("").run_state, MonotonicTime::Now()));
}

}  // namespace cadre
