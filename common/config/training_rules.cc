#include "common/config/training_rules.h"

#include <algorithm>
#include <cstdint>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/config/algorithm_traits.h"
#include "common/config/config.h"
#include "common/config/replay_capacity.h"
#include "common/config/replay_config.h"
#include "common/config/run_topology.h"

namespace cadre {
namespace {

// The divisors of `steps` just below and just above `near`, as "32 or 64". Looks
// only so far: then there may be one, or none.
std::string NearestDivisors(int64_t steps, int64_t near) {
  constexpr int64_t kReach = 1'000'000;
  std::vector<int64_t> found;
  for (int64_t d = std::min(near, steps); d >= std::max<int64_t>(1, near - kReach); --d) {
    if (steps % d != 0) continue;
    found.push_back(d);
    break;
  }
  for (int64_t d = near + 1; d <= std::min(steps, near + kReach); ++d) {
    if (steps % d != 0) continue;
    found.push_back(d);
    break;
  }
  return absl::StrJoin(found, " or ");
}

void CheckMinibatches(const ExperimentConfig& config, ErrorList* errors) {
  const int64_t steps = StepsPerUpdate(config);
  const int64_t minibatch = config.ppo().minibatch_size();
  if (!config.has_ppo() || steps < 1 || minibatch < 1 || steps % minibatch == 0) return;
  const std::string divisors = NearestDivisors(steps, minibatch);
  errors->Add(absl::StrCat("ppo.minibatch_size: got ", minibatch, "; wanted a divisor of the ",
                           steps, " steps of an update, actors.count ", config.actors().count(),
                           " x environments_per_actor ", config.actors().environments_per_actor(),
                           " x segment_length ", config.actors().segment_length(),
                           divisors.empty() ? "" : absl::StrCat(": ", divisors)));
}

void CheckQueue(const ExperimentConfig& config, ErrorList* errors) {
  const QueueConfig& queue = config.queue();
  const int64_t steps = StepsPerUpdate(config);
  if (queue.capacity_steps() > 0 && queue.capacity_steps() < steps)
    errors->Add(absl::StrCat("queue.capacity_steps: got ", queue.capacity_steps(),
                             "; wanted at least the ", steps, " steps of an update, or 0"));
  const int64_t delay = config.actors().delay_versions();
  const bool lockstep = config.actors().mode() == ActorsConfig::LOCKSTEP;
  if (lockstep && queue.has_max_version_lag() && queue.max_version_lag() != delay)
    errors->Add(absl::StrCat("queue.max_version_lag: got ", queue.max_version_lag(), "; wanted ",
                             delay == 0 ? "0" : absl::StrCat("actors.delay_versions, ", delay, ","),
                             " where actors.mode is LOCKSTEP"));
  if (!lockstep && !UsesReplay(config) && queue.max_version_lag() < delay)
    errors->Add(absl::StrCat("queue.max_version_lag: got ", queue.max_version_lag(),
                             "; wanted at least actors.delay_versions, ", delay,
                             ", or every rollout is dropped"));
}

// What only one of the two kinds of algorithms knows must not be given to the other.
void CheckOnlyFor(const ExperimentConfig& config, absl::string_view field, bool given,
                  bool for_replay, ErrorList* errors) {
  if (!given || AlgorithmName(config).empty() || UsesReplay(config) == for_replay) return;
  errors->Add(absl::StrCat(field, ": given; wanted only for algorithms that learn ",
                           for_replay ? "from replay" : "on-policy", ", which ",
                           AlgorithmName(config), " does not"));
}

// Less, and the rate limiter would hold a rollout or a batch for ever.
void CheckSlack(const ExperimentConfig& config, ErrorList* errors) {
  const int64_t slack = config.replay().slack_steps();
  if (slack <= 0 || config.actors().mode() != ActorsConfig::ASYNCHRONOUS ||
      !(config.replay().updates_per_step() > 0))
    return;
  const int64_t rollout = MostItemsPerRollout(config);
  const int64_t update = StepsPerGradientStep(config);
  if (slack < rollout || slack < update)
    errors->Add(absl::StrCat("replay.slack_steps: got ", slack,
                             "; wanted 0, or at least the items of a rollout, ", rollout,
                             ", and the steps of an update, ", update));
}

void CheckLearners(const ExperimentConfig& config, ErrorList* errors) {
  const int32_t learners = config.learners().count();
  if (learners < 1 || config.actors().count() < 1) return;  // Said already.
  if (!UsesReplay(config) && config.actors().count() % learners != 0)
    errors->Add(absl::StrCat("learners.count: got ", learners,
                             "; wanted a divisor of actors.count, ", config.actors().count()));
  if (config.learners().has_max_gradient_lag() && !PushesGradients(config))
    errors->Add(
        "learners.max_gradient_lag: given; wanted only for algorithms that push gradients to the "
        "parameter server: a3c, n_step_q, n_step_sarsa");
  if (config.has_n_step_sarsa() && config.actors().segment_length() == 1)
    errors->Add(
        "actors.segment_length: got 1; wanted at least 2 for n_step_sarsa, which learns nothing "
        "from the last step of a segment");
  if (config.has_n_step_sarsa() && config.environment().max_episode_steps() == 1)
    errors->Add(
        "environment.max_episode_steps: got 1; wanted 0 or at least 2 for n_step_sarsa, which "
        "learns nothing from the last step of an episode that is cut off");
  if (config.has_reinforce() && config.reinforce().value_coefficient() == 0)
    errors->Add(
        "reinforce.value_coefficient: got 0; wanted a number above 0, as the return of a truncated "
        "episode continues with the learned value, whatever the baseline");
  const NormalizationConfig& normalization = config.normalization();
  if (PushesGradients(config) && (normalization.observations() || normalization.rewards()))
    errors->Add(absl::StrCat("normalization: given; wanted none for ", AlgorithmName(config),
                             ", whose learners share nothing but the parameters"));
}

// Learners that move one model together take equal shares of everything.
void CheckDataParallel(const ExperimentConfig& config, ErrorList* errors) {
  const int32_t learners = config.learners().count();
  if (!DataParallel(config) || AlgorithmName(config).empty()) return;
  const int64_t batch = config.replay().batch_size();
  if (UsesReplay(config) && batch >= 1 && batch % learners != 0)
    errors->Add(absl::StrCat("replay.batch_size: got ", batch,
                             "; wanted a multiple of learners.count, ", learners,
                             ", as each learner takes an equal share"));
  const int64_t minibatch = config.ppo().minibatch_size();
  if (config.has_ppo() && minibatch >= 1 && minibatch % learners != 0)
    errors->Add(absl::StrCat("ppo.minibatch_size: got ", minibatch,
                             "; wanted a multiple of learners.count, ", learners,
                             ", as each learner takes an equal share"));
  const bool natural = config.has_npg() || config.has_trpo();
  const int64_t regression =
      (config.has_npg() ? config.npg().value() : config.trpo().value()).minibatch_size();
  if (natural && regression >= 1 && regression % learners != 0)
    errors->Add(absl::StrCat(AlgorithmName(config), ".value.minibatch_size: got ", regression,
                             "; wanted a multiple of learners.count, ", learners,
                             ", as each learner takes an equal share"));
}

// A Gaussian policy's. Where the deviation is an output of the network, as SAC's is, nothing
// starts there.
void CheckInitialDeviation(const ExperimentConfig& config, ErrorList* errors) {
  const MlpConfig& mlp = config.model().mlp();
  const double initial = mlp.initial_log_std();
  if (UsesReplay(config) || (initial >= mlp.min_log_std() && initial <= mlp.max_log_std())) return;
  errors->Add(absl::StrCat("model.mlp.initial_log_std: got ", initial,
                           "; wanted min_log_std to max_log_std, ", mlp.min_log_std(), " to ",
                           mlp.max_log_std()));
}

// Theirs is a step of the policy's parameters alone.
void CheckNaturalGradient(const ExperimentConfig& config, ErrorList* errors) {
  if (!config.has_npg() && !config.has_trpo()) return;
  const std::string algorithm = AlgorithmName(config);
  if (config.model().mlp().shared_trunk())
    errors->Add(absl::StrCat("model.mlp.shared_trunk: got true; wanted false for ", algorithm,
                             ", or fitting the value would move the policy out of its bound"));
  if (!config.model().encoder().empty() && !config.model().separate_encoders())
    errors->Add(absl::StrCat("model.separate_encoders: got false; wanted true for ", algorithm,
                             ", or fitting the value would move the policy out of its bound"));
}

// Who learns from sequences, and how they are split.
void CheckMemory(const ExperimentConfig& config, ErrorList* errors) {
  if (!config.model().has_memory()) return;
  const std::string algorithm = AlgorithmName(config);
  if (!algorithm.empty() && !TraitsOf(config).memory())
    errors->Add(
        absl::StrCat("model.memory: got one with ", algorithm,
                     "; wanted none, or one of the algorithms that learn from sequences: ",
                     AlgorithmsOf([](const AlgorithmTraits& traits) { return traits.memory(); })));
  const int64_t length = config.actors().segment_length();
  const int64_t unit = length * std::max(1, config.learners().count());
  if (config.has_ppo() && length >= 1 && config.ppo().minibatch_size() % unit != 0)
    errors->Add(absl::StrCat("ppo.minibatch_size: got ", config.ppo().minibatch_size(),
                             "; wanted a multiple of actors.segment_length times learners.count, ",
                             unit, ", as with model.memory it is of whole sequences"));
}

void CheckSubset(const ExperimentConfig& config, ErrorList* errors) {
  const RedqConfig& redq = config.redq();
  if (config.has_redq() && redq.subset() > redq.critics())
    errors->Add(absl::StrCat("redq.subset: got ", redq.subset(), "; wanted at most redq.critics, ",
                             redq.critics()));
}

void CheckTemperature(const ExperimentConfig& config, ErrorList* errors) {
  const SacConfig& sac = config.sac();
  if (sac.learn_temperature() && sac.temperature() > sac.max_temperature())
    errors->Add(absl::StrCat("sac.temperature: got ", sac.temperature(),
                             "; wanted at most max_temperature, ", sac.max_temperature()));
}

// The columns of an actor's experience for replay besides observations: action, reward float32,
// version int64.
constexpr int64_t kStepColumns = 3;
constexpr int64_t kRewardAndVersionBytes = 4 + 8;
// And where rewards are normalised the discounted return, float32.
constexpr int64_t kDiscountedReturnBytes = 4;

void CheckCapacity(const ExperimentConfig& config, const StepBytes& bytes, ErrorList* errors) {
  const ReplayConfig& replay = config.replay();
  const ActorsConfig& actors = config.actors();
  if (actors.count() < 1 || actors.environments_per_actor() < 1 || actors.segment_length() < 1 ||
      replay.n_step() < 1 || replay.warmup_steps() < 1)
    return;  // Said already.
  const std::string steps = CapacityStepsError(config);
  if (!steps.empty()) return errors->Add(steps);
  if (bytes.observation == 0) return;
  const bool normalizes_rewards = config.normalization().rewards();
  const std::string too_few =
      CapacityBytesError(config,
                         bytes.observation_columns + kStepColumns + (normalizes_rewards ? 1 : 0) +
                             (LearnsSequences(config) ? 1 : 0),
                         bytes.observation + bytes.action + kRewardAndVersionBytes +
                             (normalizes_rewards ? kDiscountedReturnBytes : 0) +
                             static_cast<int64_t>(sizeof(float)) * RecurrentStateSize(config));
  if (!too_few.empty()) errors->Add(too_few);
}

void CheckReplay(const ExperimentConfig& config, const StepBytes& bytes, ErrorList* errors) {
  CheckOnlyFor(config, "replay", config.has_replay(), /*for_replay=*/true, errors);
  CheckOnlyFor(config, "queue", config.has_queue(), /*for_replay=*/false, errors);
  const MlpConfig& mlp = config.model().mlp();
  CheckOnlyFor(config, "model.mlp.shared_trunk", mlp.shared_trunk(), /*for_replay=*/false, errors);
  if (!UsesReplay(config)) return;
  CheckCapacity(config, bytes, errors);
  CheckSlack(config, errors);
}

}  // namespace

void CheckTrainingRules(const ExperimentConfig& config, const StepBytes& bytes, ErrorList* errors) {
  CheckMinibatches(config, errors);
  CheckQueue(config, errors);
  CheckLearners(config, errors);
  CheckDataParallel(config, errors);
  CheckInitialDeviation(config, errors);
  CheckNaturalGradient(config, errors);
  CheckMemory(config, errors);
  CheckReplay(config, bytes, errors);
  CheckSubset(config, errors);
  CheckTemperature(config, errors);
}

}  // namespace cadre
