#include "common/config_validation.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <optional>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/config.h"
#include "common/config_effects.h"
#include "common/config_schema.h"
#include "common/error_list.h"
#include "common/replay_capacity.h"
#include "common/replay_config.h"
#include "common/run_topology.h"
#include "common/stale_experience.h"
#include "google/protobuf/descriptor.h"
#include "google/protobuf/text_format.h"
#include "proto/options.pb.h"

namespace cadre {
namespace {

using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
using google::protobuf::Reflection;
using google::protobuf::TextFormat;

constexpr AlgorithmTraits kAlgorithms[] = {
    {"ppo", /*discrete=*/true, /*continuous=*/true},
    {"dqn", /*discrete=*/true, /*continuous=*/false},
    {"ddpg", /*discrete=*/false, /*continuous=*/true},
    {"td3", /*discrete=*/false, /*continuous=*/true},
    {"sac", /*discrete=*/true, /*continuous=*/true},
    {"reinforce", /*discrete=*/true, /*continuous=*/true},
    {"a2c", /*discrete=*/true, /*continuous=*/true},
    {"a3c", /*discrete=*/true, /*continuous=*/true},
    {"impala", /*discrete=*/true, /*continuous=*/true},
    {"off_policy_gradient", /*discrete=*/true, /*continuous=*/true},
    {"npg", /*discrete=*/true, /*continuous=*/true},
    {"trpo", /*discrete=*/true, /*continuous=*/true},
    {"n_step_q", /*discrete=*/true, /*continuous=*/false},
    {"n_step_sarsa", /*discrete=*/true, /*continuous=*/false},
};

// --- Each field by its schema ---

bool InRange(const Range& range, double value) {
  return std::isfinite(value) && !(range.has_min() && value < range.min()) &&
         !(range.has_max() && value > range.max()) &&
         !(range.has_above() && value <= range.above()) &&
         !(range.has_below() && value >= range.below());
}

// A number as a double; none for other types. `index` is that of a repeated field's
// element, -1 otherwise. An int64 so large that it is rounded is far from any bound.
std::optional<double> NumberAt(const Message& message, const FieldDescriptor& field, int index) {
  const Reflection* reflection = message.GetReflection();
  const auto get = [&](auto singular, auto repeated) -> double {
    return index < 0 ? (reflection->*singular)(message, &field)
                     : (reflection->*repeated)(message, &field, index);
  };
  using R = Reflection;
  switch (field.cpp_type()) {
    case FieldDescriptor::CPPTYPE_INT32:
      return get(&R::GetInt32, &R::GetRepeatedInt32);
    case FieldDescriptor::CPPTYPE_INT64:
      return get(&R::GetInt64, &R::GetRepeatedInt64);
    case FieldDescriptor::CPPTYPE_UINT32:
      return get(&R::GetUInt32, &R::GetRepeatedUInt32);
    case FieldDescriptor::CPPTYPE_UINT64:
      return get(&R::GetUInt64, &R::GetRepeatedUInt64);
    case FieldDescriptor::CPPTYPE_DOUBLE:
      return get(&R::GetDouble, &R::GetRepeatedDouble);
    case FieldDescriptor::CPPTYPE_FLOAT:
      return get(&R::GetFloat, &R::GetRepeatedFloat);
    default:
      return std::nullopt;
  }
}

void CheckNumber(const Message& message, const FieldDescriptor& field, int index,
                 const std::string& path, ErrorList* errors) {
  const std::optional<double> value = NumberAt(message, field, index);
  if (!value || InRange(field.options().GetExtension(cadre::range), *value)) return;
  std::string got;
  TextFormat::PrintFieldValueToString(message, &field, index, &got);
  errors->Add(absl::StrCat(path, ": got ", got, "; wanted ", WantedValue(field)));
}

void CheckFields(const Message& message, absl::string_view path, ErrorList* errors);

// A field that is not given. Of a message, rather what is missing inside.
void CheckAbsentField(const Message& message, const FieldDescriptor& field, const std::string& path,
                      ErrorList* errors) {
  if (!field.options().GetExtension(required_field)) return;
  const size_t before = errors->size();
  if (field.cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE && !field.is_repeated())
    CheckFields(message.GetReflection()->GetMessage(message, &field), path, errors);
  if (errors->size() == before)
    errors->Add(absl::StrCat(path, ": not given; wanted ", WantedValue(field)));
}

void CheckRepeatedField(const Message& message, const FieldDescriptor& field,
                        const std::string& path, ErrorList* errors) {
  const Reflection* reflection = message.GetReflection();
  for (int index = 0; index < reflection->FieldSize(message, &field); ++index) {
    if (field.cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE) {
      CheckFields(reflection->GetRepeatedMessage(message, &field, index),
                  absl::StrCat(path, "[", index, "]"), errors);
    } else {
      CheckNumber(message, field, index, absl::StrCat(path, "[", index, "]"), errors);
    }
  }
}

void CheckFields(const Message& message, absl::string_view path, ErrorList* errors) {
  const Reflection* reflection = message.GetReflection();
  for (int i = 0; i < message.GetDescriptor()->field_count(); ++i) {
    const FieldDescriptor& field = *message.GetDescriptor()->field(i);
    const std::string field_path = JoinPath(path, field.name());
    if (field.is_repeated() ? reflection->FieldSize(message, &field) == 0
                            : !reflection->HasField(message, &field)) {
      CheckAbsentField(message, field, field_path, errors);
    } else if (field.is_repeated()) {
      CheckRepeatedField(message, field, field_path, errors);
    } else if (field.cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE) {
      CheckFields(reflection->GetMessage(message, &field), field_path, errors);
    } else {
      CheckNumber(message, field, /*index=*/-1, field_path, errors);
    }
  }
}

// --- Rules between fields ---

std::string Quoted(absl::string_view text) { return absl::StrCat("'", absl::CEscape(text), "'"); }

// The run's folder is called so.
void CheckName(const ExperimentConfig& config, ErrorList* errors) {
  if (!config.has_name()) return;
  const std::string& name = config.name();
  const bool plain = std::all_of(name.begin(), name.end(), [](char c) {
    return absl::ascii_isalnum(c) || c == '-' || c == '_' || c == '.';
  });
  if (!plain || name.empty() || name[0] == '.')
    errors->Add(absl::StrCat("name: got ", Quoted(name),
                             "; wanted letters, digits, '-', '_' and '.', not '.' first"));
}

// Ids of the environments whose actions `traits` allows.
std::vector<std::string> Ids(const EnvironmentCatalog& catalog, const AlgorithmTraits& traits) {
  std::vector<std::string> ids;
  for (const EnvironmentCatalog::Entry& entry : catalog.entries)
    if (entry.discrete ? traits.discrete : traits.continuous) ids.push_back(entry.id);
  return ids;
}

void CheckEnvironment(const ExperimentConfig& config, const EnvironmentCatalog& catalog,
                      absl::Span<const AlgorithmTraits> algorithms, ErrorList* errors) {
  if (!config.environment().has_id()) return;
  const std::string& id = config.environment().id();
  const EnvironmentCatalog::Entry* entry = catalog.Find(id);
  if (entry == nullptr) {
    const std::vector<std::string> known = Ids(catalog, {"", true, true});
    errors->Add(absl::StrCat("environment.id: got ", Quoted(id), DidYouMean(id, known),
                             "wanted one of ", absl::StrJoin(known, ", ")));
    return;
  }
  const std::string algorithm = AlgorithmName(config);
  for (const AlgorithmTraits& traits : algorithms) {
    if (traits.name != algorithm || (entry->discrete ? traits.discrete : traits.continuous))
      continue;
    errors->Add(absl::StrCat("environment.id: got ", Quoted(id), ", whose actions are ",
                             entry->discrete ? "discrete" : "continuous", "; wanted, for ",
                             algorithm, ", ", entry->discrete ? "continuous" : "discrete",
                             " actions: ", absl::StrJoin(Ids(catalog, traits), ", ")));
  }
}

void CheckAlgorithmGiven(const ExperimentConfig& config, ErrorList* errors) {
  if (!AlgorithmName(config).empty()) return;
  const auto* oneof = ExperimentConfig::descriptor()->FindOneofByName("algorithm");
  std::vector<std::string> choices;
  for (int i = 0; i < oneof->field_count(); ++i)
    choices.push_back(absl::StrCat(oneof->field(i)->name(), " { ... }"));
  errors->Add(absl::StrCat("algorithm: not given; wanted one of ", absl::StrJoin(choices, ", ")));
}

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

// A Gaussian policy's.
void CheckLogDeviation(const ExperimentConfig& config, ErrorList* errors) {
  const MlpConfig& mlp = config.model().mlp();
  if (mlp.min_log_std() > mlp.max_log_std())
    errors->Add(absl::StrCat("model.mlp.min_log_std: got ", mlp.min_log_std(),
                             "; wanted at most max_log_std, ", mlp.max_log_std()));
  // Where the deviation is an output of the network, as SAC's is, nothing starts there.
  if (UsesReplay(config)) return;
  const double initial = mlp.initial_log_std();
  if (initial < mlp.min_log_std() || initial > mlp.max_log_std())
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
}

void CheckTemperature(const ExperimentConfig& config, ErrorList* errors) {
  const SacConfig& sac = config.sac();
  if (sac.learn_temperature() && sac.temperature() > sac.max_temperature())
    errors->Add(absl::StrCat("sac.temperature: got ", sac.temperature(),
                             "; wanted at most max_temperature, ", sac.max_temperature()));
}

// The columns of an actor's experience for replay: obs, action, reward float32, version int64.
constexpr int64_t kReplayColumns = 4;
constexpr int64_t kRewardAndVersionBytes = 4 + 8;

void CheckCapacity(const ExperimentConfig& config, const EnvironmentCatalog& catalog,
                   ErrorList* errors) {
  const ReplayConfig& replay = config.replay();
  const ActorsConfig& actors = config.actors();
  if (actors.count() < 1 || actors.environments_per_actor() < 1 || actors.segment_length() < 1 ||
      replay.n_step() < 1 || replay.warmup_steps() < 1)
    return;  // Said already.
  const std::string steps = CapacityStepsError(config);
  if (!steps.empty()) return errors->Add(steps);
  const EnvironmentCatalog::Entry* entry = catalog.Find(config.environment().id());
  if (entry == nullptr || entry->bytes.observation == 0) return;
  const std::string bytes =
      CapacityBytesError(config, kReplayColumns,
                         entry->bytes.observation + entry->bytes.action + kRewardAndVersionBytes);
  if (!bytes.empty()) errors->Add(bytes);
}

void CheckReplay(const ExperimentConfig& config, const EnvironmentCatalog& catalog,
                 ErrorList* errors) {
  CheckOnlyFor(config, "replay", config.has_replay(), /*for_replay=*/true, errors);
  CheckOnlyFor(config, "queue", config.has_queue(), /*for_replay=*/false, errors);
  const NormalizationConfig& normalization = config.normalization();
  CheckOnlyFor(config, "normalization", normalization.observations() || normalization.rewards(),
               /*for_replay=*/false, errors);
  const MlpConfig& mlp = config.model().mlp();
  CheckOnlyFor(config, "model.mlp.shared_trunk", mlp.shared_trunk(), /*for_replay=*/false, errors);
  if (!UsesReplay(config)) return;
  CheckCapacity(config, catalog, errors);
  CheckSlack(config, errors);
  const DqnConfig::Distributional& c51 = config.dqn().distributional();
  if (config.dqn().has_distributional() && c51.min_value() >= c51.max_value())
    errors->Add(absl::StrCat("dqn.distributional.min_value: got ", c51.min_value(),
                             "; wanted less than max_value, ", c51.max_value()));
}

}  // namespace

void CheckMessageFields(const google::protobuf::Message& message, absl::string_view path,
                        ErrorList* errors) {
  CheckFields(message, path, errors);
}

const EnvironmentCatalog::Entry* EnvironmentCatalog::Find(absl::string_view id) const {
  for (const Entry& entry : entries)
    if (entry.id == id) return &entry;
  return nullptr;
}

absl::Span<const AlgorithmTraits> KnownAlgorithms() { return kAlgorithms; }

absl::Status ValidateConfig(const ExperimentConfig& config, const EnvironmentCatalog& catalog,
                            absl::Span<const AlgorithmTraits> algorithms) {
  ErrorList errors;
  CheckFields(config, "", &errors);
  const bool in_range = errors.size() == 0;
  CheckName(config, &errors);
  CheckEnvironment(config, catalog, algorithms, &errors);
  CheckAlgorithmGiven(config, &errors);
  CheckMinibatches(config, &errors);
  CheckQueue(config, &errors);
  CheckLearners(config, &errors);
  CheckDataParallel(config, &errors);
  CheckLogDeviation(config, &errors);
  CheckNaturalGradient(config, &errors);
  CheckReplay(config, catalog, &errors);
  CheckTemperature(config, &errors);
  const EnvironmentCatalog::Entry* const entry = catalog.Find(config.environment().id());
  if (in_range) CheckFeasible(config, entry == nullptr ? StepBytes() : entry->bytes, &errors);
  CheckEffects(config, entry == nullptr ? std::nullopt : std::optional<bool>(entry->discrete),
               &errors);
  CheckStaleExperience(config, &errors);
  return errors.ToStatus();
}

}  // namespace cadre
