#include "cli/processes.h"

#include <algorithm>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "cli/process_commands.h"
#include "cli/run_account.h"
#include "cli/supervised_process.h"
#include "cli/verdict_watch.h"
#include "common/config/replay_config.h"
#include "common/config/run_topology.h"
#include "common/process/monotonic_time.h"
#include "common/process/start_thread.h"
#include "common/process/stop_link.h"
#include "common/status_macros.h"
#include "learner/run_folder/progress_json.h"
#include "rpc/client/call_group.h"
#include "rpc/server/server_info.h"
#include "spdlog/spdlog.h"

namespace cadre {
namespace {

// How long actors may take to end by themselves; and servers to say what came of the run, as one
// may just have been started again.
constexpr absl::Duration kDrain = absl::Seconds(20);
// The same once the run was asked to stop. Whoever has not ended by then is killed, unless it has
// answered the stop and saves: see SupervisedProcess.
constexpr absl::Duration kStopDrain = absl::Seconds(2);
// Of whoever saves: an update, or a file system that takes its time.
constexpr absl::Duration kSavePause = absl::Seconds(15);
// After that it says that it waits.
constexpr absl::Duration kQuietDrain = absl::Seconds(2);

// The processes of one run.
class ProcessRun {
 public:
  ProcessRun(const ProcessesOptions& options, ProcessCommands commands)
      : options_(options), commands_(std::move(commands)) {}
  ~ProcessRun();

  absl::Status Start();

  // Until the learner is done or any process has failed for good.
  absl::Status WaitForEnd();

  // The first learner saves and finishes the run; the rest follows. From any thread.
  void RequestStop();

  // Actors, and all learners but the first: all at once, and now.
  void EndFollowers();

  // Waits for those, which end by themselves once the run is FINISHED, and ends them where a
  // stop is requested, before or while it waits. Then the servers, which live until this object
  // goes, are asked for their account.
  absl::StatusOr<std::string> Drain();

 private:
  SupervisedProcess::Options ServerOptions(SupervisedProcess::Options options, bool saves);
  SupervisedProcess::Options LearnerOptions(int rank);
  SupervisedProcess::Options ActorOptions(int index);
  bool Finished();
  void OnLine(absl::string_view line) const;
  bool stopping() const;
  bool FollowersEnded() const;
  // Until the followers have ended or `most` has passed. A stop that is requested while
  // `until_stop` ends the wait as well.
  void AwaitFollowers(absl::Duration most, bool until_stop);
  void CountEnd();

  const ProcessesOptions& options_;
  ProcessCommands commands_;  // Constant after Start().
  CallGroup calls_;           // To the servers; closed by a stop.
  mutable absl::Mutex mutex_;
  int ended_ ABSL_GUARDED_BY(mutex_) = 0;
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  // In the order in which they start; destroyed, and so ended, in the reverse one.
  std::unique_ptr<SupervisedProcess> replay_, parameters_;
  std::vector<std::unique_ptr<SupervisedProcess>> actors_;
  std::vector<std::unique_ptr<SupervisedProcess>> learners_;  // By rank.
};

void ProcessRun::CountEnd() {
  absl::MutexLock lock(&mutex_);
  ++ended_;
}

SupervisedProcess::Options ProcessRun::ServerOptions(SupervisedProcess::Options options,
                                                     bool saves) {
  options.on_end = [this] { CountEnd(); };
  options.still_needed = [] { return true; };
  options.kill_after = kStopDrain;
  if (saves) options.save_pause = kSavePause;
  return options;
}

SupervisedProcess::Options ProcessRun::ActorOptions(int index) {
  SupervisedProcess::Options options = commands_.Actor(index);
  options.on_end = [this] { CountEnd(); };
  options.still_needed = [this] { return !stopping() && !Finished(); };
  options.kill_after = kStopDrain;
  return options;
}

SupervisedProcess::Options ProcessRun::LearnerOptions(int rank) {
  SupervisedProcess::Options options = commands_.Learner(rank);
  options.on_end = [this] { CountEnd(); };
  options.kill_after = kStopDrain;
  if (rank == 0) options.save_pause = kSavePause;
  if (rank == 0)
    options.on_line = [this](absl::string_view line) { OnLine(line); };
  else if (!DataParallel(options_.config))  // Those that are end together, the first last.
    options.still_needed = [this] { return !stopping() && !Finished(); };
  return options;
}

bool ProcessRun::Finished() {
  const absl::StatusOr<v1::ParameterInfoResponse> info =
      FetchParameterInfo(commands_.parameter_address(), kInfoPatience, &calls_);
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
  const bool replay = UsesReplay(options_.config);
  // A table may be large. The parameters are safe: the learner's checkpoint has them.
  replay_ = std::make_unique<SupervisedProcess>(
      ServerOptions(commands_.ReplayServer(), /*saves=*/replay));
  parameters_ = std::make_unique<SupervisedProcess>(
      ServerOptions(commands_.ParameterServer(), /*saves=*/false));
  for (int rank = 0; rank < LearnerCount(options_.config); ++rank)
    learners_.push_back(std::make_unique<SupervisedProcess>(LearnerOptions(rank)));
  for (int i = 0; i < options_.config.actors().count(); ++i)
    actors_.push_back(std::make_unique<SupervisedProcess>(ActorOptions(i)));

  if (replay)
    CADRE_RETURN_IF_ERROR(
        PrepareTables(options_.run_folder, options_.from,
                      {.config = ReplayTable(options_.config), .run_id = commands_.run_id()}));
  CADRE_RETURN_IF_ERROR(commands_.PrepareFolders());
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

absl::StatusOr<std::string> ProcessRun::Drain() {
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
  return RunAccount(options_.config, options_.run_folder,
                    {.replay_address = commands_.replay_address(),
                     .parameter_address = commands_.parameter_address(),
                     .patience = kDrain,
                     .stop_patience = kStopDrain,
                     .calls = &calls_,
                     .stopping = [this] { return stopping(); }})
      .Write();
}

absl::Status RunProcesses(const ProcessesOptions& options, ShutdownSignal& shutdown,
                          std::string& account, int64_t& newest_table) {
  CADRE_ASSIGN_OR_RETURN(ProcessCommands commands, ProcessCommands::Create(options));
  const std::string parameters = commands.parameter_address();
  ProcessRun run(options, std::move(commands));
  CADRE_RETURN_IF_ERROR(run.Start());
  const StopLink stop(shutdown, [&run] { run.RequestStop(); });
  {
    std::optional<VerdictWatch> watch;
    if (options.on_verdict) watch.emplace(parameters, options.on_verdict);
    CADRE_RETURN_IF_ERROR(run.WaitForEnd());
  }
  absl::StatusOr<std::string> drained = run.Drain();
  newest_table = NewestTable(options.run_folder);
  if (drained.ok()) account = *std::move(drained);
  if (drained.ok() || !shutdown.requested()) return drained.status();
  spdlog::warn("there is no account of the run: {}", std::string(drained.status().message()));
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
