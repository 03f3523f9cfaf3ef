#include "common/config/config_effects.h"

#include <memory>
#include <string>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "common/config/algorithm_traits.h"
#include "common/config/config.h"
#include "common/config/config_schema.h"
#include "common/config/replay_config.h"
#include "google/protobuf/descriptor.h"
#include "google/protobuf/message.h"

namespace cadre {
namespace {

using google::protobuf::FieldDescriptor;
using google::protobuf::Message;

// What the rules look at.
struct Experiment {
  const ExperimentConfig& config;
  std::optional<bool> discrete;

  bool continuous() const { return !discrete.value_or(false); }
  const AlgorithmTraits& traits() const { return TraitsOf(config); }
  bool gaussian() const {
    return traits().policy() == AlgorithmTraits::ACTOR_CRITIC ||
           traits().policy() == AlgorithmTraits::MAXIMUM_ENTROPY;
  }
  bool on_policy() const { return !UsesReplay(config); }
  bool adaptive_kl() const { return config.ppo().objective() == PpoConfig::ADAPTIVE_KL; }
  bool one_environment() const {
    return int64_t{config.actors().count()} * config.actors().environments_per_actor() == 1;
  }
  bool encodes() const { return !config.model().encoder().empty() || config.model().has_memory(); }
  bool has_hidden_layers() const {
    return !config.model().mlp().hidden().empty() || HasDefaultHidden(config.model());
  }
  bool weighs_items() const { return config.replay().prioritized().alpha() > 0; }
};

using E = const Experiment&;

struct Rule {
  const char* field;
  bool (*has_effect)(E);
  const char* wanted;
};

// A field that is not here has an effect whenever its algorithm is chosen. Limits are not here
// either: the bytes of a queue, or the oldest checkpoint that is kept.
constexpr Rule kRules[] = {
    // Where on-policy algorithms' deviations begin. SAC's is an output of its network, whose bias
    // begins at 0.
    {"model.mlp.initial_log_std", [](E e) { return e.continuous() && e.on_policy(); },
     "for continuous actions and algorithms other than sac, ddpg and td3"},
    {"model.mlp.min_log_std", [](E e) { return e.continuous() && e.gaussian(); },
     "for continuous actions and algorithms other than ddpg and td3"},
    {"model.mlp.max_log_std", [](E e) { return e.continuous() && e.gaussian(); },
     "for continuous actions and algorithms other than ddpg and td3"},
    {"model.mlp.state_dependent_log_std",
     [](E e) { return e.continuous() && e.traits().policy() == AlgorithmTraits::ACTOR_CRITIC; },
     "for continuous actions and on-policy algorithms with a Gaussian policy; sac's deviation "
     "always depends on the state, and ddpg and td3 have none"},
    {"model.mlp.shared_trunk",
     [](E e) { return e.traits().policy() != AlgorithmTraits::ACTION_VALUES || !e.on_policy(); },
     "for algorithms that learn a policy and a value; n_step_q and n_step_sarsa have one network"},
    {"model.mlp.activation", [](E e) { return e.has_hidden_layers(); }, "with hidden layers"},
    {"model.mlp.layer_norm", [](E e) { return e.has_hidden_layers(); }, "with hidden layers"},
    {"model.separate_encoders",
     [](E e) {
       return e.encodes() && e.on_policy() && !e.config.model().mlp().shared_trunk() &&
              e.traits().policy() == AlgorithmTraits::ACTOR_CRITIC;
     },
     "with an encoder or a memory, without model.mlp.shared_trunk, and for algorithms that learn "
     "a policy and a value"},
    {"normalization.clip",
     [](E e) {
       return e.config.normalization().observations() || e.config.normalization().rewards();
     },
     "with normalization.observations or normalization.rewards"},

    {"ppo.clip_range", [](E e) { return !e.adaptive_kl(); }, "with ppo.objective CLIPPED"},
    {"ppo.clip_range_schedule", [](E e) { return !e.adaptive_kl(); }, "with ppo.objective CLIPPED"},
    {"ppo.kl_target", [](E e) { return e.adaptive_kl(); },
     "with ppo.objective ADAPTIVE_KL; what ends the epochs of an update is ppo.target_kl"},
    {"ppo.initial_kl_beta", [](E e) { return e.adaptive_kl(); }, "with ppo.objective ADAPTIVE_KL"},
    {"ppo.max_weight", [](E e) { return e.config.ppo().decoupled(); }, "with ppo.decoupled"},
    {"ppo.proximal_decay", [](E e) { return e.config.ppo().decoupled(); }, "with ppo.decoupled"},
    {"ppo.value_clip_range", [](E e) { return e.config.ppo().value_coefficient() > 0; },
     "with ppo.value_coefficient above 0"},

    {"dqn.loss", [](E e) { return !e.config.dqn().has_distributional(); },
     "without dqn.distributional, whose loss is the cross-entropy"},
    {"dqn.epsilon_greedy.spread", [](E e) { return !e.one_environment(); },
     "with more than one environment"},
    {"dqn.epsilon_greedy.decay_share",
     [](E e) {
       const auto& epsilon = e.config.dqn().epsilon_greedy();
       return epsilon.initial() != epsilon.final();
     },
     "with an initial epsilon other than the final one"},
    {"dqn.boltzmann.decay_share",
     [](E e) {
       const auto& boltzmann = e.config.dqn().boltzmann();
       return boltzmann.initial_temperature() != boltzmann.final_temperature();
     },
     "with an initial temperature other than the final one"},
    {"n_step_q.epsilon_greedy.spread", [](E e) { return !e.one_environment(); },
     "with more than one environment"},
    {"n_step_q.epsilon_greedy.decay_share",
     [](E e) {
       const auto& epsilon = e.config.n_step_q().epsilon_greedy();
       return epsilon.initial() != epsilon.final();
     },
     "with an initial epsilon other than the final one"},
    {"n_step_sarsa.epsilon_greedy.spread", [](E e) { return !e.one_environment(); },
     "with more than one environment"},
    {"n_step_sarsa.epsilon_greedy.decay_share",
     [](E e) {
       const auto& epsilon = e.config.n_step_sarsa().epsilon_greedy();
       return epsilon.initial() != epsilon.final();
     },
     "with an initial epsilon other than the final one"},

    {"ddpg.noise.ornstein_uhlenbeck.rate",
     [](E e) { return e.config.ddpg().noise().ornstein_uhlenbeck().deviation() > 0; },
     "with a deviation above 0"},
    {"td3.noise.ornstein_uhlenbeck.rate",
     [](E e) { return e.config.td3().noise().ornstein_uhlenbeck().deviation() > 0; },
     "with a deviation above 0"},
    // Each switches the other off, and may itself be off.
    {"td3.target_noise",
     [](E e) {
       return e.config.td3().target_noise_clip() > 0 || e.config.td3().target_noise() == 0;
     },
     "with td3.target_noise_clip above 0"},
    {"td3.target_noise_clip",
     [](E e) {
       return e.config.td3().target_noise() > 0 || e.config.td3().target_noise_clip() == 0;
     },
     "with td3.target_noise above 0"},

    {"sac.target_entropy", [](E e) { return e.config.sac().learn_temperature(); },
     "with sac.learn_temperature"},
    {"sac.temperature_learning_rate", [](E e) { return e.config.sac().learn_temperature(); },
     "with sac.learn_temperature"},
    {"sac.max_temperature", [](E e) { return e.config.sac().learn_temperature(); },
     "with sac.learn_temperature"},

    {"impala.rho_bar", [](E e) { return e.config.impala().correction(); },
     "with impala.correction"},
    {"impala.c_bar", [](E e) { return e.config.impala().correction(); }, "with impala.correction"},

    {"replay.slack_steps",
     [](E e) {
       return e.config.actors().mode() == ActorsConfig::ASYNCHRONOUS ||
              e.config.replay().slack_steps() == DefaultSlackSteps(e.config);
     },
     "with actors.mode ASYNCHRONOUS; in lockstep nobody is ahead"},
    {"replay.sequences", [](E e) { return LearnsSequences(e.config); },
     "for dqn with model.memory, whose items are sequences"},
    {"replay.prioritized.initial_beta", [](E e) { return e.weighs_items(); },
     "with replay.prioritized.alpha above 0; all weights are 1"},
    {"replay.prioritized.final_beta", [](E e) { return e.weighs_items(); },
     "with replay.prioritized.alpha above 0; all weights are 1"},
    {"replay.prioritized.epsilon", [](E e) { return e.weighs_items(); },
     "with replay.prioritized.alpha above 0; all items are alike"},

    // Whoever writes that there are none has switched them off, and may leave the rest.
    {"evaluation.episodes", [](E e) { return e.config.evaluation().has_every_env_steps(); },
     "with evaluation.every_env_steps"},
};

// A field that is there, and the message that it is in.
struct Given {
  Message* message = nullptr;  // Null: it is not given.
  const FieldDescriptor* field = nullptr;
};

// `path` is "a.b.c", all of them fields of one value.
Given Find(const char* path, ExperimentConfig& config) {
  Given found{&config, nullptr};
  for (const absl::string_view name : absl::StrSplit(path, '.')) {
    if (found.field != nullptr)
      found.message = found.message->GetReflection()->MutableMessage(found.message, found.field);
    found.field = found.message->GetDescriptor()->FindFieldByName(std::string(name));
    if (!found.message->GetReflection()->HasField(*found.message, found.field)) return {};
  }
  return found;
}

bool IsDefault(const Given& given) {
  const std::unique_ptr<Message> plain(given.message->New());
  return given.field->has_default_value() &&
         FieldText(*given.message, *given.field) == FieldText(*plain, *given.field);
}

// A schedule has an effect on its final share only if it has a shape. Calls `report` with those
// that have none and their paths; schedules stand in many messages.
void FindIdleSchedules(Message& message, const std::string& path,
                       absl::FunctionRef<void(ScheduleConfig&, const std::string&)> report) {
  auto* const schedule = google::protobuf::DynamicCastToGenerated<ScheduleConfig>(&message);
  if (schedule != nullptr && schedule->shape() == ScheduleConfig::CONSTANT &&
      schedule->has_final_share())
    report(*schedule, path);
  const auto* const reflection = message.GetReflection();
  std::vector<const FieldDescriptor*> fields;
  reflection->ListFields(message, &fields);
  for (const FieldDescriptor* field : fields)
    if (field->cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE && !field->is_repeated())
      FindIdleSchedules(*reflection->MutableMessage(&message, field), JoinPath(path, field->name()),
                        report);
}

}  // namespace

void CheckEffects(const ExperimentConfig& config, std::optional<bool> discrete, ErrorList* errors) {
  ExperimentConfig copy = config;  // Reflection hands out mutable messages.
  for (const Rule& rule : kRules) {
    const Given given = Find(rule.field, copy);
    if (given.message == nullptr || IsDefault(given) || rule.has_effect({config, discrete}))
      continue;
    errors->Add(absl::StrCat(rule.field, ": got ", FieldText(*given.message, *given.field),
                             ", which has no effect here; wanted only ", rule.wanted));
  }
  FindIdleSchedules(copy, "", [&](const ScheduleConfig& schedule, const std::string& path) {
    if (schedule.final_share() != ScheduleConfig().final_share())
      errors->Add(absl::StrCat(path, ".final_share: got ", NumberText(schedule.final_share()),
                               ", which has no effect here; wanted only with a shape other than "
                               "CONSTANT"));
  });
}

void ClearWithoutEffect(std::optional<bool> discrete, ExperimentConfig* config) {
  std::vector<Given> without;
  for (const Rule& rule : kRules) {
    const Given given = Find(rule.field, *config);
    if (given.message != nullptr && !rule.has_effect({*config, discrete})) without.push_back(given);
  }
  for (const Given& given : without)
    given.message->GetReflection()->ClearField(given.message, given.field);
  FindIdleSchedules(*config, "", [](ScheduleConfig& schedule, const std::string&) {
    schedule.clear_final_share();
  });
}

}  // namespace cadre
