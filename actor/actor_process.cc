#include "actor/actor_process.h"

#include <chrono>
#include <memory>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "actor/act_loop.h"
#include "actor/actor_index.h"
#include "actor/actor_metrics.h"
#include "actor/experience_target.h"
#include "common/config/config.h"
#include "common/config/replay_config.h"
#include "common/config/run_topology.h"
#include "common/metrics/metrics.h"
#include "common/metrics/process_metrics.h"
#include "common/process/finish_watch.h"
#include "common/process/stop_link.h"
#include "common/status_macros.h"
#include "envs/experiment.h"
#include "rpc/client/call_group.h"
#include "rpc/client/parameter_client.h"
#include "rpc/client/parameter_fetch.h"
#include "rpc/client/work_reporter.h"
#include "rpc/shards/sharded_experience_sink.h"
#include "spdlog/spdlog.h"

namespace cadre {
namespace {

// Actors are spread over the replicas of a parameter server by their index.
absl::StatusOr<std::string> OneOfAddresses(const std::string& addresses, int32_t index) {
  const std::vector<std::string> each = absl::StrSplit(addresses, ',');
  for (const std::string& address : each)
    if (address.empty())
      return absl::InvalidArgumentError(absl::StrCat("parameter server: got addresses '", addresses,
                                                     "'; wanted host:port of each"));
  return each[static_cast<size_t>(index) % each.size()];
}

absl::StatusOr<v1::ValueEncoding> ParseEncoding(const std::string& name) {
  if (name == "float32") return v1::VALUE_ENCODING_FLOAT32;
  if (name == "bf16") return v1::VALUE_ENCODING_BFLOAT16;
  return absl::InvalidArgumentError(
      absl::StrCat("parameter_encoding: got '", name, "'; wanted float32 or bf16"));
}

absl::StatusOr<std::chrono::nanoseconds> ParsePace(double seconds) {
  constexpr double kMost = 3600;
  if (seconds >= 0 && seconds <= kMost)
    return std::chrono::nanoseconds(static_cast<int64_t>(seconds * 1e9));
  return absl::InvalidArgumentError(
      absl::StrCat("step_seconds: got ", seconds, "; wanted 0 to ", kMost));
}

v1::WorkReport ReportOf(const ExperimentConfig& config, const ActLoop& loop,
                        const ShardedExperienceSink& sink, const std::string& name) {
  v1::WorkReport report;
  report.set_role(v1::WORKER_ROLE_ACTOR);
  report.set_name(name);
  for (const auto& [stage, stage_name] : kActStageNames) {
    v1::StageSeconds& seconds = *report.add_stages();
    seconds.set_stage(stage_name);
    seconds.set_seconds(loop.times().seconds(stage));
  }
  report.set_steps(loop.steps());
  report.set_environments(config.actors().environments_per_actor());
  report.set_lockstep(config.actors().mode() == ActorsConfig::LOCKSTEP);
  report.set_unsettled_rollouts_seconds(sink.counts().unsettled_seconds);
  return report;
}

absl::StatusOr<int32_t> IndexOf(const ActorProcessOptions& options, int32_t learners) {
  if (options.learner >= learners)
    return absl::InvalidArgumentError(absl::StrCat(
        "--learner: got ", options.learner, "; wanted one of learners.count, 0 to ", learners - 1));
  return options.name.empty() ? options.index
                              : ActorIndexOf(options.name, learners, options.learner);
}

}  // namespace

absl::Status RunActorProcess(ActorProcessOptions options, ShutdownSignal& shutdown) {
  CADRE_ASSIGN_OR_RETURN(const Experiment experiment,
                         LoadExperiment(options.config, options.overrides));
  const ExperimentConfig& config = experiment.config;
  CADRE_ASSIGN_OR_RETURN(const std::chrono::nanoseconds pace, ParsePace(options.step_seconds));
  CADRE_ASSIGN_OR_RETURN(options.index, IndexOf(options, LearnerCount(config)));
  ParameterClientOptions source_options;
  CADRE_ASSIGN_OR_RETURN(source_options.address,
                         OneOfAddresses(options.parameter_address, options.index));
  CADRE_ASSIGN_OR_RETURN(source_options.encoding, ParseEncoding(options.parameter_encoding));
  source_options.run_id = options.run_id;
  source_options.model = ActingModelName(config, LearnerOf(config, options.index));
  CADRE_ASSIGN_OR_RETURN(auto source, RemoteParameterSource::Create(source_options));
  CADRE_ASSIGN_OR_RETURN(
      const ExperienceTarget target,
      FindExperienceTarget(config, experiment.environment.observation,
                           experiment.environment.action, options.replay_address, options.index));
  ShardedSinkOptions sharded_options;
  sharded_options.places = target.places;
  sharded_options.first = target.first;
  // A learner without experience holds up all others that move its model.
  if (!UsesReplay(config)) sharded_options.ask_every = absl::Seconds(1);
  ExperienceSinkOptions& sink_options = sharded_options.sink;
  sink_options.run_id = options.run_id;
  sink_options.spec = target.spec;
  sink_options.name = options.name.empty() ? absl::StrCat("actor-", options.index) : options.name;
  sink_options.max_unsettled_rollouts = target.max_unsettled_rollouts;
  // After a refusal the update lacks a rollout, and the actor would wait for it for ever.
  if (config.actors().mode() == ActorsConfig::LOCKSTEP) {
    sink_options.max_refusals = 1;
    sink_options.on_end = [&source] { source->Close(); };
  }
  const absl::Duration patience = absl::Seconds(options.connect_seconds);
  sink_options.outage.connect_timeout = patience;
  CADRE_ASSIGN_OR_RETURN(auto sink, ShardedExperienceSink::Create(sharded_options));
  CADRE_ASSIGN_OR_RETURN(auto loop,
                         ActLoop::Create(config, options.index, source.get(), sink.get(), pace));

  std::unique_ptr<MetricsServer> metrics;
  if (!options.metrics_address.empty()) {
    CADRE_ASSIGN_OR_RETURN(
        metrics,
        MetricsServer::Create(options.metrics_address, std::make_shared<ActorMetrics>(loop.get()),
                              nullptr, {std::make_shared<ProcessMetrics>("actor")}));
  }
  CallGroup calls;
  const StopLink stop(shutdown, [&] {
    calls.Close();
    loop->RequestStop();
    source->Close();
    sink->Close();
  });
  // Both servers answer before anything is stepped.
  absl::Status status = FetchNewestVersion(source_options, patience, calls).status();
  if (status.ok()) status = sink->WaitConnected();
  if (status.ok()) {
    spdlog::info("actor {} of '{}' acts for run '{}'", options.index, config.name(),
                 options.run_id);
    // Ends the loop when the run is FINISHED: an Append that is held back, and a rollout that
    // nobody will want.
    CADRE_ASSIGN_OR_RETURN(const auto watch, FinishWatch::Start(source.get(), [&](bool finished) {
                             if (finished) loop->RequestStop();
                             sink->Close();
                           }));
    const WorkReporter reporter(
        {.channel = source->channel(), .run_id = options.run_id},
        [&](CallGroup&) { return ReportOf(config, *loop, *sink, sink_options.name); });
    status = loop->Run();
    // What ended the sink ended the loop's wait for parameters.
    if (absl::IsCancelled(status) && !sink->end().ok()) status = sink->end();
    spdlog::info("actor {} made {} steps", options.index, loop->steps());
  }
  if (status.ok() && options.stay && !shutdown.requested()) {
    spdlog::info("the run is FINISHED; waiting to be stopped");
    shutdown.Wait();
  }
  return absl::IsCancelled(status) && shutdown.requested() ? absl::OkStatus() : status;
}

}  // namespace cadre
