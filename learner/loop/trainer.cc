#include "learner/loop/trainer.h"

#include <algorithm>
#include <cstring>
#include <exception>
#include <limits>
#include <optional>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "common/check.h"
#include "common/config/config.h"
#include "common/config/run_topology.h"
#include "common/status_macros.h"
#include "learner/loop/trainer_state.h"
#include "learner/parallel/update_agreement.h"
#include "learner/run_folder/divergence.h"
#include "learner/run_folder/non_finite_updates.h"
#include "learner/torch_error.h"
#include "learner/weight_meaning.h"
#include "spdlog/spdlog.h"

namespace cadre {

absl::StatusOr<std::unique_ptr<Trainer>> Trainer::Create(Options options) {
  std::unique_ptr<Trainer> trainer(new Trainer(std::move(options)));
  CADRE_ASSIGN_OR_RETURN(trainer->learner_,
                         MakeBatchLearner(trainer->config_, trainer->options_.environment,
                                          &trainer->times_, trainer->options_.device));
  return trainer;
}

Trainer::Trainer(Options options)
    : options_(std::move(options)),
      config_(options_.config),
      started_(MonotonicTime::Now()),
      evaluator_(config_) {}

absl::Span<float> Trainer::Flat() const {
  const torch::Tensor flat = learner_->parameters();
  return {flat.data_ptr<float>(), static_cast<size_t>(flat.numel())};
}

// Whether the run is FINISHED; where a server said so, its news may still be on the way.
bool Finished(ParameterSource& first, bool wait) {
  constexpr absl::Duration kOnTheWay = absl::Seconds(2);
  constexpr int64_t kNever = std::numeric_limits<int64_t>::max();
  if (wait) static_cast<void>(first.WaitNewer(kNever, kOnTheWay));
  return first.run_state() == v1::RUN_STATE_FINISHED;
}

void Trainer::set_collective(Collective* collective) {
  collective_ = collective;
  learner_->set_collective(collective);
}

absl::Status Trainer::TakeOverFromFirst() {
  if (collective_ == nullptr) return absl::OkStatus();
  CADRE_RETURN_IF_ERROR(AgreeOnKernels(*collective_, options_.device.on_cpu_kernels()));
  CADRE_ASSIGN_OR_RETURN(
      const Checkpoint checkpoint,
      CheckpointOfFirst(*collective_, first() ? MakeCheckpoint() : Checkpoint()));
  return first() ? absl::OkStatus() : Restore(checkpoint);
}

absl::Status Trainer::Run(const ExperiencePorts& source, ParameterSink& sink) {
  started_ = MonotonicTime::Now();
  CADRE_ASSIGN_OR_RETURN(const std::vector<std::unique_ptr<Timer>> limits,
                         StartTimeLimits(source, sink));
  times_.Enter(LearnStage::kWaitForExperience);
  absl::Status status;
  try {
    status = Learn(source, sink);
  } catch (const std::exception& error) {  // Of LibTorch: a device that failed, or is full.
    status = StatusOf(error);
  }
  // A stop closes the ports to end their waits, as does the end of the time.
  if (absl::IsCancelled(status) && (asked_to_stop() || collective_ != nullptr)) status = Stopped();
  times_.Enter(LearnStage::kReport);
  if (first()) return EndRun(source, sink, std::move(status));
  const bool refused = absl::IsFailedPrecondition(status);
  if (status.ok()) status = StoppedOpen();
  const bool unsure = refused || absl::IsAborted(status);
  return source.first != nullptr && Finished(*source.first, unsure) ? absl::OkStatus() : status;
}

absl::StatusOr<std::vector<std::unique_ptr<Timer>>> Trainer::StartTimeLimits(
    const ExperiencePorts& source, ParameterSink& sink) {
  std::vector<std::unique_ptr<Timer>> limits;
  // Learners that push end when the first one finishes the run.
  if (!config_.stop().has_wall_seconds() || (!first() && PushesGradients(config_))) return limits;
  const absl::Duration left =
      absl::Seconds(config_.stop().wall_seconds()) - absl::Seconds(earlier_seconds_);
  CADRE_ASSIGN_OR_RETURN(std::unique_ptr<Timer> learning, Timer::Start(left, [this, &source] {
                           time_is_up_ = true;
                           stops_learning_ = true;
                           source.Close();
                         }));
  CADRE_ASSIGN_OR_RETURN(
      std::unique_ptr<Timer> sinks,
      Timer::Start(std::max(left, absl::ZeroDuration()) + kSinkGrace, [&source, &sink] {
        sink.CutShort();
        if (source.gradients != nullptr) source.gradients->CutShort();
      }));
  limits.push_back(std::move(learning));
  limits.push_back(std::move(sinks));
  return limits;
}

absl::Status Trainer::Stopped() const {
  // Several learners that are in the middle of an update, and one of them does not come.
  if (collective_ != nullptr && !learner_->settled())
    return absl::UnavailableError(
        absl::StrCat("stopped in the middle of an update; the last checkpoint is at ",
                     last_saved_steps_, " steps"));
  return absl::OkStatus();
}

absl::Status Trainer::Learn(const ExperiencePorts& source, ParameterSink& sink) {
  CADRE_RETURN_IF_ERROR(TakeOverFromFirst());
  CADRE_ASSIGN_OR_RETURN(const RunPosition position,
                         learner_->Begin(source, {.env_steps = env_steps_, .version = version_}));
  env_steps_ = position.env_steps;
  version_ = std::max(version_, position.version - 1);
  CADRE_RETURN_IF_ERROR(Publish(sink));
  while (!done()) CADRE_RETURN_IF_ERROR(LearnOnce(source, sink));
  return absl::OkStatus();
}

absl::Status Trainer::EndRun(const ExperiencePorts& source, ParameterSink& sink,
                             absl::Status status) {
  // What was learned is saved whatever ended it; but a batch that is not acknowledged
  // would be learned from again, and parameters that broke are not worth it.
  if (status.ok()) {
    status = Gather(source);
    if (absl::IsCancelled(status))
      return absl::UnavailableError(
          absl::StrCat("stopped, but nobody had the model to save; the last checkpoint is at ",
                       last_saved_steps_, " steps"));
  }
  const bool over = enough_learned() || time_is_over();
  if (status.ok() && over && !stop_requested_ && evaluator_.DueAtEnd(env_steps_)) {
    status = Evaluate(/*at_end=*/true);
    if (evaluator_.DueAtEnd(env_steps_))
      spdlog::warn("the last policy is not evaluated: {}; see 'cadre eval {}'",
                   stop_requested_ ? "the run was stopped" : "the run's time is over",
                   options_.run_folder);
  }
  if (status.ok() && over && first() && updates_ == 0)
    spdlog::warn("nothing was learned: {} steps, and not one update", env_steps_);
  if (status.ok() || learner_->settled()) status.Update(SaveIfUnsaved());
  CADRE_RETURN_IF_ERROR(status);
  CADRE_RETURN_IF_ERROR(StoppedOpen());
  status = sink.SetRunState(v1::RUN_STATE_FINISHED);
  if (!absl::IsCancelled(status) || !asked_to_stop()) return status;
  spdlog::warn("nobody knows that the run is FINISHED: {}", std::string(status.message()));
  return absl::OkStatus();
}

absl::Status Trainer::Gather(const ExperiencePorts& source) {
  CADRE_ASSIGN_OR_RETURN(env_steps_,
                         learner_->Gather(source, {.env_steps = env_steps_, .version = version_}));
  return absl::OkStatus();
}

absl::Status Trainer::LearnOnce(const ExperiencePorts& source, ParameterSink& sink) {
  if (asked_to_stop()) stops_learning_ = true;
  absl::StatusOr<Learned> learned =
      learner_->Learn(source, {.env_steps = env_steps_, .version = version_}, stops_learning_);
  if (absl::IsDataLoss(learned.status())) {
    if (first()) {
      const absl::Status recorded =
          RecordNonFiniteUpdate(options_.run_folder, env_steps_, absl::Now());
      if (!recorded.ok()) spdlog::warn("{}", std::string(recorded.message()));
    }
    return absl::DataLossError(absl::StrCat(
        "update ", updates_ + 1, " made ", learned.status().message(), "; ",
        last_saved_steps_ < 0
            ? "there is no checkpoint"
            : absl::StrCat("the last checkpoint is at ", last_saved_steps_,
                           " steps, and is resumed by: ",
                           ResumeCommand(options_.run_folder, absl::StrCat(last_saved_steps_))),
        ". Lower the learning rate, or clip the gradient"));
  }
  CADRE_RETURN_IF_ERROR(learned.status());

  times_.Enter(LearnStage::kPublish);
  env_steps_ = learned->env_steps;
  updates_ += learned->updates;
  max_version_lag_ = std::max(max_version_lag_, learned->version_lag);
  for (const v1::Episode& episode : learned->episodes)
    episodes_.Add(episode.total_reward(), episode.length());
  if (!learned->publish) return learner_->Settle(source);
  const bool evaluate = first() && evaluator_.Due(env_steps_);
  const bool save = first() && SaveDue();
  if (evaluate || save) CADRE_RETURN_IF_ERROR(Gather(source));
  version_ = std::max(version_, learned->version - 1);
  CADRE_RETURN_IF_ERROR(Publish(sink));
  CADRE_RETURN_IF_ERROR(learner_->Settle(source));
  if (!first()) return absl::OkStatus();

  times_.Enter(LearnStage::kReport);
  CADRE_RETURN_IF_ERROR(ReportProgress(learned->version_lag));
  if (evaluate) CADRE_RETURN_IF_ERROR(Evaluate(/*at_end=*/false));
  return save ? SaveIfUnsaved() : absl::OkStatus();
}

absl::Status Trainer::Publish(ParameterSink& sink) {
  ++version_;
  return first() || PushesGradients(config_) ? sink.Publish(MakeParameters()) : absl::OkStatus();
}

std::shared_ptr<const v1::Parameters> Trainer::MakeParameters() const {
  auto parameters = std::make_shared<v1::Parameters>();
  const absl::Span<const float> flat = Flat();
  parameters->set_model(ActingModelName(config_, options_.rank));
  parameters->set_version(version_);
  parameters->set_values(flat.data(), flat.size() * sizeof(float));
  parameters->set_layout_fingerprint(learner_->layout().fingerprint());
  parameters->set_env_steps(env_steps_);
  learner_->AddStatistics(*parameters);
  return parameters;
}

bool Trainer::done() const {
  if (!first() && PushesGradients(config_)) return stop_requested_;
  return enough_learned() || (collective_ == nullptr && asked_to_stop());
}

bool Trainer::enough_learned() const {
  const StopConfig& stop = config_.stop();
  return env_steps_ >= stop.env_steps() ||
         (stop.has_mean_return() && episodes_.episodes() >= EpisodeStatistics::kWindow &&
          episodes_.mean_return() >= stop.mean_return());
}

bool Trainer::time_is_over() const {
  const StopConfig& stop = config_.stop();
  return time_is_up_ || (stop.has_wall_seconds() && WallSeconds() >= stop.wall_seconds());
}

// The last one of a run that ends by the clock still gets a moment; all the time it needs where
// the run was resumed after its end, as nothing else is left to do.
bool Trainer::evaluation_is_over() const {
  constexpr double kMoment = 1.5;
  const StopConfig& stop = config_.stop();
  const bool limited = stop.has_wall_seconds() && earlier_seconds_ < stop.wall_seconds();
  return stop_requested_ || (limited && WallSeconds() >= stop.wall_seconds() + kMoment);
}

bool Trainer::asked_to_stop() const { return stop_requested_ || time_is_over(); }

absl::Status Trainer::StoppedOpen() const {
  if (!stays_open_ || enough_learned() || time_is_over()) return absl::OkStatus();
  return absl::AbortedError(absl::StrCat("stopped at ", env_steps_, " of ",
                                         config_.stop().env_steps(),
                                         " steps; the run is open: start it again to go on"));
}

double Trainer::WallSeconds() const {
  return earlier_seconds_ + absl::ToDoubleSeconds(MonotonicTime::Now() - started_);
}

absl::Status Trainer::ReportProgress(int64_t version_lag) {
  Progress progress;
  progress.env_steps = env_steps_;
  progress.updates = updates_;
  progress.version = version_;
  progress.episodes = episodes_.episodes();
  progress.mean_return = episodes_.mean_return();
  progress.mean_length = episodes_.mean_length();
  progress.wall_seconds = WallSeconds();
  progress.version_lag = version_lag;
  progress.max_version_lag = max_version_lag_;
  progress.dropped_experience = learner_->dropped();
  const double seconds = std::max(progress.wall_seconds - reported_seconds_, 1e-9);
  progress.steps_per_second = static_cast<double>(env_steps_ - reported_steps_) / seconds;
  const double waiting = times_.seconds(LearnStage::kWaitForExperience);
  const double total = times_.total_seconds();
  progress.waiting_share = (waiting - reported_waiting_) / std::max(total - reported_total_, 1e-9);
  progress.diagnostics = learner_->diagnostics();
  reported_steps_ = env_steps_;
  reported_seconds_ = progress.wall_seconds;
  reported_waiting_ = waiting;
  reported_total_ = total;
  return options_.on_progress ? options_.on_progress(progress) : absl::OkStatus();
}

absl::Status Trainer::Evaluate(bool at_end) {
  const absl::StatusOr<bool> best =
      evaluator_.Evaluate(*MakeParameters(), env_steps_, [this] { return evaluation_is_over(); });
  if (absl::IsCancelled(best.status())) return absl::OkStatus();
  CADRE_RETURN_IF_ERROR(WithWayBack(best.status(), options_.run_folder));
  if (*best || at_end) CADRE_RETURN_IF_ERROR(Save());
  return *best ? MarkBest(options_.run_folder, env_steps_) : absl::OkStatus();
}

bool Trainer::SaveDue() const {
  const CheckpointConfig& checkpoint = config_.checkpoint();
  const int64_t steps = env_steps_ - std::max<int64_t>(last_saved_steps_, 0);
  const bool by_steps = checkpoint.every_env_steps() > 0 && steps >= checkpoint.every_env_steps();
  const bool by_clock = WallSeconds() - last_saved_seconds_ >= checkpoint.every_seconds();
  return by_steps || by_clock;
}

absl::Status Trainer::SaveIfUnsaved() {
  return last_saved_steps_ == env_steps_ ? absl::OkStatus() : Save();
}

Checkpoint Trainer::MakeCheckpoint() const {
  Checkpoint checkpoint;
  CheckpointManifest& manifest = checkpoint.manifest;
  manifest.set_experiment(config_.name());
  manifest.set_algorithm(AlgorithmName(config_));
  manifest.set_environment(options_.environment.id);
  manifest.set_seed(config_.seed());
  manifest.set_env_steps(env_steps_);
  manifest.set_updates(updates_);
  manifest.set_version(version_);
  manifest.set_episodes(episodes_.episodes());
  if (episodes_.episodes() > 0) manifest.set_mean_return(episodes_.mean_return());
  manifest.set_wall_seconds(WallSeconds());
  const ParameterLayout& layout = learner_->layout();
  manifest.set_layout_fingerprint(layout.fingerprint());
  for (CheckpointManifest::Meaning& meaning : WeightMeaning(config_, options_.environment))
    *manifest.add_meanings() = std::move(meaning);
  SaveParameters(layout, Flat(), checkpoint.parameters);
  learner_->Save(checkpoint.state);
  SaveStatistics(*MakeParameters(), checkpoint.state);
  const std::vector<double> episodes = episodes_.Save();
  checkpoint.state.Add<double>("episodes", {static_cast<int64_t>(episodes.size())}, episodes);
  checkpoint.state.AddScalar<int64_t>("max_version_lag", max_version_lag_);
  evaluator_.Save(checkpoint.state);
  return checkpoint;
}

absl::Status Trainer::Save() {
  CADRE_RETURN_IF_ERROR(
      SaveCheckpoint(options_.run_folder, MakeCheckpoint(), config_.checkpoint().keep()));
  last_saved_steps_ = env_steps_;
  last_saved_seconds_ = WallSeconds();
  if (options_.on_saved) options_.on_saved();
  return absl::OkStatus();
}

absl::Status Trainer::Restore(const Checkpoint& checkpoint) {
  const CheckpointManifest& manifest = checkpoint.manifest;
  CADRE_RETURN_IF_ERROR(CheckWeightMeaning(manifest, WeightMeaning(config_, options_.environment)));
  CADRE_ASSIGN_OR_RETURN(const v1::Parameters parameters,
                         ParametersOf(checkpoint, learner_->layout()));
  CADRE_CHECK(parameters.values().size() == Flat().size() * sizeof(float));
  std::memcpy(Flat().data(), parameters.values().data(), parameters.values().size());
  learner_->ParametersChanged();
  CADRE_RETURN_IF_ERROR(learner_->RestoreStatistics(parameters));
  CADRE_RETURN_IF_ERROR(learner_->Restore(checkpoint.state));
  // The first alone saves.
  if (first()) CADRE_RETURN_IF_ERROR(learner_->RestoreExperience(checkpoint.state));
  CADRE_ASSIGN_OR_RETURN(const std::vector<double> episodes,
                         ReadVector(checkpoint.state, "episodes"));
  CADRE_RETURN_IF_ERROR(episodes_.Restore(episodes));
  const absl::Status lag =
      checkpoint.state.Read("max_version_lag", absl::MakeSpan(&max_version_lag_, 1));
  if (!lag.ok()) return absl::DataLossError(lag.message());
  CADRE_RETURN_IF_ERROR(evaluator_.Restore(checkpoint.state, manifest.env_steps()));
  env_steps_ = manifest.env_steps();
  updates_ = manifest.updates();
  version_ = manifest.version();
  earlier_seconds_ = manifest.wall_seconds();
  last_saved_steps_ = env_steps_;
  last_saved_seconds_ = earlier_seconds_;
  reported_steps_ = env_steps_;
  reported_seconds_ = earlier_seconds_;
  return absl::OkStatus();
}

void Trainer::ContinueVersionsFrom(int64_t version) { version_ = std::max(version_, version); }

Summary Trainer::summary() const {
  Summary summary;
  summary.algorithm = AlgorithmName(config_);
  summary.environment = options_.environment.id;
  summary.seed = config_.seed();
  summary.env_steps = env_steps_;
  summary.updates = updates_;
  summary.wall_seconds = WallSeconds();
  summary.steps_per_second = static_cast<double>(env_steps_) / std::max(summary.wall_seconds, 1e-9);
  summary.mean_return = episodes_.mean_return();
  summary.max_version_lag = max_version_lag_;
  // Solved: what the config asks for, else what the environment calls solved, by
  // training episodes or by both greedy evaluations of the best policy.
  const double threshold = config_.stop().has_mean_return() ? config_.stop().mean_return()
                                                            : options_.environment.reward_threshold;
  summary.solved = summary.mean_return >= threshold || evaluator_.reached(threshold);
  if (const auto& best = evaluator_.best(); best.has_value())
    summary.evaluation = {best->confirmation.mean_return, best->confirmation.std_return,
                          best->confirmation.episodes, best->env_steps, best->first.mean_return};
  if (const auto& last = evaluator_.last(); last.has_value())
    summary.last_evaluation = {last->evaluation.mean_return, last->evaluation.std_return,
                               last->evaluation.episodes, last->env_steps, std::nullopt};
  return summary;
}

}  // namespace cadre
