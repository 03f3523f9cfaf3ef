// A whole parameter server, as the binary runs it: the store behind a listening service,
// its snapshots, and, in a replica, whom it follows.
#pragma once

#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/files/checkpointer.h"
#include "common/metrics/metrics.h"
#include "common/metrics/process_metrics.h"
#include "param_server/follower.h"
#include "param_server/parameter_metrics.h"
#include "param_server/parameter_service.h"
#include "param_server/parameter_store.h"
#include "param_server/run_metrics.h"
#include "param_server/work_service.h"
#include "prometheus/registry.h"
#include "rpc/server/server.h"

namespace cadre {

struct ParameterServerOptions {
  std::string address = "0.0.0.0:5001";
  std::string run_id;
  std::string snapshot_folder;   // Empty: nothing is saved.
  double snapshot_seconds = 10;  // From one snapshot to the next. 0: only at the end.
  int snapshot_keep = 2;
  // Whether the end of the process is also that of what it saved, where the run is FINISHED,
  // so that a run that was stopped can go on from its learner's checkpoint.
  bool forget_finished = false;
  std::string follow;  // host:port; empty: it is no replica.
};

class ParameterServerProcess {
 public:
  // Serves when it returns, from the newest intact snapshot if there is one. `registry`
  // must outlive it.
  static absl::StatusOr<std::unique_ptr<ParameterServerProcess>> Create(
      const ParameterServerOptions& options, prometheus::Registry* registry);
  ~ParameterServerProcess();

  const RpcServer& server() const { return *server_; }
  const WorkService& work() const { return work_service_; }

  // What it shows besides its registry. They must not outlive it.
  MetricsServer::Collectables more_metrics() const { return {run_metrics_, process_metrics_}; }

  // Ends all calls and saves a last time: what was answered is in that snapshot; or forgets,
  // see options. Once.
  absl::Status ShutDown();

 private:
  ParameterServerProcess(const ParameterServerOptions& options, prometheus::Registry* registry);
  absl::Status StartSnapshots();

  const ParameterServerOptions options_;
  ParameterMetrics metrics_;
  ParameterStore store_;
  const std::shared_ptr<const RunMetrics> run_metrics_;
  const std::shared_ptr<ProcessMetrics> process_metrics_ =
      std::make_shared<ProcessMetrics>("param");
  ParameterService service_;
  WorkService work_service_;
  std::unique_ptr<Checkpointer> checkpointer_;  // Null where nothing is saved.
  std::unique_ptr<Follower> follower_;          // Null where it is no replica.
  std::unique_ptr<RpcServer> server_;
};

}  // namespace cadre
