#include "learner/trainer.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "common/check.h"
#include "common/config.h"
#include "common/kernels/optimizer.h"
#include "common/status_macros.h"
#include "learner/algorithms/ppo.h"
#include "learner/collate.h"
#include "learner/trainer_state.h"
#include "policy/on_policy_columns.h"
#include "spdlog/spdlog.h"

namespace cadre {
namespace {

// Random streams of a run; see also the actor's.
constexpr uint64_t kInitialParametersStream = 1;
constexpr uint64_t kAlgorithmStream = 2;
constexpr uint64_t kEvaluationStream = 3;

absl::Span<float> Flat(const torch::Tensor& tensor) {
  return {tensor.data_ptr<float>(), static_cast<size_t>(tensor.numel())};
}

}  // namespace

absl::StatusOr<std::unique_ptr<Trainer>> Trainer::Create(Options options) {
  const ExperimentConfig& config = options.config;
  CADRE_ASSIGN_OR_RETURN(
      auto network,
      MakeActorCritic(config.model(), options.environment.observation, options.environment.action));
  Random random = Random::ForStream(config.seed(), kInitialParametersStream);
  const std::vector<float> initial = InitialParameters(network, random);
  std::unique_ptr<ActorCritic> model = MakeFusedActorCritic(std::move(network));
  std::copy(initial.begin(), initial.end(), Flat(model->parameters()).begin());
  model->ParametersChanged();

  std::unique_ptr<OnPolicyAlgorithm> algorithm;
  switch (config.algorithm_case()) {
    case ExperimentConfig::kPpo:
      algorithm = MakePpo(config.ppo(), std::move(model),
                          Random::ForStream(config.seed(), kAlgorithmStream));
      break;
    case ExperimentConfig::ALGORITHM_NOT_SET:
      return absl::InvalidArgumentError("no algorithm is set");
    default:
      return absl::UnimplementedError(absl::StrCat(AlgorithmName(config), " is not on-policy"));
  }
  v1::ExperienceSpec spec =
      OnPolicySpec(config, options.environment.observation, options.environment.action);
  return std::unique_ptr<Trainer>(
      new Trainer(std::move(options), std::move(spec), std::move(algorithm)));
}

Trainer::Trainer(Options options, v1::ExperienceSpec spec,
                 std::unique_ptr<OnPolicyAlgorithm> algorithm)
    : options_(std::move(options)),
      config_(options_.config),
      spec_(std::move(spec)),
      algorithm_(std::move(algorithm)),
      normalizer_(config_.normalization(), algorithm_->model().network().observation_size),
      started_(absl::Now()) {
  algorithm_->set_listener(this);
}

void Trainer::Enter(UpdatePart part) {
  switch (part) {
    case UpdatePart::kPrepare:
      return times_.Enter(LearnStage::kPrepare);
    case UpdatePart::kForward:
      return times_.Enter(LearnStage::kForward);
    case UpdatePart::kLoss:
      return times_.Enter(LearnStage::kLoss);
    case UpdatePart::kBackward:
      return times_.Enter(LearnStage::kBackward);
    case UpdatePart::kOptimize:
      return times_.Enter(LearnStage::kOptimize);
  }
}

absl::Status Trainer::Run(ExperienceSource& source, ParameterSink& sink) {
  started_ = absl::Now();
  CADRE_RETURN_IF_ERROR(Publish(sink));
  const int64_t steps = StepsPerUpdate(config_);
  absl::Status status;
  while (status.ok() && !done()) {
    times_.Enter(LearnStage::kWaitForExperience);
    absl::StatusOr<Lease> lease = source.Take(steps, version_);
    status = lease.ok() ? LearnFrom(*std::move(lease), source, sink) : lease.status();
  }
  // A stop closes the ports to end their waits; that is no failure.
  if (absl::IsCancelled(status) && stop_requested_) status = absl::OkStatus();
  times_.Enter(LearnStage::kReport);
  // What was learned is saved whatever ended it; but a batch that is not acknowledged
  // would be learned from again, and parameters that broke are not worth it.
  if (status.ok() || !mid_update_) status.Update(SaveIfUnsaved());
  CADRE_RETURN_IF_ERROR(status);
  status = sink.SetRunState(v1::RUN_STATE_FINISHED);
  return absl::IsCancelled(status) && stop_requested_ ? absl::OkStatus() : status;
}

absl::Status Trainer::LearnFrom(Lease lease, ExperienceSource& source, ParameterSink& sink) {
  times_.Enter(LearnStage::kCollate);
  const ActorCriticNetwork& network = algorithm_->model().network();
  CADRE_ASSIGN_OR_RETURN(
      CollatedBatch collated,
      Collate(spec_, network, normalizer_.observation_transform(), lease.rollouts));
  // Rewards are scaled with the newest statistics; observations with those that the
  // actors had, or the probabilities of their actions would differ.
  if (collated.discounted_returns.defined()) {
    normalizer_.UpdateReturns(Flat(collated.discounted_returns));
    normalizer_.NormalizeRewards(Flat(collated.batch.rewards));
  }

  const double progress =
      static_cast<double>(env_steps_) / static_cast<double>(config_.stop().env_steps());
  mid_update_ = true;
  Diagnostics diagnostics = algorithm_->Update(collated.batch, progress);
  const torch::Tensor parameters = algorithm_->model().parameters();
  if (!std::isfinite(GradientNorm(Flat(parameters))))
    return absl::DataLossError(absl::StrCat(
        "update ", updates_ + 1, " made parameters that are not finite; the last checkpoint is at ",
        last_saved_steps_, " steps. Lower the learning rate, or clip the gradient"));

  times_.Enter(LearnStage::kPublish);
  normalizer_.UpdateObservations(Flat(collated.raw_observations));
  env_steps_ += collated.batch.steps();
  ++updates_;
  const int64_t lag = version_ - collated.oldest_version;
  max_version_lag_ = std::max(max_version_lag_, lag);
  for (const v1::Episode& episode : collated.episodes)
    episodes_.Add(episode.total_reward(), episode.length());
  CADRE_RETURN_IF_ERROR(Publish(sink));
  CADRE_RETURN_IF_ERROR(source.Acknowledge(lease.id));
  mid_update_ = false;

  times_.Enter(LearnStage::kReport);
  CADRE_RETURN_IF_ERROR(ReportProgress(std::move(diagnostics), lag));
  CADRE_RETURN_IF_ERROR(EvaluateIfDue());
  return SaveIfDue();
}

absl::Status Trainer::Publish(ParameterSink& sink) {
  ++version_;
  return sink.Publish(MakeParameters());
}

std::shared_ptr<const v1::Parameters> Trainer::MakeParameters() const {
  auto parameters = std::make_shared<v1::Parameters>();
  const torch::Tensor flat = algorithm_->model().parameters().cpu();
  parameters->set_model(config_.name());
  parameters->set_version(version_);
  parameters->set_values(flat.data_ptr<float>(), flat.numel() * sizeof(float));
  parameters->set_layout_fingerprint(algorithm_->model().network().layout.fingerprint());
  parameters->set_env_steps(env_steps_);
  normalizer_.AddTo(*parameters);
  return parameters;
}

bool Trainer::done() const {
  const StopConfig& stop = config_.stop();
  if (stop_requested_ || env_steps_ >= stop.env_steps()) return true;
  if (stop.has_mean_return() && episodes_.episodes() >= EpisodeStatistics::kWindow &&
      episodes_.mean_return() >= stop.mean_return())
    return true;
  return stop.has_wall_seconds() && WallSeconds() >= stop.wall_seconds();
}

double Trainer::WallSeconds() const {
  return earlier_seconds_ + absl::ToDoubleSeconds(absl::Now() - started_);
}

absl::Status Trainer::ReportProgress(Diagnostics diagnostics, int64_t version_lag) {
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
  const double seconds = std::max(progress.wall_seconds - reported_seconds_, 1e-9);
  progress.steps_per_second = static_cast<double>(env_steps_ - reported_steps_) / seconds;
  const double waiting = times_.seconds(LearnStage::kWaitForExperience);
  const double total = times_.total_seconds();
  progress.waiting_share = (waiting - reported_waiting_) / std::max(total - reported_total_, 1e-9);
  progress.diagnostics = std::move(diagnostics);
  reported_steps_ = env_steps_;
  reported_seconds_ = progress.wall_seconds;
  reported_waiting_ = waiting;
  reported_total_ = total;
  return options_.on_progress ? options_.on_progress(progress) : absl::OkStatus();
}

absl::Status Trainer::EvaluateIfDue() {
  const EvaluationConfig& evaluation = config_.evaluation();
  if (evaluation.every_env_steps() == 0 ||
      env_steps_ - last_evaluated_steps_ < evaluation.every_env_steps())
    return absl::OkStatus();
  last_evaluated_steps_ = env_steps_;
  const uint64_t seed = Random::ForStream(config_.seed(), kEvaluationStream)();
  CADRE_ASSIGN_OR_RETURN(
      const Evaluation result,
      Evaluate(config_, *MakeParameters(), {.episodes = evaluation.episodes(), .seed = seed}));
  spdlog::info("evaluation at {} steps: mean return {:.1f} +- {:.1f} over {} episodes", env_steps_,
               result.mean_return, result.std_return, result.episodes);
  if (best_.has_value() && result.mean_return < best_->mean_return) return absl::OkStatus();
  best_ = result;
  CADRE_RETURN_IF_ERROR(Save());
  return MarkBest(options_.run_folder, env_steps_);
}

absl::Status Trainer::SaveIfDue() {
  const CheckpointConfig& checkpoint = config_.checkpoint();
  const int64_t steps = env_steps_ - std::max<int64_t>(last_saved_steps_, 0);
  const bool by_steps = checkpoint.every_env_steps() > 0 && steps >= checkpoint.every_env_steps();
  const bool by_clock = WallSeconds() - last_saved_seconds_ >= checkpoint.every_seconds();
  return by_steps || by_clock ? Save() : absl::OkStatus();
}

absl::Status Trainer::SaveIfUnsaved() {
  return last_saved_steps_ == env_steps_ ? absl::OkStatus() : Save();
}

absl::Status Trainer::Save() {
  Checkpoint checkpoint;
  CheckpointManifest& manifest = checkpoint.manifest;
  manifest.set_experiment(config_.name());
  manifest.set_algorithm(AlgorithmName(config_));
  manifest.set_environment(config_.environment().id());
  manifest.set_seed(config_.seed());
  manifest.set_env_steps(env_steps_);
  manifest.set_updates(updates_);
  manifest.set_version(version_);
  manifest.set_episodes(episodes_.episodes());
  if (episodes_.episodes() > 0) manifest.set_mean_return(episodes_.mean_return());
  manifest.set_wall_seconds(WallSeconds());
  const ParameterLayout& layout = algorithm_->model().network().layout;
  manifest.set_layout_fingerprint(layout.fingerprint());
  SaveParameters(layout, Flat(algorithm_->model().parameters()), checkpoint.parameters);
  algorithm_->Save(checkpoint.state);
  SaveStatistics(*MakeParameters(), checkpoint.state);
  const std::vector<double> episodes = episodes_.Save();
  checkpoint.state.Add<double>("episodes", {static_cast<int64_t>(episodes.size())}, episodes);
  checkpoint.state.AddScalar<int64_t>("max_version_lag", max_version_lag_);
  if (best_.has_value())
    checkpoint.state.Add<double>("best_evaluation", {4},
                                 {best_->mean_return, best_->std_return, best_->mean_length,
                                  static_cast<double>(best_->episodes)});
  CADRE_RETURN_IF_ERROR(
      SaveCheckpoint(options_.run_folder, checkpoint, config_.checkpoint().keep()));
  last_saved_steps_ = env_steps_;
  last_saved_seconds_ = WallSeconds();
  return absl::OkStatus();
}

absl::Status Trainer::Restore(const Checkpoint& checkpoint) {
  const CheckpointManifest& manifest = checkpoint.manifest;
  ActorCritic& model = algorithm_->model();
  CADRE_ASSIGN_OR_RETURN(const v1::Parameters parameters,
                         ParametersOf(checkpoint, model.network().layout));
  CADRE_CHECK(parameters.values().size() == model.parameters().numel() * sizeof(float));
  std::memcpy(model.parameters().data_ptr<float>(), parameters.values().data(),
              parameters.values().size());
  model.ParametersChanged();
  CADRE_RETURN_IF_ERROR(normalizer_.Restore(parameters));
  CADRE_RETURN_IF_ERROR(algorithm_->Restore(checkpoint.state));
  CADRE_ASSIGN_OR_RETURN(const std::vector<double> episodes,
                         ReadVector(checkpoint.state, "episodes"));
  CADRE_RETURN_IF_ERROR(episodes_.Restore(episodes));
  const absl::Status lag =
      checkpoint.state.Read("max_version_lag", absl::MakeSpan(&max_version_lag_, 1));
  if (!lag.ok()) return absl::DataLossError(lag.message());
  if (checkpoint.state.Find("best_evaluation") != nullptr) {
    CADRE_ASSIGN_OR_RETURN(const auto best, ReadVector(checkpoint.state, "best_evaluation"));
    if (best.size() != 4)
      return absl::DataLossError(absl::StrCat("the checkpoint's 'best_evaluation' has ",
                                              best.size(), " values; wanted 4"));
    best_ = {best[0], best[1], best[2], static_cast<int64_t>(best[3])};
  }
  env_steps_ = manifest.env_steps();
  updates_ = manifest.updates();
  version_ = manifest.version();
  earlier_seconds_ = manifest.wall_seconds();
  last_saved_steps_ = env_steps_;
  last_saved_seconds_ = earlier_seconds_;
  last_evaluated_steps_ = env_steps_;
  reported_steps_ = env_steps_;
  reported_seconds_ = earlier_seconds_;
  return absl::OkStatus();
}

void Trainer::ContinueVersionsFrom(int64_t version) { version_ = std::max(version_, version); }

Summary Trainer::summary() const {
  Summary summary;
  summary.algorithm = AlgorithmName(config_);
  summary.environment = config_.environment().id();
  summary.seed = config_.seed();
  summary.env_steps = env_steps_;
  summary.updates = updates_;
  summary.wall_seconds = WallSeconds();
  summary.steps_per_second = static_cast<double>(env_steps_) / std::max(summary.wall_seconds, 1e-9);
  summary.mean_return = episodes_.mean_return();
  summary.max_version_lag = max_version_lag_;
  // Solved: what the config asks for, else what the environment calls solved, by
  // training episodes or by the best greedy evaluation.
  const double threshold = config_.stop().has_mean_return() ? config_.stop().mean_return()
                                                            : options_.environment.reward_threshold;
  summary.solved =
      summary.mean_return >= threshold || (best_.has_value() && best_->mean_return >= threshold);
  if (best_.has_value())
    summary.evaluation = {best_->mean_return, best_->std_return, best_->episodes};
  return summary;
}

}  // namespace cadre
