#include "cli/processes.h"

#include <unistd.h>

#include <filesystem>
#include <memory>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/clock.h"
#include "cli/replay_account.h"
#include "cli/supervised_process.h"
#include "common/file_io.h"
#include "common/replay_config.h"
#include "common/status_macros.h"
#include "common/stop_link.h"
#include "learner/progress_json.h"
#include "learner/run_folder.h"
#include "rpc/free_port.h"
#include "rpc/server_info.h"
#include "spdlog/spdlog.h"

namespace cadre {
namespace {

// How long actors and servers may take to end by themselves.
constexpr absl::Duration kDrain = absl::Seconds(20);

// The processes of one run, and what they are told on their command lines.
class ProcessRun {
 public:
  ProcessRun(const ProcessesOptions& options, std::string binaries)
      : options_(options),
        binaries_(std::move(binaries)),
        run_id_(absl::StrCat(options.config.name(), "-", absl::ToUnixMicros(absl::Now()))) {}
  ~ProcessRun() { EndActors(); }

  absl::Status Start();

  // Until the learner is done or any process has failed for good.
  absl::Status WaitForEnd();

  // The learner saves and finishes the run; the rest follows. From any thread.
  void RequestStop() { learner_->Terminate(); }

  // All at once, and now.
  void EndActors();

  // Waits for the actors, which end by themselves once the run is FINISHED. The
  // servers live until this object goes.
  absl::Status Drain(std::string& account);

 private:
  using Arguments = std::vector<std::string>;

  // Of binary cadre_<program>: what all processes have in common.
  SupervisedProcess::Options Options(std::string name, absl::string_view program,
                                     const Arguments& arguments);
  SupervisedProcess::Options ServerOptions(std::string name, absl::string_view program,
                                           const Arguments& arguments);
  SupervisedProcess::Options ActorOptions(int index);
  SupervisedProcess::Options LearnerOptions();
  Arguments WorkerArguments(const Arguments& more) const;
  // Where the tables are saved, so that a server that dies, or a run that is resumed, goes
  // on with what there was.
  std::string ReplayFolder() const { return absl::StrCat(options_.run_folder, "/replay"); }
  bool Finished() const;
  void OnLine(absl::string_view line) const;

  const ProcessesOptions& options_;
  const std::string binaries_;
  const std::string run_id_;
  std::string replay_address_, parameter_address_;  // Constant after Start().
  absl::Mutex mutex_;
  int ended_ ABSL_GUARDED_BY(mutex_) = 0;
  // In the order in which they start; destroyed, and so ended, in the reverse one.
  std::unique_ptr<SupervisedProcess> replay_, parameters_;
  std::vector<std::unique_ptr<SupervisedProcess>> actors_;
  std::unique_ptr<SupervisedProcess> learner_;
};

SupervisedProcess::Options ProcessRun::Options(std::string name, absl::string_view program,
                                               const Arguments& arguments) {
  SupervisedProcess::Options options;
  options.command = {absl::StrCat(binaries_, "/cadre_", program), "--run_id", run_id_};
  options.command.insert(options.command.end(), arguments.begin(), arguments.end());
  options.log_path =
      absl::StrCat(options_.run_folder, "/logs/", absl::StrReplaceAll(name, {{" ", "-"}}), ".log");
  options.name = std::move(name);
  options.on_end = [this] {
    absl::MutexLock lock(&mutex_);
    ++ended_;
  };
  return options;
}

SupervisedProcess::Options ProcessRun::ServerOptions(std::string name, absl::string_view program,
                                                     const Arguments& arguments) {
  SupervisedProcess::Options options = Options(std::move(name), program, arguments);
  options.still_needed = [] { return true; };
  return options;
}

SupervisedProcess::Options ProcessRun::ActorOptions(int index) {
  SupervisedProcess::Options options =
      Options(absl::StrCat("actor ", index), "actor",
              WorkerArguments(
                  {"--config", ConfigPath(options_.run_folder), "--index", absl::StrCat(index)}));
  options.still_needed = [this] { return !Finished(); };
  return options;
}

SupervisedProcess::Options ProcessRun::LearnerOptions() {
  SupervisedProcess::Options options = Options(
      "learner", "learner", WorkerArguments({"--resume", options_.run_folder, "--progress_lines"}));
  options.on_line = [this](absl::string_view line) { OnLine(line); };
  return options;
}

ProcessRun::Arguments ProcessRun::WorkerArguments(const Arguments& more) const {
  Arguments arguments{"--replay", replay_address_, "--parameters", parameter_address_};
  arguments.insert(arguments.end(), more.begin(), more.end());
  return arguments;
}

bool ProcessRun::Finished() const {
  const absl::StatusOr<v1::ParameterInfoResponse> info = FetchParameterInfo(parameter_address_);
  return info.ok() && info->run_state() == v1::RUN_STATE_FINISHED;
}

void ProcessRun::OnLine(absl::string_view line) const {
  const absl::StatusOr<Progress> progress = ProgressFromJson(line);
  if (!progress.ok())
    spdlog::warn("learner: {}", std::string(progress.status().message()));
  else if (options_.on_progress)
    options_.on_progress(*progress);
}

absl::Status ProcessRun::Start() {
  // Fixed ports, so that a server that is restarted is found again.
  CADRE_ASSIGN_OR_RETURN(const std::vector<int> ports, FreeLoopbackPorts(2));
  replay_address_ = absl::StrCat("127.0.0.1:", ports[0]);
  parameter_address_ = absl::StrCat("127.0.0.1:", ports[1]);
  Arguments replay{"--address", replay_address_, "--config", ConfigPath(options_.run_folder)};
  if (UsesReplay(options_.config)) {
    replay.insert(replay.end(), {"--checkpoint_folder", ReplayFolder(), "--checkpoint_seconds",
                                 absl::StrCat(options_.config.checkpoint().every_seconds())});
  }
  replay_ =
      std::make_unique<SupervisedProcess>(ServerOptions("replay server", "replay_server", replay));
  parameters_ = std::make_unique<SupervisedProcess>(
      ServerOptions("parameter server", "param_server", {"--address", parameter_address_}));
  for (int i = 0; i < options_.config.actors().count(); ++i)
    actors_.push_back(std::make_unique<SupervisedProcess>(ActorOptions(i)));
  learner_ = std::make_unique<SupervisedProcess>(LearnerOptions());

  CADRE_RETURN_IF_ERROR(MakeDirectories(absl::StrCat(options_.run_folder, "/logs")));
  if (UsesReplay(options_.config)) CADRE_RETURN_IF_ERROR(MakeDirectories(ReplayFolder()));
  replay_->Start();
  parameters_->Start();
  learner_->Start();
  for (const auto& actor : actors_) actor->Start();
  return absl::OkStatus();
}

absl::Status ProcessRun::WaitForEnd() {
  int seen = 0;
  while (true) {
    {
      absl::MutexLock lock(&mutex_);
      const auto more = [this, seen]()
                            ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) { return ended_ > seen; };
      mutex_.Await(absl::Condition(&more));
      seen = ended_;
    }
    if (learner_->ended()) return learner_->status();
    CADRE_RETURN_IF_ERROR(replay_->status());
    CADRE_RETURN_IF_ERROR(parameters_->status());
    for (const auto& actor : actors_) CADRE_RETURN_IF_ERROR(actor->status());
  }
}

void ProcessRun::EndActors() {
  for (const auto& actor : actors_) actor->Terminate();
}

absl::Status ProcessRun::Drain(std::string& account) {
  const absl::Time deadline = absl::Now() + kDrain;
  for (const auto& actor : actors_)
    if (!actor->WaitFor(deadline - absl::Now()))
      spdlog::warn("an actor did not end by itself within {}", absl::FormatDuration(kDrain));
  CADRE_ASSIGN_OR_RETURN(const v1::InfoResponse info, FetchReplayInfo(replay_address_));
  const bool table = UsesReplay(options_.config);
  if ((table ? info.tables_size() : info.queues_size()) != 1)
    return absl::InternalError(absl::StrCat("the replay server has ", info.queues_size(),
                                            " queues and ", info.tables_size(),
                                            " tables; wanted 1 ", table ? "table" : "queue"));
  account = table ? TableAccountLine(info.tables(0)) : QueueAccountLine(info.queues(0));
  return WriteFileAtomically(
      absl::StrCat(options_.run_folder, table ? "/table.json" : "/queue.json"),
      table ? AccountJson(info.tables(0)) : AccountJson(info.queues(0)));
}

}  // namespace

absl::Status TrainProcesses(const ProcessesOptions& options, ShutdownSignal& shutdown,
                            std::string& account) {
  std::error_code error;
  const std::filesystem::path self = std::filesystem::read_symlink("/proc/self/exe", error);
  if (error) return absl::InternalError("cannot tell where this program's binaries are");
  ProcessRun run(options, self.parent_path().string());
  CADRE_RETURN_IF_ERROR(run.Start());
  const StopLink stop(shutdown, [&run] { run.RequestStop(); });
  CADRE_RETURN_IF_ERROR(run.WaitForEnd());
  // A learner that was stopped before it began has not set the run FINISHED.
  if (shutdown.requested()) run.EndActors();
  return run.Drain(account);
}

}  // namespace cadre
