#include "actor/act_loop.h"

#include <algorithm>
#include <limits>
#include <utility>

#include "absl/strings/str_cat.h"
#include "actor/delayed_parameter_source.h"
#include "actor/paced_environment.h"
#include "common/config/replay_config.h"
#include "common/experience/experience_spec.h"
#include "common/status_macros.h"
#include "common/tensor_view.h"
#include "envs/sources.h"
#include "policy/acting/acted.h"
#include "policy/acting/action_range.h"
#include "spdlog/spdlog.h"

namespace cadre {
namespace {

// Random streams of a run; see also the learner's.
constexpr uint64_t kActionStream = 0xAC710;

// Null without actors.delay_versions.
std::unique_ptr<DelayedParameterSource> MakeDelayed(const ExperimentConfig& config,
                                                    ParameterSource* source) {
  const int64_t delay = config.actors().delay_versions();
  if (delay == 0) return nullptr;
  const bool unlimited = UsesReplay(config) && config.actors().mode() == ActorsConfig::ASYNCHRONOUS;
  const int64_t oldest = unlimited            ? std::numeric_limits<int64_t>::max()
                         : UsesReplay(config) ? delay
                                              : config.queue().max_version_lag();
  return std::make_unique<DelayedParameterSource>(source, delay, std::max(delay, oldest));
}

absl::Span<const std::byte> Bytes(absl::Span<const float> values) {
  return {reinterpret_cast<const std::byte*>(values.data()), values.size() * sizeof(float)};
}

}  // namespace

absl::StatusOr<std::unique_ptr<ActLoop>> ActLoop::Create(const ExperimentConfig& config,
                                                         int32_t index, ParameterSource* source,
                                                         ExperienceSink* sink,
                                                         std::chrono::nanoseconds pace) {
  CADRE_ASSIGN_OR_RETURN(
      auto environments,
      MakeVectorEnvironment(config.environment(), config.actors().environments_per_actor()));
  if (pace > pace.zero())
    environments = std::make_unique<PacedEnvironment>(std::move(environments), pace);
  const EnvironmentSpec& spec = environments->spec();
  // One beyond the config's actors explores as one of them does.
  const int64_t place_of = index % config.actors().count();
  const ActingPlace place{.first_row = place_of * environments->count(),
                          .all_rows = config.actors().count() * environments->count()};
  CADRE_ASSIGN_OR_RETURN(auto policy,
                         MakeActingPolicy(config, spec.observation, spec.action, place));
  std::unique_ptr<ActLoop> loop(
      new ActLoop(config, index, source, sink, std::move(environments), std::move(policy)));
  return loop;
}

ActLoop::ActLoop(const ExperimentConfig& config, int32_t index, ParameterSource* source,
                 ExperienceSink* sink, std::unique_ptr<VectorEnvironment> environments,
                 std::unique_ptr<ActingPolicy> policy)
    : config_(config),
      index_(index),
      lockstep_(config.actors().mode() == ActorsConfig::LOCKSTEP),
      delayed_(MakeDelayed(config, source)),
      source_(delayed_ != nullptr ? delayed_.get() : source),
      sink_(sink),
      environments_(std::move(environments)),
      policy_(std::move(policy)),
      recorder_(MakeStepRecorder(config, static_cast<int>(environments_->observations().size()),
                                 environments_->count())),
      builder_(
          RecordedSpec(config, environments_->spec().observation, environments_->spec().action),
          environments_->count(), config.actors().segment_length()),
      state_column_(ColumnIndex(
          RecordedSpec(config, environments_->spec().observation, environments_->spec().action),
          kStateColumn)),
      episodes_(environments_->count()),
      progress_(config),
      actions_(environments_->count() * environments_->spec().action.bytes()) {}

void ActLoop::RequestStop() {
  stop_requested_ = true;
  environments_->Stop();
}

absl::Status ActLoop::Run() {
  while (true) {
    times_.Enter(ActStage::kWaitForParameters);
    absl::Status status = TakeParameters();
    if (status.ok()) status = ActRollout();
    if (!status.ok()) {
      const bool finished = source_->run_state() == v1::RUN_STATE_FINISHED;
      return finished ? absl::OkStatus() : status;
    }
  }
}

absl::Status ActLoop::TakeParameters() {
  const int64_t held = policy_->version();
  // In lockstep a newer version than that of the last rollout, unless that was refused: the
  // update lacks one. Else the newest, whatever it is: asking for one newer than its
  // predecessor still waits while the run is paused.
  const bool newer = lockstep_ && !refused_;
  const int64_t known = newer || held == 0 ? held : held - 1;
  CADRE_ASSIGN_OR_RETURN(const ParametersPtr parameters,
                         source_->WaitNewer(known, absl::InfiniteDuration()));
  if (parameters->version() != held) CADRE_RETURN_IF_ERROR(Load(*parameters));
  if (held == 0) {
    // Different after a restart, which begins with a later version.
    const uint64_t life = static_cast<uint64_t>(parameters->version());
    random_ = Random::ForStream(config_.seed(), kActionStream + index_, life);
    CADRE_RETURN_IF_ERROR(environments_->Reset(random_()));
  }
  return absl::OkStatus();
}

absl::Status ActLoop::Load(const v1::Parameters& parameters) {
  CADRE_RETURN_IF_ERROR(policy_->Load(parameters));
  policy_steps_ = parameters.env_steps();
  progress_.OnParameters(policy_steps_);
  version_.store(parameters.version(), std::memory_order_relaxed);
  return absl::OkStatus();
}

absl::Status ActLoop::ActRollout() {
  while (!builder_.full()) {
    if (stop_requested_) return absl::CancelledError("the actor was stopped");
    if (!lockstep_) {
      const ParametersPtr newest = source_->Newest();
      if (newest != nullptr && newest->version() > policy_->version())
        CADRE_RETURN_IF_ERROR(Load(*newest));
    }
    CADRE_RETURN_IF_ERROR(Step());
  }
  v1::Rollout rollout = builder_.Finish(environments_->observations());
  rollout.set_version(rollout_version_);
  rollout.set_actor(index_);
  episodes_.MoveFinishedTo(rollout);
  times_.Enter(ActStage::kAppend);
  return Append(std::move(rollout));
}

absl::Status ActLoop::Append(v1::Rollout rollout) {
  const absl::Status status = sink_->Append(std::move(rollout));
  refused_ = absl::IsInvalidArgument(status);
  ++rollouts_;
  if (!refused_) return status;
  if (refused_in_a_row_.Refused(rollouts_))
    return absl::FailedPreconditionError(absl::StrCat(
        refused_in_a_row_.count(), " rollouts in a row were refused: ", status.message()));
  if (const int64_t count =
          refusals_.Count(0, status.message(), RepeatedEvents::Time::clock::now());
      count > 0)
    spdlog::warn("actor {}: a rollout was refused: {}{}", index_, std::string(status.message()),
                 TimesText(count));
  return absl::OkStatus();
}

absl::Status ActLoop::Step() {
  times_.Enter(ActStage::kInference);
  CADRE_ASSIGN_OR_RETURN(const int64_t version, ChooseActions());
  if (builder_.steps() == 0) rollout_version_ = version;

  times_.Enter(ActStage::kBuild);
  builder_.AddObservations(environments_->observations());
  recorder_->AddActions(actions_, version, builder_);
  if (state_column_ >= 0) builder_.AddColumn(state_column_, Bytes(policy_->states()));

  times_.Enter(ActStage::kEnvironment);
  const absl::Status stepped = environments_->Step(actions_);
  LogFaults();
  CADRE_RETURN_IF_ERROR(stepped);

  times_.Enter(ActStage::kBuild);
  recorder_->AddRewards(environments_->rewards(), builder_);
  episodes_.AddRewards(environments_->rewards());
  builder_.EndStep(environments_->terminated(), environments_->truncated(),
                   environments_->final_observations(), environments_->skipped());
  SkipRows();
  EndEpisodes();
  const absl::Span<const uint8_t> skipped = environments_->skipped();
  const int64_t steps = environments_->count() - std::count(skipped.begin(), skipped.end(), 1);
  progress_.OnSteps(steps);
  steps_.fetch_add(steps, std::memory_order_relaxed);
  return absl::OkStatus();
}

absl::StatusOr<int64_t> ActLoop::ChooseActions() {
  const EnvironmentSpec& spec = environments_->spec();
  const ShownBlocks shown = environments_->observations();
  CADRE_RETURN_IF_ERROR(CheckMasks(spec.action, spec.id, shown, episodes_.lengths()));
  if (progress_.warming_up()) {
    // The actions are random, but the memory still follows the episode.
    if (state_column_ >= 0) policy_->Act(shown, {}, random_, absl::MakeSpan(actions_), {});
    const auto mask =
        spec.action.masked ? ColumnAs<uint8_t>(shown.back()) : absl::Span<const uint8_t>();
    DrawUniformActions(spec.action, mask, random_, absl::MakeSpan(actions_));
    return 0;
  }
  policy_->Act(shown, {.progress = progress_.share()}, random_, absl::MakeSpan(actions_),
               recorder_->log_probs());
  CADRE_RETURN_IF_ERROR(CheckActed(spec.action, actions_, recorder_->log_probs(),
                                   {policy_->version(), policy_steps_}));
  return policy_->version();
}

void ActLoop::LogFaults() {
  for (const std::string& fault : environments_->TakeFaults()) {
    restarts_.fetch_add(1, std::memory_order_relaxed);
    const int64_t count = faults_.Count(0, fault, RepeatedEvents::Time::clock::now());
    if (count > 0)
      spdlog::warn("actor {}: {}; it is replaced, and its episodes are lost{}", index_, fault,
                   TimesText(count));
  }
}

void ActLoop::SkipRows() {
  const absl::Span<const uint8_t> skipped = environments_->skipped();
  for (size_t e = 0; e < skipped.size(); ++e) {
    if (!skipped[e]) continue;
    episodes_.Forget(static_cast<int64_t>(e));
    recorder_->EndEpisode(static_cast<int64_t>(e));
    policy_->EndEpisode(static_cast<int64_t>(e));
  }
}

void ActLoop::EndEpisodes() {
  const absl::Span<const uint8_t> terminated = environments_->terminated();
  const absl::Span<const uint8_t> truncated = environments_->truncated();
  for (int64_t e = 0; e < environments_->count(); ++e) {
    if (!(terminated[e] | truncated[e])) continue;
    episodes_.End(e);
    recorder_->EndEpisode(e);
    policy_->EndEpisode(e);
  }
}

}  // namespace cadre
