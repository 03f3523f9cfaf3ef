// All that the process cadre_replay_server does between its flags and its end: queues and
// tables behind a listening service, their metrics, their checkpoints.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/metrics.h"
#include "replay_server/experience_service.h"
#include "replay_server/metrics.h"
#include "replay_server/queue.h"
#include "replay_server/server_config.h"
#include "replay_server/table.h"
#include "rpc/server.h"

namespace cadre {

struct ReplayServerOptions {
  std::string address = "0.0.0.0:5000";
  std::string port_file;     // Empty: none.
  std::string metrics_port;  // Empty: none.
  std::string run_id;
  ServerConfigFiles files;
  std::string storage_folder;
};

class ReplayServerProcess {
 public:
  // Serves when it returns.
  static absl::StatusOr<std::unique_ptr<ReplayServerProcess>> Create(
      const ReplayServerOptions& options);
  ~ReplayServerProcess();

  const std::string& address() const { return server_->address(); }

  // Ends the streams, so that clients try again.
  absl::Status Stop();

 private:
  ReplayServerProcess() = default;
  absl::Status Host(const ServerConfig& config);
  absl::Status Listen(const ReplayServerOptions& options);
  std::vector<Queue*> queues() const;
  std::vector<Table*> tables() const;

  std::vector<std::unique_ptr<Queue>> queues_;
  std::vector<std::unique_ptr<Table>> tables_;
  std::unique_ptr<ExperienceService> service_;
  std::unique_ptr<RpcServer> server_;
  std::unique_ptr<MetricsServer> metrics_;
};

}  // namespace cadre
