#include "cli/process_commands.h"

#include <filesystem>
#include <system_error>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "common/config/replay_config.h"
#include "common/config/run_topology.h"
#include "common/files/file_io.h"
#include "common/status_macros.h"
#include "learner/run_folder/run_folder.h"
#include "rpc/server/free_port.h"

namespace cadre {
namespace {

// Below the run's folder. Of this run alone: a resumed one goes on from the learner's checkpoint.
constexpr char kSnapshots[] = "parameters";

absl::StatusOr<std::string> RunId(const ProcessesOptions& options) {
  const std::string path = absl::StrCat(options.run_folder, "/run_id");
  absl::StatusOr<std::string> id = ReadFile(path);
  if (!absl::IsNotFound(id.status())) return id;
  id = absl::StrCat(options.config.name(), "-", absl::ToUnixMicros(absl::Now()));
  CADRE_RETURN_IF_ERROR(WriteFileAtomically(path, *id));
  return id;
}

std::string Below(const ProcessesOptions& options, absl::string_view name) {
  return absl::StrCat(options.run_folder, "/", name);
}

}  // namespace

absl::StatusOr<ProcessCommands> ProcessCommands::Create(const ProcessesOptions& options) {
  std::error_code error;
  const std::filesystem::path self = std::filesystem::read_symlink("/proc/self/exe", error);
  if (error) return absl::InternalError("cannot tell where this program's binaries are");
  CADRE_ASSIGN_OR_RETURN(std::string run_id, RunId(options));
  ProcessCommands commands(options, self.parent_path().string(), std::move(run_id));
  CADRE_ASSIGN_OR_RETURN(const std::vector<int> ports, FreeLoopbackPorts(3));
  commands.replay_address_ = absl::StrCat("127.0.0.1:", ports[0]);
  commands.parameter_address_ = absl::StrCat("127.0.0.1:", ports[1]);
  commands.rendezvous_ = absl::StrCat("127.0.0.1:", ports[2]);
  return commands;
}

SupervisedProcess::Options ProcessCommands::Command(std::string name, absl::string_view program,
                                                    const Arguments& arguments) {
  SupervisedProcess::Options options;
  options.command = {absl::StrCat(binaries_, "/cadre_", program), "--run_id", run_id_};
  options.command.insert(options.command.end(), arguments.begin(), arguments.end());
  const Arguments metrics = MetricsArguments(program);
  options.command.insert(options.command.end(), metrics.begin(), metrics.end());
  options.log_path =
      Below(*options_, absl::StrCat("logs/", absl::StrReplaceAll(name, {{" ", "-"}}), ".log"));
  options.name = std::move(name);
  return options;
}

ProcessCommands::Arguments ProcessCommands::MetricsArguments(absl::string_view program) {
  if (options_->metrics_port == 0) return {};
  const std::string address =
      absl::StrCat("127.0.0.1:", options_->metrics_port + metrics_targets_.size());
  const std::string job = absl::StrReplaceAll(absl::StrCat("cadre_", program), {{"_server", ""}});
  metrics_targets_.push_back(
      {{"targets", {address}}, {"labels", {{"job", job}, {"run", run_id_}}}});
  return {"--metrics_port", address};
}

SupervisedProcess::Options ProcessCommands::ReplayServer() {
  Arguments arguments{"--address", replay_address_, "--config", ConfigPath(options_->run_folder)};
  if (UsesReplay(options_->config)) {
    arguments.insert(
        arguments.end(),
        {"--checkpoint_folder", ReplayFolder(options_->run_folder), "--checkpoint_seconds",
         absl::StrCat(options_->config.checkpoint().every_seconds())});
  }
  return Command("replay server", "replay_server", arguments);
}

SupervisedProcess::Options ProcessCommands::ParameterServer() {
  return Command(
      "parameter server", "param_server",
      {"--address", parameter_address_, "--snapshot_folder", Below(*options_, kSnapshots)});
}

SupervisedProcess::Options ProcessCommands::Learner(int rank) {
  const bool several = LearnerCount(options_->config) > 1;
  Arguments arguments{"--resume", options_->run_folder};
  if (several) arguments.insert(arguments.end(), {"--rank", absl::StrCat(rank)});
  if (rank == 0) arguments.push_back("--progress_lines");
  arguments.insert(arguments.end(), {"--device", options_->device,
                                     options_->cuda_graphs ? "--cuda_graphs" : "--no-cuda_graphs"});
  if (DataParallel(options_->config))
    arguments.insert(arguments.end(), {"--rendezvous", rendezvous_});
  return Command(several ? absl::StrCat("learner ", rank) : "learner", "learner",
                 WorkerArguments(arguments));
}

SupervisedProcess::Options ProcessCommands::Actor(int index) {
  return Command(absl::StrCat("actor ", index), "actor",
                 WorkerArguments({"--config", ConfigPath(options_->run_folder), "--index",
                                  absl::StrCat(index)}));
}

ProcessCommands::Arguments ProcessCommands::WorkerArguments(const Arguments& more) const {
  Arguments arguments{"--replay", replay_address_, "--parameters", parameter_address_};
  arguments.insert(arguments.end(), more.begin(), more.end());
  return arguments;
}

absl::Status ProcessCommands::PrepareFolders() const {
  CADRE_RETURN_IF_ERROR(MakeDirectories(Below(*options_, "logs")));
  CADRE_RETURN_IF_ERROR(RemoveTree(options_->run_folder, kSnapshots));
  CADRE_RETURN_IF_ERROR(MakeDirectories(Below(*options_, kSnapshots)));
  if (metrics_targets_.empty()) return absl::OkStatus();
  return WriteFileAtomically(Below(*options_, "metrics_targets.json"), metrics_targets_.dump(2));
}

}  // namespace cadre
