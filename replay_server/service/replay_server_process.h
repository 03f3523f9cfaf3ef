// All that the process cadre_replay_server is between its flags and its end: queues and
// tables behind a listening service, their metrics and their checkpoints.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/metrics/metrics.h"
#include "common/metrics/process_metrics.h"
#include "replay_server/service/experience_service.h"
#include "replay_server/service/metrics.h"
#include "replay_server/service/replay_work_service.h"
#include "replay_server/service/server_config.h"
#include "replay_server/storage/queue.h"
#include "replay_server/storage/table.h"
#include "replay_server/storage/table_checkpointer.h"
#include "rpc/server/server.h"

namespace cadre {

struct ReplayServerOptions {
  std::string address = "0.0.0.0:5000";
  std::string port_file;     // Empty: none.
  std::string metrics_port;  // Empty: none.
  std::string run_id;
  ServerConfigFiles files;
  std::string storage_folder;
  std::string checkpoint_folder;   // Empty: tables are not saved.
  double checkpoint_seconds = 60;  // From one checkpoint to the next. 0: only on request.
  int checkpoint_keep = 2;
};

class ReplayServerProcess {
 public:
  // Serves when it returns, from the newest intact checkpoint if there is one.
  static absl::StatusOr<std::unique_ptr<ReplayServerProcess>> Create(
      const ReplayServerOptions& options);

  const std::string& address() const { return server_->address(); }

  // Ends the streams, so that clients try again, and then saves the tables: what was
  // settled is in that checkpoint. Once.
  absl::Status Stop();

 private:
  ReplayServerProcess() = default;
  absl::Status Host(const ServerConfig& config);
  absl::Status StartCheckpoints(const ReplayServerOptions& options);
  absl::Status Listen(const ReplayServerOptions& options);
  std::vector<Queue*> queues() const;
  std::vector<Table*> tables() const;

  // In the order in which they are made; each uses those before it.
  std::vector<std::unique_ptr<Queue>> queues_;
  std::vector<std::unique_ptr<Table>> tables_;
  std::shared_ptr<ReplayMetrics> registry_;  // Shared with metrics_, and so is the next.
  const std::shared_ptr<ProcessMetrics> process_metrics_ =
      std::make_shared<ProcessMetrics>("replay");
  std::unique_ptr<CheckpointMetrics> checkpoint_metrics_;
  std::unique_ptr<TableCheckpointer> checkpointer_;  // Null: there is nothing to save, or nowhere.
  std::unique_ptr<ExperienceService> service_;
  std::unique_ptr<ReplayWorkService> work_service_;
  std::unique_ptr<RpcServer> server_;
  std::unique_ptr<MetricsServer> metrics_;
};

}  // namespace cadre
