#include "learner/learner_process.h"

#include <atomic>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/time/time.h"
#include "common/config/agreed_settings.h"
#include "common/config/replay_config.h"
#include "common/config/run_topology.h"
#include "common/process/exit_code.h"
#include "common/process/finish_watch.h"
#include "common/process/monotonic_time.h"
#include "common/process/stop_link.h"
#include "common/process/timer.h"
#include "common/status_macros.h"
#include "envs/experiment.h"
#include "learner/learning_device.h"
#include "learner/loop/training_run.h"
#include "learner/parallel/c10d_collective.h"
#include "learner/run_config.h"
#include "learner/run_folder/checkpoint.h"
#include "learner/run_folder/progress_json.h"
#include "learner/run_folder/version_record.h"
#include "learner/run_metrics.h"
#include "rpc/client/call_group.h"
#include "rpc/client/experience_client.h"
#include "rpc/client/gradient_client.h"
#include "rpc/client/parameter_client.h"
#include "rpc/client/parameter_fetch.h"
#include "rpc/client/replay_source.h"
#include "rpc/client/work_reporter.h"
#include "rpc/shards/replay_watch.h"
#include "spdlog/spdlog.h"

namespace cadre {
namespace {

// A supervisor redraws a display; more often than this nobody sees it.
constexpr absl::Duration kLineInterval = absl::Milliseconds(50);

// How long joining the other learners may go on after a stop.
constexpr absl::Duration kJoinGrace = absl::Seconds(1);

// What a learner left that died before its first checkpoint is replaced, as nobody could go
// on from it.
bool ReplacesUnsaved(const LearnerProcessOptions& options) {
  return options.supervised && !options.out.empty() && options.rank == 0;
}

// The run folder to go on with; empty: there is none yet.
std::string FolderToResume(const LearnerProcessOptions& options) {
  if (!ReplacesUnsaved(options)) return options.resume;
  return FindCheckpoint(options.out, "last").ok() ? options.out : "";
}

absl::StatusOr<std::unique_ptr<TrainingRun>> MakeRun(LearnerProcessOptions options) {
  options.resume = FolderToResume(options);
  const bool resuming = !options.resume.empty();
  if (!resuming && options.config.empty())
    return absl::InvalidArgumentError("give --config, or --resume a run folder");
  // As every process of the run is given the config, not only the learner.
  CADRE_ASSIGN_OR_RETURN(const Experiment experiment,
                         options.config.empty()
                             ? LoadRunExperiment(options.resume, options.overrides, options.seed)
                             : LoadExperiment(options.config, options.overrides, options.seed));
  if (options.rank < 0 || options.rank >= LearnerCount(experiment.config))
    return absl::InvalidArgumentError(absl::StrCat("--rank: got ", options.rank,
                                                   "; wanted one of learners.count, 0 to ",
                                                   LearnerCount(experiment.config) - 1));
  CADRE_ASSIGN_OR_RETURN(const DeviceOptions device,
                         OpenLearningDevice(options.device, options.cuda_graphs, options.rank));
  if (!device.device.is_cpu()) spdlog::info("learns on {}", device.device.str());
  if (options.rank > 0) return TrainingRun::Join(experiment, options.resume, options.rank, device);
  return resuming ? TrainingRun::Resume(experiment, options.resume, device)
                  : TrainingRun::Create(experiment, options.out, device, ReplacesUnsaved(options));
}

// What a shutdown before the first update ends with.
absl::Status StoppedEarly(const LearnerProcessOptions& options) {
  return options.supervised ? absl::AbortedError("stopped before it began; start it again")
                            : absl::OkStatus();
}

ParameterClientOptions ParameterOptions(const LearnerProcessOptions& options, std::string model) {
  ParameterClientOptions client;
  client.address = options.parameter_address;
  client.run_id = options.run_id;
  client.model = std::move(model);
  return client;
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
struct Connections {
  std::unique_ptr<RemoteParameterSink> sink;
  std::unique_ptr<VersionRecord> record;  // Of learners that publish and have a run folder.
  std::unique_ptr<RecordingParameterSink> recorded;  // `sink`, with `record`.
  std::unique_ptr<RemoteGradientSink> gradients;     // Of learners that push.
  std::unique_ptr<RemoteParameterSource> first;
  std::unique_ptr<ExperienceSource> queue;
  std::unique_ptr<ReplaySource> replay;
  ExperiencePorts ports;

  // What the learner publishes to.
  ParameterSink& parameters() const {
    return recorded != nullptr ? static_cast<ParameterSink&>(*recorded) : *sink;
  }
  void CutSinksShort() const {
    sink->CutShort();
    if (gradients != nullptr) gradients->CutShort();
  }
  void CloseSinks() const {
    sink->Close();
    if (gradients != nullptr) gradients->Close();
  }
};

absl::Status ConnectToExperience(const LearnerProcessOptions& options, const Trainer& trainer,
                                 Connections& connections) {
  const auto fill = [&](auto& source) {
    source.run_id = options.run_id;
    source.spec =
        WithAgreedSettings(trainer.experience_spec(), LearnersAgreedSettings(trainer.config()));
    source.name = absl::StrCat("learner-", options.rank);
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
    CADRE_ASSIGN_OR_RETURN(connections.replay,
                           MakeRemoteReplaySource(addresses, std::move(source)));
  } else {
    ExperienceClientOptions source;
    fill(source);
    source.address = options.replay_address;
    source.target = QueueName(trainer.config(), options.rank);
    CADRE_ASSIGN_OR_RETURN(connections.queue, RemoteExperienceSource::Create(source));
  }
  return absl::OkStatus();
}

absl::StatusOr<Connections> Connect(const LearnerProcessOptions& options, const Trainer& trainer) {
  Connections connections;
  CADRE_ASSIGN_OR_RETURN(connections.sink, RemoteParameterSink::Create(ParameterOptions(
                                               options, ModelName(trainer.config()))));
  if (PushesGradients(trainer.config())) {
    GradientClientOptions client;
    client.address = options.parameter_address;
    client.run_id = options.run_id;
    CADRE_ASSIGN_OR_RETURN(connections.gradients, RemoteGradientSink::Create(client));
  }
  if (options.rank > 0) {
    CADRE_ASSIGN_OR_RETURN(connections.first, RemoteParameterSource::Create(ParameterOptions(
                                                  options, ModelName(trainer.config()))));
  }
  CADRE_RETURN_IF_ERROR(ConnectToExperience(options, trainer, connections));
  connections.ports = {.queue = connections.queue.get(),
                       .replay = connections.replay.get(),
                       .gradients = connections.gradients.get(),
                       .first = connections.first.get()};
  return connections;
}

// Versions continue above the one that the server has, and above all that earlier lives of
// this learner published: the server may have been lost with the last of them, and those who
// live on hold newer versions than it has.
absl::Status ContinueVersions(const LearnerProcessOptions& options, int64_t published,
                              TrainingRun& run, Connections& connections) {
  Trainer& trainer = run.trainer();
  trainer.ContinueVersionsFrom(published);
  const bool publishes = options.rank == 0 || PushesGradients(trainer.config());
  if (!publishes || run.folder().empty()) return absl::OkStatus();
  CADRE_ASSIGN_OR_RETURN(connections.record,
                         VersionRecord::Open(VersionRecordPath(run.folder(), options.rank)));
  connections.recorded =
      std::make_unique<RecordingParameterSink>(connections.sink.get(), connections.record.get());
  const int64_t highest = connections.record->highest();
  if (highest > published)
    spdlog::info(
        "the parameter server at {} has version {} of '{}', but up to version {} was published; "
        "continuing above that",
        options.parameter_address, published, ActingModelName(trainer.config(), options.rank),
        highest);
  trainer.ContinueVersionsFrom(highest);
  return absl::OkStatus();
}

// With the config's other learners, where they move one model together; null otherwise.
absl::StatusOr<std::unique_ptr<Collective>> JoinLearners(const LearnerProcessOptions& options,
                                                         const ExperimentConfig& config,
                                                         ShutdownSignal& shutdown) {
  if (!DataParallel(config)) return nullptr;
  // Nothing that this learner knows is lost yet. c10d connects to the others for minutes where
  // one falls silent, and cannot be stopped: then the process ends in the middle of it.
  std::unique_ptr<Timer> patience;
  const StopLink stop(shutdown, [&] {
    patience = Timer::StartOrCall(
        kJoinGrace, [&] { std::_Exit(ReportAndExitCode(StoppedEarly(options), "cadre_learner")); });
  });
  return JoinC10d({.address = options.rendezvous,
                   .rank = options.rank,
                   .size = LearnerCount(config),
                   .join_timeout = absl::Seconds(options.connect_seconds),
                   .timeout = absl::Seconds(options.collective_seconds),
                   .stop_requested = [&shutdown] { return shutdown.requested(); },
                   .on_transport =
                       [](absl::string_view transport) {
                         spdlog::info("learners sum what is on their GPUs over {}",
                                      std::string(transport));
                       }});
}

v1::WorkReport ReportOf(const Trainer& trainer, int32_t rank, int64_t steps) {
  v1::WorkReport report;
  report.set_role(v1::WORKER_ROLE_LEARNER);
  report.set_name(absl::StrCat("learner-", rank));
  for (const auto& [stage, name] : kLearnStageNames) {
    v1::StageSeconds& seconds = *report.add_stages();
    seconds.set_stage(name);
    seconds.set_seconds(trainer.times().seconds(stage));
  }
  report.set_steps(steps);
  report.set_lockstep(trainer.config().actors().mode() == ActorsConfig::LOCKSTEP);
  return report;
}

}  // namespace

absl::Status RunLearnerProcess(const LearnerProcessOptions& options, ShutdownSignal& shutdown) {
  CADRE_ASSIGN_OR_RETURN(auto run, MakeRun(options));
  Trainer& trainer = run->trainer();
  CADRE_ASSIGN_OR_RETURN(const auto metrics, RunMetrics::Create(*run, options.metrics_address));
  CADRE_RETURN_IF_ERROR(run->Begin());
  CADRE_ASSIGN_OR_RETURN(Connections connections, Connect(options, trainer));
  const ExperiencePorts& ports = connections.ports;
  // An earlier learner of this run may have published more than it saved.
  CADRE_ASSIGN_OR_RETURN(
      const int64_t published,
      PublishedVersion(ParameterOptions(options, ActingModelName(trainer.config(), options.rank)),
                       absl::Seconds(options.connect_seconds), shutdown));
  if (shutdown.requested()) return StoppedEarly(options);
  CADRE_RETURN_IF_ERROR(ContinueVersions(options, published, *run, connections));
  absl::StatusOr<std::unique_ptr<Collective>> collective =
      JoinLearners(options, trainer.config(), shutdown);
  if (shutdown.requested()) return StoppedEarly(options);
  CADRE_RETURN_IF_ERROR(collective.status());
  trainer.set_collective(collective->get());
  trainer.set_stays_open(options.supervised);

  // A supervisor that is gone is no reason to die before saving.
  if (options.progress_lines) std::signal(SIGPIPE, SIG_IGN);
  MonotonicTime last_line;
  std::atomic<int64_t> steps = trainer.env_steps();
  run->set_listener([&](const Progress& progress) {
    metrics->Update(progress);
    steps = progress.env_steps;
    if (!options.progress_lines || MonotonicTime::Now() - last_line < kLineInterval) return;
    last_line = MonotonicTime::Now();
    std::printf("%s\n", ProgressToJson(progress).c_str());
    std::fflush(stdout);
  });
  std::unique_ptr<Timer> grace;
  const StopLink stop(shutdown, [&] {
    trainer.RequestStop();
    // Whoever stops the learner may have stopped the parameter server as well.
    grace = Timer::StartOrCall(Trainer::kSinkGrace, [&] { connections.CutSinksShort(); });
    ports.Close();
  });
  std::unique_ptr<FinishWatch> finish;  // Of learners that do not finish the run themselves.
  if (ports.first != nullptr) {
    CADRE_ASSIGN_OR_RETURN(finish, FinishWatch::Start(ports.first, [&](bool finished) {
                             if (!finished) return;
                             trainer.RequestStop();
                             connections.CloseSinks();
                             ports.Close();
                           }));
  }
  // The first alone asks the replay servers, for all.
  std::unique_ptr<ReplayWatch> replay;
  if (options.rank == 0) {
    const std::vector<std::string> addresses = absl::StrSplit(options.replay_address, ',');
    CADRE_ASSIGN_OR_RETURN(replay, ReplayWatch::Create(addresses));
  }
  auto reporter = std::make_unique<WorkReporter>(
      WorkReporterOptions{.channel = connections.sink->channel(), .run_id = options.run_id},
      [&](CallGroup& calls) {
        v1::WorkReport report = ReportOf(trainer, options.rank, steps);
        if (replay != nullptr) replay->AddTo(report, calls);
        return report;
      });
  const absl::Status status = trainer.Run(ports, connections.parameters());
  reporter.reset();
  finish.reset();
  ports.Close();
  CADRE_RETURN_IF_ERROR(run->Finish(status));
  if (options.progress_lines) std::printf("%s\n", ProgressToJson(run->newest()).c_str());
  spdlog::info("{}", FormatSummary(trainer, run->folder()));
  return absl::OkStatus();
}

}  // namespace cadre
