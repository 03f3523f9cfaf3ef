#include "replay_server/replay_server_process.h"

#include <utility>

#include "absl/time/time.h"
#include "common/file_io.h"
#include "common/status_macros.h"
#include "rpc/port_file.h"
#include "spdlog/spdlog.h"

namespace cadre {

absl::StatusOr<std::unique_ptr<ReplayServerProcess>> ReplayServerProcess::Create(
    const ReplayServerOptions& options) {
  CADRE_ASSIGN_OR_RETURN(const ServerConfig config,
                         LoadServerConfig(options.files, options.run_id, options.storage_folder));
  if (!options.storage_folder.empty())
    CADRE_RETURN_IF_ERROR(MakeDirectories(options.storage_folder));
  std::unique_ptr<ReplayServerProcess> process(new ReplayServerProcess);
  CADRE_RETURN_IF_ERROR(process->Host(config));
  CADRE_RETURN_IF_ERROR(process->Listen(options));
  return process;
}

ReplayServerProcess::~ReplayServerProcess() = default;

absl::Status ReplayServerProcess::Host(const ServerConfig& config) {
  for (const QueueOptions& options : config.queues)
    queues_.push_back(std::make_unique<Queue>(options));
  for (const TableOptions& options : config.tables) {
    CADRE_ASSIGN_OR_RETURN(std::unique_ptr<Table> table, Table::Create(options));
    tables_.push_back(std::move(table));
  }
  return absl::OkStatus();
}

absl::Status ReplayServerProcess::Listen(const ReplayServerOptions& options) {
  service_ = std::make_unique<ExperienceService>(queues(), tables());
  CADRE_ASSIGN_OR_RETURN(server_, RpcServer::Create(options.address, {service_.get()}));
  if (!options.metrics_port.empty()) {
    const auto registry = std::make_shared<ReplayMetrics>(queues(), tables());
    CADRE_ASSIGN_OR_RETURN(metrics_,
                           MetricsServer::Create(options.metrics_port, registry, nullptr));
  }
  return WritePortFile(options.port_file, server_->port());
}

absl::Status ReplayServerProcess::Stop() {
  service_->Stop(absl::Seconds(5));
  server_->Shutdown(absl::ZeroDuration());
  return absl::OkStatus();
}

std::vector<Queue*> ReplayServerProcess::queues() const {
  std::vector<Queue*> queues;
  for (const std::unique_ptr<Queue>& queue : queues_) queues.push_back(queue.get());
  return queues;
}

std::vector<Table*> ReplayServerProcess::tables() const {
  std::vector<Table*> tables;
  for (const std::unique_ptr<Table>& table : tables_) tables.push_back(table.get());
  return tables;
}

}  // namespace cadre
