#include "learner/learner_process.h"

#include <csignal>
#include <cstdio>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/synchronization/notification.h"
#include "absl/time/clock.h"
#include "common/metrics.h"
#include "common/replay_config.h"
#include "common/status_macros.h"
#include "common/stop_link.h"
#include "envs/experiment.h"
#include "learner/learner_metrics.h"
#include "learner/progress_json.h"
#include "learner/training_run.h"
#include "rpc/call_group.h"
#include "rpc/experience_client.h"
#include "rpc/parameter_client.h"
#include "rpc/parameter_fetch.h"
#include "rpc/replay_source.h"
#include "spdlog/spdlog.h"

namespace cadre {
namespace {

// A supervisor redraws a display; more often than this nobody sees it.
constexpr absl::Duration kLineInterval = absl::Milliseconds(50);

// Whoever stops the learner may have stopped the parameter server as well: so long it
// is waited for, before the learner saves.
constexpr absl::Duration kStopGrace = absl::Seconds(3);

// Closes a sink some time after a stop, so that nothing waits for it any longer.
class StopGrace {
 public:
  explicit StopGrace(ParameterSink* sink) : sink_(sink) {}
  ~StopGrace() {
    done_.Notify();
    if (thread_.joinable()) thread_.join();
  }

  // At most once.
  void Begin() {
    thread_ = std::thread([this] {
      if (!done_.WaitForNotificationWithTimeout(kStopGrace)) sink_->Close();
    });
  }

 private:
  ParameterSink* const sink_;
  absl::Notification done_;
  std::thread thread_;
};

absl::StatusOr<std::unique_ptr<TrainingRun>> MakeRun(const LearnerProcessOptions& options) {
  const bool resuming = !options.resume.empty();
  const std::string path = resuming ? ConfigPath(options.resume) : options.config;
  if (path.empty()) return absl::InvalidArgumentError("give --config, or --resume a run folder");
  CADRE_ASSIGN_OR_RETURN(const Experiment experiment,
                         LoadExperiment(path, options.overrides, options.seed));
  return resuming ? TrainingRun::Resume(experiment.config, experiment.environment, options.resume)
                  : TrainingRun::Create(experiment.config, experiment.environment, options.out);
}

// FetchNewestVersion, which a shutdown ends: then 0.
absl::StatusOr<int64_t> PublishedVersion(const ParameterClientOptions& options,
                                         absl::Duration patience, ShutdownSignal& shutdown) {
  CallGroup calls;
  const StopLink stop(shutdown, [&] { calls.Close(); });
  absl::StatusOr<int64_t> version = FetchNewestVersion(options, patience, calls);
  return !version.ok() && shutdown.requested() ? 0 : version;
}

// The ports and what is behind them.
struct RemoteExperience {
  std::unique_ptr<ExperienceSource> queue;
  std::unique_ptr<ReplaySource> replay;
  ExperiencePorts ports;
};

absl::StatusOr<RemoteExperience> ConnectToExperience(const LearnerProcessOptions& options,
                                                     const Trainer& trainer) {
  RemoteExperience experience;
  const auto fill = [&](auto& source) {
    source.run_id = options.run_id;
    source.spec = trainer.experience_spec();
    source.name = "learner";
    source.outage.connect_timeout = absl::Seconds(options.connect_seconds);
  };
  if (UsesReplay(trainer.config())) {
    const std::vector<std::string> addresses = absl::StrSplit(options.replay_address, ',');
    if (trainer.config().actors().mode() == ActorsConfig::LOCKSTEP && addresses.size() > 1)
      return absl::InvalidArgumentError(absl::StrCat("--replay: got ", addresses.size(),
                                                     " addresses; wanted 1 where actors.mode is "
                                                     "LOCKSTEP"));
    ReplaySourceOptions source;
    fill(source);
    source.table = kReplayTable;
    CADRE_ASSIGN_OR_RETURN(experience.replay, MakeRemoteReplaySource(addresses, std::move(source)));
  } else {
    ExperienceClientOptions source;
    fill(source);
    source.address = options.replay_address;
    CADRE_ASSIGN_OR_RETURN(experience.queue, RemoteExperienceSource::Create(source));
  }
  experience.ports = {.queue = experience.queue.get(), .replay = experience.replay.get()};
  return experience;
}

}  // namespace

absl::Status RunLearnerProcess(const LearnerProcessOptions& options, ShutdownSignal& shutdown) {
  CADRE_ASSIGN_OR_RETURN(auto run, MakeRun(options));
  Trainer& trainer = run->trainer();
  // Whenever it dies from here on, there is something to go on from.
  CADRE_RETURN_IF_ERROR(trainer.SaveIfUnsaved());
  ParameterClientOptions parameter_options;
  parameter_options.address = options.parameter_address;
  parameter_options.run_id = options.run_id;
  parameter_options.model = trainer.config().name();
  CADRE_ASSIGN_OR_RETURN(auto sink, RemoteParameterSink::Create(parameter_options));
  CADRE_ASSIGN_OR_RETURN(const RemoteExperience experience, ConnectToExperience(options, trainer));
  // An earlier learner of this run may have published more than it saved.
  CADRE_ASSIGN_OR_RETURN(
      const int64_t published,
      PublishedVersion(parameter_options, absl::Seconds(options.connect_seconds), shutdown));
  if (shutdown.requested()) return absl::OkStatus();
  trainer.ContinueVersionsFrom(published);

  const auto metrics = std::make_shared<LearnerMetrics>(&trainer.times());
  std::unique_ptr<MetricsServer> metrics_server;
  if (!options.metrics_address.empty()) {
    CADRE_ASSIGN_OR_RETURN(metrics_server,
                           MetricsServer::Create(options.metrics_address, metrics, nullptr));
  }
  // A supervisor that is gone is no reason to die before saving.
  if (options.progress_lines) std::signal(SIGPIPE, SIG_IGN);
  absl::Time last_line = absl::InfinitePast();
  run->set_listener([&](const Progress& progress) {
    metrics->Update(progress);
    if (!options.progress_lines || absl::Now() - last_line < kLineInterval) return;
    last_line = absl::Now();
    std::printf("%s\n", ProgressToJson(progress).c_str());
    std::fflush(stdout);
  });
  StopGrace grace(sink.get());
  const StopLink stop(shutdown, [&] {
    trainer.RequestStop();
    grace.Begin();
    experience.ports.Close();
  });
  const absl::Status status = trainer.Run(experience.ports, *sink);
  experience.ports.Close();
  CADRE_RETURN_IF_ERROR(run->Finish(status));
  if (options.progress_lines) std::printf("%s\n", ProgressToJson(run->newest()).c_str());
  spdlog::info("{}", FormatSummary(trainer, run->folder()));
  return absl::OkStatus();
}

}  // namespace cadre
