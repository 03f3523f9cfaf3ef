#include "rpc/client/work_reporter.h"

#include <unistd.h>

#include <limits>
#include <utility>

#include "absl/random/random.h"
#include "common/process/start_thread.h"
#include "rpc/call_timeout.h"
#include "spdlog/spdlog.h"

namespace cadre {
namespace {

constexpr absl::Duration kPatience = absl::Seconds(2);
constexpr absl::Duration kLastPatience = absl::Milliseconds(500);

std::string HostName() {
  char name[256] = {};
  return gethostname(name, sizeof(name) - 1) == 0 ? name : "";
}

uint64_t RandomWorkerId() {
  absl::BitGen random;
  return absl::Uniform<uint64_t>(absl::IntervalClosed, random, 1,
                                 std::numeric_limits<uint64_t>::max());
}

}  // namespace

WorkReporter::WorkReporter(WorkReporterOptions options,
                           std::function<v1::WorkReport(CallGroup&)> read)
    : options_(std::move(options)),
      read_(std::move(read)),
      host_(HostName()),
      worker_id_(RandomWorkerId()),
      stub_(v1::WorkService::NewStub(options_.channel)) {
  absl::StatusOr<std::thread> thread = StartThread("work-report", [this] { Run(); });
  if (thread.ok())
    thread_ = *std::move(thread);
  else
    spdlog::warn("{}; nothing is reported", std::string(thread.status().message()));
}

WorkReporter::~WorkReporter() {
  calls_.Close();
  if (thread_.joinable()) thread_.join();
  if (!known_) return;
  v1::WorkReport report;
  report.set_leaving(true);
  grpc::ClientContext context;
  SetTimeout(context, kLastPatience);
  static_cast<void>(Send(std::move(report), context));
}

void WorkReporter::Run() {
  do {
    v1::WorkReport report = read_(calls_);
    grpc::ClientContext context;
    SetTimeout(context, kPatience);
    const CallGroup::Member member(calls_, context);
    const grpc::Status status = Send(std::move(report), context);
    if (status.ok()) known_ = true;
    if (status.error_code() == grpc::StatusCode::UNIMPLEMENTED) return;
  } while (calls_.Sleep(options_.interval));
}

grpc::Status WorkReporter::Send(v1::WorkReport report, grpc::ClientContext& context) {
  v1::ReportWorkRequest request;
  request.set_run_id(options_.run_id);
  report.set_worker_id(worker_id_);
  report.set_host(host_);
  *request.mutable_report() = std::move(report);
  v1::ReportWorkResponse response;
  return stub_->ReportWork(&context, request, &response);
}

}  // namespace cadre
