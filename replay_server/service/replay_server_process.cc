#include "replay_server/service/replay_server_process.h"

#include <random>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "common/files/file_io.h"
#include "common/status_macros.h"
#include "replay_server/storage/table_checkpoint.h"
#include "rpc/server/port_file.h"
#include "spdlog/spdlog.h"

namespace cadre {
namespace {

// How long clients may take to hear that the server ends.
constexpr absl::Duration kDrain = absl::Seconds(1);

absl::Status CheckCheckpointOptions(const ReplayServerOptions& options) {
  if (!(options.checkpoint_seconds >= 0))
    return absl::InvalidArgumentError(
        absl::StrCat("checkpoint_seconds: got ", options.checkpoint_seconds, "; wanted 0 or more"));
  if (options.checkpoint_keep < 1)
    return absl::InvalidArgumentError(
        absl::StrCat("checkpoint_keep: got ", options.checkpoint_keep, "; wanted at least 1"));
  return absl::OkStatus();
}

std::vector<CheckpointedTable> Checkpointed(const std::vector<Table*>& tables) {
  std::vector<CheckpointedTable> checkpointed;
  for (Table* table : tables) checkpointed.push_back(cadre::Checkpointed(*table));
  return checkpointed;
}

absl::Status RestoreNewest(const std::string& folder, const std::vector<Table*>& tables) {
  const absl::StatusOr<RestoredCheckpoint> restored = RestoreTables(folder, Checkpointed(tables));
  if (absl::IsNotFound(restored.status())) {
    spdlog::info("there is no checkpoint in '{}': the tables are empty", folder);
    return absl::OkStatus();
  }
  CADRE_RETURN_IF_ERROR(restored.status());
  for (const std::string& warning : restored->warnings) spdlog::warn("{}", warning);
  spdlog::info("restored '{}'", restored->path);
  for (const Table* table : tables) {
    const v1::TableInfo info = table->Info();
    spdlog::info("table '{}' has {} items of {} rollouts", info.name(), info.items(),
                 info.inserted_rollouts());
  }
  return absl::OkStatus();
}

void Report(const absl::StatusOr<SavedCheckpoint>& saved, absl::Duration took,
            CheckpointMetrics* metrics, ProcessMetrics* process_metrics) {
  if (!saved.ok()) {
    metrics->failed.Increment();
    spdlog::error("no checkpoint was written: {}", std::string(saved.status().message()));
    return;
  }
  metrics->saved.Increment();
  process_metrics->CheckpointSaved();
  metrics->bytes.Set(static_cast<double>(saved->bytes));
  metrics->seconds.Set(absl::ToDoubleSeconds(took));
  spdlog::info("saved '{}', {} bytes in {:.3f} s", saved->path, saved->bytes,
               absl::ToDoubleSeconds(took));
}

}  // namespace

absl::StatusOr<std::unique_ptr<ReplayServerProcess>> ReplayServerProcess::Create(
    const ReplayServerOptions& options) {
  CADRE_RETURN_IF_ERROR(CheckCheckpointOptions(options));
  CADRE_ASSIGN_OR_RETURN(const ServerConfig config,
                         LoadServerConfig(options.files, options.run_id, options.storage_folder));
  if (!options.storage_folder.empty())
    CADRE_RETURN_IF_ERROR(MakeDirectories(options.storage_folder));
  std::unique_ptr<ReplayServerProcess> process(new ReplayServerProcess);
  CADRE_RETURN_IF_ERROR(process->Host(config));
  CADRE_RETURN_IF_ERROR(process->StartCheckpoints(options));
  CADRE_RETURN_IF_ERROR(process->Listen(options));
  return process;
}

absl::Status ReplayServerProcess::Host(const ServerConfig& config) {
  for (const QueueOptions& options : config.queues)
    queues_.push_back(std::make_unique<Queue>(options));
  std::random_device entropy;
  for (TableOptions options : config.tables) {
    options.skipped_keys = entropy();
    CADRE_ASSIGN_OR_RETURN(std::unique_ptr<Table> table, Table::Create(std::move(options)));
    tables_.push_back(std::move(table));
  }
  registry_ = std::make_shared<ReplayMetrics>(queues(), tables());
  return absl::OkStatus();
}

absl::Status ReplayServerProcess::StartCheckpoints(const ReplayServerOptions& options) {
  if (options.checkpoint_folder.empty() || tables_.empty()) return absl::OkStatus();
  CADRE_RETURN_IF_ERROR(RestoreNewest(options.checkpoint_folder, tables()));
  checkpoint_metrics_ = std::make_unique<CheckpointMetrics>(registry_.get());
  const absl::Duration period = options.checkpoint_seconds > 0
                                    ? absl::Seconds(options.checkpoint_seconds)
                                    : absl::InfiniteDuration();
  process_metrics_->SavesTo(options.checkpoint_folder, period);
  checkpointer_ = std::make_unique<TableCheckpointer>(
      TableCheckpointerOptions{options.checkpoint_folder, options.checkpoint_keep, period},
      Checkpointed(tables()),
      [this](const absl::StatusOr<SavedCheckpoint>& saved, absl::Duration took) {
        Report(saved, took, checkpoint_metrics_.get(), process_metrics_.get());
      });
  return absl::OkStatus();
}

absl::Status ReplayServerProcess::Listen(const ReplayServerOptions& options) {
  service_ = std::make_unique<ExperienceService>(queues(), tables(), checkpointer_.get());
  work_service_ = std::make_unique<ReplayWorkService>(ExperienceDirectory(queues(), tables()));
  CADRE_ASSIGN_OR_RETURN(server_,
                         RpcServer::Create(options.address, {service_.get(), work_service_.get()}));
  if (!options.metrics_port.empty()) {
    CADRE_ASSIGN_OR_RETURN(
        metrics_, MetricsServer::Create(options.metrics_port, registry_,
                                        [this] { return server_->health(); }, {process_metrics_}));
  }
  return WritePortFile(options.port_file, server_->port());
}

absl::Status ReplayServerProcess::Stop() {
  for (const auto& queue : queues_)
    spdlog::info("stopping; the queue was: {}", queue->Info().ShortDebugString());
  for (const auto& table : tables_)
    spdlog::info("stopping; the table was: {}", table->Info().ShortDebugString());
  service_->Stop(kDrain);
  server_->Shutdown(absl::ZeroDuration());
  return checkpointer_ == nullptr ? absl::OkStatus() : checkpointer_->Save().status();
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
