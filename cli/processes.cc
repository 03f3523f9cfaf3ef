#include "cli/processes.h"

#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/clock.h"
#include "cli/replay_account.h"
#include "cli/supervised_process.h"
#include "common/bottleneck.h"
#include "common/file_io.h"
#include "common/monotonic_time.h"
#include "common/replay_config.h"
#include "common/run_topology.h"
#include "common/status_macros.h"
#include "common/stop_link.h"
#include "learner/progress_json.h"
#include "learner/run_folder.h"
#include "nlohmann/json.hpp"
#include "rpc/call_group.h"
#include "rpc/free_port.h"
#include "rpc/server_info.h"
#include "spdlog/spdlog.h"

namespace cadre {
namespace {

// How long actors may take to end by themselves; and servers to say what came of the run, as one
// may just have been started again.
constexpr absl::Duration kDrain = absl::Seconds(20);
// The same once the run was asked to stop. Whoever has nothing to save is killed then.
constexpr absl::Duration kStopDrain = absl::Seconds(2);
// After that it says that it waits.
constexpr absl::Duration kQuietDrain = absl::Seconds(2);
constexpr absl::Duration kVerdictInterval = absl::Seconds(5);

// A run that is resumed keeps its id, by which a replay server knows its tables.
absl::StatusOr<std::string> RunId(const ProcessesOptions& options) {
  const std::string path = absl::StrCat(options.run_folder, "/run_id");
  absl::StatusOr<std::string> id = ReadFile(path);
  if (!absl::IsNotFound(id.status())) return id;
  id = absl::StrCat(options.config.name(), "-", absl::ToUnixMicros(absl::Now()));
  CADRE_RETURN_IF_ERROR(WriteFileAtomically(path, *id));
  return id;
}

// Asks a parameter server every few seconds what holds its run back.
class VerdictWatch {
 public:
  VerdictWatch(std::string address, std::function<void(const std::string&)> on_verdict)
      : address_(std::move(address)), on_verdict_(std::move(on_verdict)), thread_([this] {
          while (calls_.Sleep(kVerdictInterval)) Ask();
        }) {}
  ~VerdictWatch() {
    calls_.Close();
    thread_.join();
  }

 private:
  void Ask() {
    const absl::StatusOr<v1::WorkInfoResponse> work = FetchWorkInfo(address_, &calls_);
    if (!work.ok()) return;
    const bool bound = work->bottleneck().verdict() != VerdictName(Verdict::kNone);
    on_verdict_(bound ? work->bottleneck().text() : "");
  }

  const std::string address_;
  const std::function<void(const std::string&)> on_verdict_;
  CallGroup calls_;
  std::thread thread_;
};

// The processes of one run, and what they are told on their command lines.
class ProcessRun {
 public:
  ProcessRun(const ProcessesOptions& options, std::string binaries, std::string run_id)
      : options_(options), binaries_(std::move(binaries)), run_id_(std::move(run_id)) {}
  ~ProcessRun();

  absl::Status Start();

  // Until the learner is done or any process has failed for good.
  absl::Status WaitForEnd();

  // The first learner saves and finishes the run; the rest follows. From any thread.
  void RequestStop();

  // Actors, and all learners but the first: all at once, and now.
  void EndFollowers();

  // Waits for those, which end by themselves once the run is FINISHED, and ends them where a
  // stop is requested, before or while it waits. The servers live until this object goes.
  absl::Status Drain(std::string& account);

  // What became of the experience; see replay_account.h.
  absl::Status WriteAccount(std::string& account);
  absl::Status WriteGradientAccount(std::string& account);

  const std::string& parameter_address() const { return parameter_address_; }

 private:
  using Arguments = std::vector<std::string>;

  // Of binary cadre_<program>: what all processes have in common.
  SupervisedProcess::Options Options(std::string name, absl::string_view program,
                                     const Arguments& arguments);
  // The next port for metrics, which goes into metrics_targets.json; nothing where there are none.
  Arguments MetricsArguments(absl::string_view program);
  SupervisedProcess::Options ServerOptions(std::string name, absl::string_view program,
                                           const Arguments& arguments);
  SupervisedProcess::Options ActorOptions(int index);
  SupervisedProcess::Options LearnerOptions(int rank);
  Arguments WorkerArguments(const Arguments& more) const;
  // Of the parameter server; of this run alone, as a resumed one goes on from the learner's
  // checkpoint.
  std::string SnapshotFolder() const { return absl::StrCat(options_.run_folder, "/parameters"); }
  bool Finished();
  void OnLine(absl::string_view line) const;
  bool stopping() const;
  bool FollowersEnded() const;
  // Until the followers have ended or `most` has passed. A stop that is requested while
  // `until_stop` ends the wait as well.
  void AwaitFollowers(absl::Duration most, bool until_stop);
  // What a server answers to FetchReplayInfo or FetchParameterInfo at the end. Once a stop is
  // requested, before or while it waits, the server has kStopDrain left.
  template <typename Info>
  absl::StatusOr<Info> Ask(absl::StatusOr<Info> (*fetch)(const std::string& address,
                                                         absl::Duration patience, CallGroup* calls),
                           const std::string& address);

  const ProcessesOptions& options_;
  const std::string binaries_;
  const std::string run_id_;
  std::string replay_address_, parameter_address_, rendezvous_;  // Constant after Start().
  nlohmann::json metrics_targets_ = nlohmann::json::array();     // Likewise.
  CallGroup calls_;  // To the servers; closed by a stop.
  mutable absl::Mutex mutex_;
  int ended_ ABSL_GUARDED_BY(mutex_) = 0;
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  // In the order in which they start; destroyed, and so ended, in the reverse one.
  std::unique_ptr<SupervisedProcess> replay_, parameters_;
  std::vector<std::unique_ptr<SupervisedProcess>> actors_;
  std::vector<std::unique_ptr<SupervisedProcess>> learners_;  // By rank.
};

SupervisedProcess::Options ProcessRun::Options(std::string name, absl::string_view program,
                                               const Arguments& arguments) {
  SupervisedProcess::Options options;
  options.command = {absl::StrCat(binaries_, "/cadre_", program), "--run_id", run_id_};
  options.command.insert(options.command.end(), arguments.begin(), arguments.end());
  const Arguments metrics = MetricsArguments(program);
  options.command.insert(options.command.end(), metrics.begin(), metrics.end());
  options.log_path =
      absl::StrCat(options_.run_folder, "/logs/", absl::StrReplaceAll(name, {{" ", "-"}}), ".log");
  options.name = std::move(name);
  options.on_end = [this] {
    absl::MutexLock lock(&mutex_);
    ++ended_;
  };
  return options;
}

ProcessRun::Arguments ProcessRun::MetricsArguments(absl::string_view program) {
  if (options_.metrics_port == 0) return {};
  const std::string address =
      absl::StrCat("127.0.0.1:", options_.metrics_port + metrics_targets_.size());
  const std::string job = absl::StrReplaceAll(absl::StrCat("cadre_", program), {{"_server", ""}});
  metrics_targets_.push_back(
      {{"targets", {address}}, {"labels", {{"job", job}, {"run", run_id_}}}});
  return {"--metrics_port", address};
}

SupervisedProcess::Options ProcessRun::ServerOptions(std::string name, absl::string_view program,
                                                     const Arguments& arguments) {
  SupervisedProcess::Options options = Options(std::move(name), program, arguments);
  options.still_needed = [] { return true; };
  // A table may be large. The parameters are safe: the learner's checkpoint has them.
  if (program != "replay_server" || !UsesReplay(options_.config)) options.kill_after = kStopDrain;
  return options;
}

SupervisedProcess::Options ProcessRun::ActorOptions(int index) {
  SupervisedProcess::Options options =
      Options(absl::StrCat("actor ", index), "actor",
              WorkerArguments(
                  {"--config", ConfigPath(options_.run_folder), "--index", absl::StrCat(index)}));
  options.still_needed = [this] { return !stopping() && !Finished(); };
  options.kill_after = kStopDrain;
  return options;
}

SupervisedProcess::Options ProcessRun::LearnerOptions(int rank) {
  const bool several = LearnerCount(options_.config) > 1;
  Arguments arguments{"--resume", options_.run_folder};
  if (several) arguments.insert(arguments.end(), {"--rank", absl::StrCat(rank)});
  if (rank == 0) arguments.push_back("--progress_lines");
  arguments.insert(arguments.end(), {"--device", options_.device,
                                     options_.cuda_graphs ? "--cuda_graphs" : "--no-cuda_graphs"});
  const bool together = DataParallel(options_.config);
  if (together) arguments.insert(arguments.end(), {"--rendezvous", rendezvous_});
  SupervisedProcess::Options options = Options(several ? absl::StrCat("learner ", rank) : "learner",
                                               "learner", WorkerArguments(arguments));
  if (rank > 0) options.kill_after = kStopDrain;
  if (rank == 0)
    options.on_line = [this](absl::string_view line) { OnLine(line); };
  else if (!together)  // Those that move one model together end together, the first last.
    options.still_needed = [this] { return !stopping() && !Finished(); };
  return options;
}

ProcessRun::Arguments ProcessRun::WorkerArguments(const Arguments& more) const {
  Arguments arguments{"--replay", replay_address_, "--parameters", parameter_address_};
  arguments.insert(arguments.end(), more.begin(), more.end());
  return arguments;
}

bool ProcessRun::Finished() {
  const absl::StatusOr<v1::ParameterInfoResponse> info =
      FetchParameterInfo(parameter_address_, kInfoPatience, &calls_);
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
  CADRE_ASSIGN_OR_RETURN(const std::vector<int> ports, FreeLoopbackPorts(3));
  replay_address_ = absl::StrCat("127.0.0.1:", ports[0]);
  parameter_address_ = absl::StrCat("127.0.0.1:", ports[1]);
  rendezvous_ = absl::StrCat("127.0.0.1:", ports[2]);
  Arguments replay{"--address", replay_address_, "--config", ConfigPath(options_.run_folder)};
  if (UsesReplay(options_.config)) {
    replay.insert(replay.end(),
                  {"--checkpoint_folder", ReplayFolder(options_.run_folder), "--checkpoint_seconds",
                   absl::StrCat(options_.config.checkpoint().every_seconds())});
  }
  replay_ =
      std::make_unique<SupervisedProcess>(ServerOptions("replay server", "replay_server", replay));
  parameters_ = std::make_unique<SupervisedProcess>(
      ServerOptions("parameter server", "param_server",
                    {"--address", parameter_address_, "--snapshot_folder", SnapshotFolder()}));
  for (int rank = 0; rank < LearnerCount(options_.config); ++rank)
    learners_.push_back(std::make_unique<SupervisedProcess>(LearnerOptions(rank)));
  for (int i = 0; i < options_.config.actors().count(); ++i)
    actors_.push_back(std::make_unique<SupervisedProcess>(ActorOptions(i)));

  CADRE_RETURN_IF_ERROR(MakeDirectories(absl::StrCat(options_.run_folder, "/logs")));
  if (UsesReplay(options_.config))
    CADRE_RETURN_IF_ERROR(
        PrepareTables(options_.run_folder, options_.from,
                      {.config = ReplayTable(options_.config), .run_id = run_id_}));
  CADRE_RETURN_IF_ERROR(RemoveTree(options_.run_folder, "parameters"));
  CADRE_RETURN_IF_ERROR(MakeDirectories(SnapshotFolder()));
  if (!metrics_targets_.empty())
    CADRE_RETURN_IF_ERROR(WriteFileAtomically(
        absl::StrCat(options_.run_folder, "/metrics_targets.json"), metrics_targets_.dump(2)));
  replay_->Start();
  parameters_->Start();
  for (const auto& learner : learners_) learner->Start();
  for (const auto& actor : actors_) actor->Start();
  return absl::OkStatus();
}

absl::Status ProcessRun::WaitForEnd() {
  int seen = 0;
  bool stopped = false;
  while (true) {
    {
      absl::MutexLock lock(&mutex_);
      const auto more = [this, seen, stopped]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
        return ended_ > seen || stopping_ != stopped;
      };
      mutex_.Await(absl::Condition(&more));
      seen = ended_;
      stopped = stopping_;
    }
    if (stopped) learners_[0]->End();
    CADRE_RETURN_IF_ERROR(replay_->status());
    CADRE_RETURN_IF_ERROR(parameters_->status());
    if (learners_[0]->ended()) return learners_[0]->status();
    for (const auto& learner : learners_) CADRE_RETURN_IF_ERROR(learner->status());
    for (const auto& actor : actors_) CADRE_RETURN_IF_ERROR(actor->status());
  }
}

ProcessRun::~ProcessRun() {
  calls_.Close();
  EndFollowers();
  if (learners_.empty()) return;
  learners_[0]->Terminate();
  for (const auto& learner : learners_) learner->End();
  for (const auto& actor : actors_) actor->End();
  // Those who used them are gone; both save at the same time.
  replay_->Terminate();
  parameters_->Terminate();
}

void ProcessRun::RequestStop() {
  // Those that move one model together agree on the update after which they stop.
  for (const auto& learner : learners_) learner->Terminate();
  {
    absl::MutexLock lock(&mutex_);
    stopping_ = true;
  }
  calls_.Close();
}

void ProcessRun::EndFollowers() {
  for (const auto& actor : actors_) actor->Terminate();
  for (size_t rank = 1; rank < learners_.size(); ++rank) learners_[rank]->Terminate();
}

bool ProcessRun::stopping() const {
  absl::MutexLock lock(&mutex_);
  return stopping_;
}

bool ProcessRun::FollowersEnded() const {
  const auto ended = [](const auto& process) { return process->ended(); };
  return std::all_of(learners_.begin() + 1, learners_.end(), ended) &&
         std::all_of(actors_.begin(), actors_.end(), ended);
}

void ProcessRun::AwaitFollowers(absl::Duration most, bool until_stop) {
  const MonotonicTime deadline = MonotonicTime::Now() + most;
  int seen = -1;
  const auto more = [this, until_stop, &seen]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    return ended_ > seen || (until_stop && stopping_);
  };
  do {
    absl::MutexLock lock(&mutex_);
    if (!AwaitFor(mutex_, absl::Condition(&more), deadline - MonotonicTime::Now())) return;
    if (until_stop && stopping_) return;
    seen = ended_;
  } while (!FollowersEnded());
}

absl::Status ProcessRun::Drain(std::string& account) {
  AwaitFollowers(kQuietDrain, /*until_stop=*/true);
  if (!FollowersEnded() && !stopping()) {
    spdlog::info("the learner is done; waiting for the other processes of the run");
    AwaitFollowers(kDrain - kQuietDrain, /*until_stop=*/true);
  }
  const bool stopped = stopping();
  if (stopped) {
    // A learner that was stopped before it began has not set the run FINISHED.
    EndFollowers();
    AwaitFollowers(kStopDrain, /*until_stop=*/false);
  }
  const auto warn_of = [stopped](const SupervisedProcess& process, absl::string_view what) {
    if (!process.ended())
      spdlog::warn("{} did not end by itself within {}", std::string(what),
                   absl::FormatDuration(stopped ? kStopDrain : kDrain));
  };
  for (size_t rank = 1; rank < learners_.size(); ++rank) warn_of(*learners_[rank], "a learner");
  for (const auto& actor : actors_) warn_of(*actor, "an actor");
  return WriteAccount(account);
}

template <typename Info>
absl::StatusOr<Info> ProcessRun::Ask(absl::StatusOr<Info> (*fetch)(const std::string& address,
                                                                   absl::Duration patience,
                                                                   CallGroup* calls),
                                     const std::string& address) {
  if (!stopping()) {
    absl::StatusOr<Info> info = fetch(address, kDrain, &calls_);
    if (info.ok() || !stopping()) return info;
  }
  return fetch(address, kStopDrain, nullptr);  // A stop has closed `calls_`.
}

absl::Status ProcessRun::WriteAccount(std::string& account) {
  CADRE_ASSIGN_OR_RETURN(const v1::InfoResponse info, Ask(&FetchReplayInfo, replay_address_));
  const bool table = UsesReplay(options_.config);
  const int wanted = table ? 1 : LearnerCount(options_.config);
  if ((table ? info.tables_size() : info.queues_size()) != wanted)
    return absl::InternalError(absl::StrCat("the replay server has ", info.queues_size(),
                                            " queues and ", info.tables_size(), " tables; wanted ",
                                            wanted, table ? " table" : " queues"));
  if (PushesGradients(options_.config)) CADRE_RETURN_IF_ERROR(WriteGradientAccount(account));
  const v1::QueueInfo queues = SumOfQueues(info);
  account += table ? TableAccountLine(info.tables(0)) : QueueAccountLine(queues);
  return WriteFileAtomically(
      absl::StrCat(options_.run_folder, table ? "/table.json" : "/queue.json"),
      table ? AccountJson(info.tables(0)) : AccountJson(queues));
}

absl::Status ProcessRun::WriteGradientAccount(std::string& account) {
  CADRE_ASSIGN_OR_RETURN(const v1::ParameterInfoResponse info,
                         Ask(&FetchParameterInfo, parameter_address_));
  for (const v1::ModelInfo& model : info.models()) {
    if (model.model() != ModelName(options_.config)) continue;
    account = GradientAccountLine(model) + "\n";
    return WriteFileAtomically(absl::StrCat(options_.run_folder, "/gradients.json"),
                               AccountJson(model));
  }
  return absl::InternalError(
      absl::StrCat("the parameter server has no model '", ModelName(options_.config), "'"));
}

absl::Status RunProcesses(const ProcessesOptions& options, ShutdownSignal& shutdown,
                          std::string& account, int64_t& newest_table) {
  std::error_code error;
  const std::filesystem::path self = std::filesystem::read_symlink("/proc/self/exe", error);
  if (error) return absl::InternalError("cannot tell where this program's binaries are");
  CADRE_ASSIGN_OR_RETURN(std::string run_id, RunId(options));
  ProcessRun run(options, self.parent_path().string(), std::move(run_id));
  CADRE_RETURN_IF_ERROR(run.Start());
  const StopLink stop(shutdown, [&run] { run.RequestStop(); });
  {
    std::optional<VerdictWatch> watch;
    if (options.on_verdict) watch.emplace(run.parameter_address(), options.on_verdict);
    CADRE_RETURN_IF_ERROR(run.WaitForEnd());
  }
  const absl::Status drained = run.Drain(account);
  newest_table = NewestTable(options.run_folder);
  if (drained.ok() || !shutdown.requested()) return drained;
  spdlog::warn("there is no account of the run: {}", std::string(drained.message()));
  return absl::OkStatus();
}

}  // namespace

absl::Status TrainProcesses(const ProcessesOptions& options, ShutdownSignal& shutdown,
                            std::string& account) {
  int64_t newest_table = 0;  // Before the replay server saved its last one.
  CADRE_RETURN_IF_ERROR(RunProcesses(options, shutdown, account, newest_table));
  return UsesReplay(options.config) ? PairNewestTable(options.run_folder, newest_table)
                                    : absl::OkStatus();
}

}  // namespace cadre
