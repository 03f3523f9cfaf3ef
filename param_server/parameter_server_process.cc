#include "param_server/parameter_server_process.h"

#include <utility>

#include "absl/memory/memory.h"
#include "absl/strings/str_cat.h"
#include "common/status_macros.h"
#include "param_server/snapshot.h"
#include "spdlog/spdlog.h"

namespace cadre {
namespace {

// How long clients may take to hear that the server ends.
constexpr absl::Duration kDrain = absl::Seconds(1);

absl::Status CheckOptions(const ParameterServerOptions& options) {
  if (!(options.snapshot_seconds >= 0))
    return absl::InvalidArgumentError(
        absl::StrCat("snapshot_seconds: got ", options.snapshot_seconds, "; wanted 0 or more"));
  if (options.snapshot_keep < 1)
    return absl::InvalidArgumentError(
        absl::StrCat("snapshot_keep: got ", options.snapshot_keep, "; wanted at least 1"));
  if (!options.follow.empty() && !options.snapshot_folder.empty())
    return absl::InvalidArgumentError(
        absl::StrCat("a replica, which follows ", options.follow,
                     ", saves nothing: give the snapshot folder to that one"));
  if (options.forget_finished && options.snapshot_folder.empty())
    return absl::InvalidArgumentError(
        "forget_finished: there is nothing to forget without a snapshot folder");
  return absl::OkStatus();
}

absl::Status RestoreNewest(const std::string& folder, ParameterStore* store) {
  const absl::StatusOr<RestoredSnapshot> restored = RestoreSnapshot(folder, store);
  if (absl::IsNotFound(restored.status())) {
    spdlog::info("there is no snapshot in '{}': no model is known yet", folder);
    return absl::OkStatus();
  }
  CADRE_RETURN_IF_ERROR(restored.status());
  for (const std::string& warning : restored->warnings) spdlog::warn("{}", warning);
  spdlog::info("restored '{}'", restored->path);
  for (const v1::ModelInfo& model : store->Models())
    spdlog::info("model '{}' is at version {}", model.model(), model.version());
  return absl::OkStatus();
}

void Report(const absl::StatusOr<SavedCheckpoint>& saved, absl::Duration took,
            ParameterMetrics* metrics, ProcessMetrics* process_metrics) {
  if (!saved.ok()) {
    metrics->failed_snapshots.Increment();
    spdlog::error("no snapshot was written: {}", std::string(saved.status().message()));
    return;
  }
  metrics->snapshots.Increment();
  process_metrics->CheckpointSaved();
  spdlog::debug("saved '{}', {} bytes in {:.3f} s", saved->path, saved->bytes,
                absl::ToDoubleSeconds(took));
}

}  // namespace

ParameterServerProcess::ParameterServerProcess(const ParameterServerOptions& options,
                                               prometheus::Registry* registry)
    : options_(options),
      metrics_(registry),
      store_(options.run_id),
      run_metrics_(std::make_shared<RunMetrics>(&store_)),
      service_(&store_, &metrics_, options.follow),
      work_service_(&store_, options.follow) {}

ParameterServerProcess::~ParameterServerProcess() = default;

absl::StatusOr<std::unique_ptr<ParameterServerProcess>> ParameterServerProcess::Create(
    const ParameterServerOptions& options, prometheus::Registry* registry) {
  CADRE_RETURN_IF_ERROR(CheckOptions(options));
  auto process = absl::WrapUnique(new ParameterServerProcess(options, registry));
  if (!options.snapshot_folder.empty()) CADRE_RETURN_IF_ERROR(process->StartSnapshots());
  if (!options.follow.empty()) {
    CADRE_ASSIGN_OR_RETURN(process->follower_,
                           Follower::Create(options.follow, &process->store_, &process->metrics_));
  }
  CADRE_ASSIGN_OR_RETURN(
      process->server_,
      RpcServer::Create(options.address, {&process->service_, &process->work_service_}));
  return process;
}

absl::Status ParameterServerProcess::StartSnapshots() {
  CADRE_RETURN_IF_ERROR(RestoreNewest(options_.snapshot_folder, &store_));
  const absl::Duration period = options_.snapshot_seconds > 0
                                    ? absl::Seconds(options_.snapshot_seconds)
                                    : absl::InfiniteDuration();
  process_metrics_->SavesTo(options_.snapshot_folder, period);
  checkpointer_ = std::make_unique<Checkpointer>(
      [this] { return SaveSnapshot(options_.snapshot_folder, store_, options_.snapshot_keep); },
      period,
      [this](const absl::StatusOr<SavedCheckpoint>& saved, absl::Duration took) {
        Report(saved, took, &metrics_, process_metrics_.get());
      });
  return absl::OkStatus();
}

absl::Status ParameterServerProcess::ShutDown() {
  follower_.reset();
  store_.Close();
  server_->Shutdown(kDrain);
  if (checkpointer_ == nullptr) return absl::OkStatus();
  const bool finished = store_.Read("").run_state == v1::RUN_STATE_FINISHED;
  if (!finished || !options_.forget_finished) return checkpointer_->Save().status();
  checkpointer_->Stop();
  return RemoveSnapshots(options_.snapshot_folder);
}

}  // namespace cadre
