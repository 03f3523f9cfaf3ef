#include "actor/act_loop.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "common/check.h"
#include "common/replay_config.h"
#include "common/status_macros.h"
#include "common/tensor_view.h"
#include "envs/registry.h"
#include "policy/on_policy_columns.h"

namespace cadre {
namespace {

// Random streams of a run; see also the learner's.
constexpr uint64_t kActionStream = 0xAC710;

template <typename T>
absl::Span<const std::byte> Bytes(absl::Span<const T> values) {
  return {reinterpret_cast<const std::byte*>(values.data()), values.size() * sizeof(T)};
}

template <typename T>
absl::Span<const std::byte> Bytes(const std::vector<T>& values) {
  return Bytes(absl::MakeConstSpan(values));
}

}  // namespace

absl::StatusOr<std::unique_ptr<ActLoop>> ActLoop::Create(const ExperimentConfig& config,
                                                         int32_t index, ParameterSource* source,
                                                         ExperienceSink* sink) {
  CADRE_ASSIGN_OR_RETURN(
      auto environments,
      MakeVectorEnvironment(config.environment().id(), config.actors().environments_per_actor(),
                            config.environment().max_episode_steps()));
  CADRE_ASSIGN_OR_RETURN(auto network,
                         MakeActorCritic(config.model(), environments->spec().observation,
                                         environments->spec().action));
  return std::unique_ptr<ActLoop>(
      new ActLoop(config, index, source, sink, std::move(environments), std::move(network)));
}

ActLoop::ActLoop(const ExperimentConfig& config, int32_t index, ParameterSource* source,
                 ExperienceSink* sink, std::unique_ptr<VectorEnvironment> environments,
                 ActorCriticNetwork network)
    : config_(config),
      index_(index),
      lockstep_(config.actors().mode() == ActorsConfig::LOCKSTEP),
      discount_(static_cast<float>(DiscountFactor(config))),
      source_(source),
      sink_(sink),
      environments_(std::move(environments)),
      policy_(std::move(network), config.normalization()),
      spec_(OnPolicySpec(config, environments_->spec().observation, environments_->spec().action)),
      builder_(spec_, environments_->count(), config.actors().segment_length()),
      actions_(environments_->count() * environments_->spec().action.bytes()),
      log_probs_(environments_->count()),
      versions_(environments_->count()),
      discounted_returns_(environments_->count()),
      total_rewards_(environments_->count()),
      lengths_(environments_->count()) {}

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
  const int64_t held = policy_.version();
  // In lockstep a newer version than the last rollout's; else the newest, whatever it
  // is: asking for one newer than its predecessor still waits while the run is paused.
  const int64_t known = lockstep_ || held == 0 ? held : held - 1;
  CADRE_ASSIGN_OR_RETURN(const ParametersPtr parameters,
                         source_->WaitNewer(known, absl::InfiniteFuture()));
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
  CADRE_RETURN_IF_ERROR(policy_.Load(parameters));
  version_.store(parameters.version(), std::memory_order_relaxed);
  return absl::OkStatus();
}

absl::Status ActLoop::ActRollout() {
  int64_t oldest_version = 0;
  while (!builder_.full()) {
    if (!lockstep_) {
      const ParametersPtr newest = source_->Newest();
      if (newest != nullptr && newest->version() > policy_.version())
        CADRE_RETURN_IF_ERROR(Load(*newest));
    }
    if (builder_.steps() == 0) oldest_version = policy_.version();
    CADRE_RETURN_IF_ERROR(Step());
  }
  v1::Rollout rollout = builder_.Finish(environments_->observations());
  rollout.set_version(oldest_version);
  rollout.set_actor(index_);
  for (v1::Episode& episode : finished_) *rollout.add_episodes() = std::move(episode);
  finished_.clear();
  times_.Enter(ActStage::kAppend);
  return sink_->Append(std::move(rollout));
}

absl::Status ActLoop::Step() {
  times_.Enter(ActStage::kInference);
  const absl::Span<const std::byte> observations = environments_->observations();
  policy_.Act(ColumnAs<float>(observations), /*greedy=*/false, random_, absl::MakeSpan(actions_),
              absl::MakeSpan(log_probs_));

  times_.Enter(ActStage::kBuild);
  std::fill(versions_.begin(), versions_.end(), policy_.version());
  builder_.AddObservations(observations);
  builder_.AddColumn(OnPolicyColumns::kAction, actions_);
  builder_.AddColumn(OnPolicyColumns::kLogProb, Bytes(log_probs_));
  builder_.AddColumn(OnPolicyColumns::kVersion, Bytes(versions_));

  times_.Enter(ActStage::kEnvironment);
  CADRE_RETURN_IF_ERROR(environments_->Step(actions_));

  times_.Enter(ActStage::kBuild);
  builder_.AddColumn(OnPolicyColumns::kReward, Bytes(environments_->rewards()));
  CountRewards();
  if (config_.normalization().rewards())
    builder_.AddColumn(OnPolicyColumns::kDiscountedReturn, Bytes(discounted_returns_));
  builder_.EndStep(environments_->terminated(), environments_->truncated(),
                   environments_->final_observations());
  const absl::Span<const uint8_t> terminated = environments_->terminated();
  const absl::Span<const uint8_t> truncated = environments_->truncated();
  for (size_t e = 0; e < lengths_.size(); ++e) {
    if (!(terminated[e] | truncated[e])) continue;
    v1::Episode episode;
    episode.set_total_reward(total_rewards_[e]);
    episode.set_length(lengths_[e]);
    finished_.push_back(std::move(episode));
    total_rewards_[e] = 0;
    lengths_[e] = 0;
    discounted_returns_[e] = 0;
  }
  steps_.fetch_add(environments_->count(), std::memory_order_relaxed);
  return absl::OkStatus();
}

void ActLoop::CountRewards() {
  const absl::Span<const float> rewards = environments_->rewards();
  for (size_t e = 0; e < rewards.size(); ++e) {
    total_rewards_[e] += rewards[e];
    ++lengths_[e];
    discounted_returns_[e] = rewards[e] + discount_ * discounted_returns_[e];
  }
}

}  // namespace cadre
