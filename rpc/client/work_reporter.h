// Tells the parameter server every few seconds what this worker spends its time on, from a
// thread of its own. Nothing depends on it: a server that cannot be reached is tried again
// at the next turn, one that does not know the call is left alone.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <thread>

#include "absl/time/time.h"
#include "grpcpp/channel.h"
#include "proto/work.grpc.pb.h"
#include "rpc/client/call_group.h"

namespace cadre {

struct WorkReporterOptions {
  std::shared_ptr<grpc::Channel> channel;  // To the parameter server.
  std::string run_id;
  absl::Duration interval = absl::Seconds(2);
};

class WorkReporter {
 public:
  // `read` is called on the thread; worker id and host are filled in here. Calls that it
  // makes should be in the group, which ends with the reporter. Where there is no thread for
  // it, that is logged and nothing is reported.
  WorkReporter(WorkReporterOptions options, std::function<v1::WorkReport(CallGroup&)> read);
  // Says good-bye, which takes a second where nobody answers.
  ~WorkReporter();
  WorkReporter(const WorkReporter&) = delete;
  WorkReporter& operator=(const WorkReporter&) = delete;

 private:
  void Run();
  grpc::Status Send(v1::WorkReport report, grpc::ClientContext& context);

  const WorkReporterOptions options_;
  const std::function<v1::WorkReport(CallGroup&)> read_;
  const std::string host_;
  const uint64_t worker_id_;
  const std::unique_ptr<v1::WorkService::Stub> stub_;
  CallGroup calls_;
  bool known_ = false;  // The server has a report of ours. The thread's, until it is joined.
  std::thread thread_;
};

}  // namespace cadre
