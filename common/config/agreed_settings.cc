#include "common/config/agreed_settings.h"

#include <string>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "common/config/config.h"
#include "common/config/config_schema.h"
#include "common/config/replay_config.h"
#include "google/protobuf/descriptor.h"
#include "google/protobuf/message.h"

namespace cadre {
namespace {

using google::protobuf::FieldDescriptor;
using google::protobuf::Message;

// What both families share; on-policy queues; replay tables.
constexpr const char* kCommon[] = {"environment.id",
                                   "environment.gymnasium",
                                   "environment.atari",
                                   "environment.mujoco",
                                   "environment.plugin",
                                   "environment.max_episode_steps",
                                   "environment.wrappers.sticky_action_probability",
                                   "environment.wrappers.action_repeat",
                                   "environment.wrappers.rescale_actions",
                                   "environment.wrappers.reward_scale",
                                   "environment.wrappers.reward_clip",
                                   "environment.wrappers.rescale_observations",
                                   "environment.wrappers.observation_clip",
                                   "environment.wrappers.frame_stack",
                                   "environment.wrappers.time_aware",
                                   kEnvironmentsPerActor,
                                   "actors.segment_length",
                                   "actors.mode",
                                   "learners.count",
                                   "model.mlp.hidden",
                                   "model.mlp.activation",
                                   "model.mlp.layer_norm",
                                   "model.encoder",
                                   "model.memory",
                                   "model.separate_encoders",
                                   "model.mlp.shared_trunk",
                                   "model.mlp.min_log_std",
                                   "model.mlp.max_log_std",
                                   "model.mlp.state_dependent_log_std",
                                   "normalization.observations",
                                   "normalization.rewards",
                                   "normalization.clip"};
constexpr const char* kOnPolicy[] = {"actors.delay_versions"};
constexpr const char* kDqn[] = {"dqn.dueling", "dqn.distributional.atoms",
                                "dqn.distributional.min_value", "dqn.distributional.max_value"};
constexpr const char* kReplay[] = {"replay.n_step"};
// Of a learner and its replay server, in lockstep.
constexpr char kWarmupSteps[] = "replay.warmup_steps";
constexpr char kSamplesPerStep[] = "replay.updates_per_step x replay.batch_size";

// The value at a path; "" if there is none.
std::string ValueAt(const Message& config, absl::string_view path) {
  const Message* message = &config;
  const std::vector<std::string> names = absl::StrSplit(path, '.');
  for (size_t i = 0;; ++i) {
    const FieldDescriptor* field = message->GetDescriptor()->FindFieldByName(names[i]);
    const auto* reflection = message->GetReflection();
    if (field == nullptr) return "";
    const bool last = i + 1 == names.size();
    if (last && field->is_repeated() && reflection->FieldSize(*message, field) == 0) return "";
    if (last && !field->is_repeated() && !field->has_default_value() &&
        !reflection->HasField(*message, field))
      return "";
    if (last) return FieldText(*message, *field);
    message = &reflection->GetMessage(*message, field);
  }
}

void Add(std::string field, std::string value, std::vector<v1::AgreedSetting>* settings) {
  if (value.empty()) return;
  v1::AgreedSetting& setting = settings->emplace_back();
  setting.set_field(std::move(field));
  setting.set_value(std::move(value));
}

const v1::AgreedSetting* Find(absl::Span<const v1::AgreedSetting> settings,
                              absl::string_view field) {
  for (const v1::AgreedSetting& setting : settings)
    if (setting.field() == field) return &setting;
  return nullptr;
}

}  // namespace

std::vector<v1::AgreedSetting> AgreedSettings(const ExperimentConfig& config) {
  const std::string algorithm = AlgorithmName(config);
  std::vector<v1::AgreedSetting> settings;
  Add("algorithm", algorithm, &settings);
  const auto add = [&](absl::Span<const char* const> paths) {
    for (const char* path : paths) Add(path, ValueAt(config, path), &settings);
  };
  add(kCommon);
  add(UsesReplay(config) ? absl::MakeConstSpan(kReplay) : absl::MakeConstSpan(kOnPolicy));
  if (config.has_dqn()) add(kDqn);
  // In lockstep an update takes a rollout of every actor.
  if (config.actors().mode() == ActorsConfig::LOCKSTEP)
    Add("actors.count", absl::StrCat(config.actors().count()), &settings);
  if (!algorithm.empty()) {
    const std::string gamma = absl::StrCat(algorithm, ".gamma");
    Add(gamma, ValueAt(config, gamma), &settings);
  }
  return settings;
}

std::vector<v1::AgreedSetting> LearnersAgreedSettings(const ExperimentConfig& config) {
  std::vector<v1::AgreedSetting> settings = AgreedSettings(config);
  if (!UsesReplay(config)) return settings;
  if (config.actors().mode() == ActorsConfig::LOCKSTEP)
    Add(kWarmupSteps, ValueAt(config, kWarmupSteps), &settings);
  else
    Add(kSamplesPerStep,
        absl::StrCat(config.replay().updates_per_step() * config.replay().batch_size()), &settings);
  return settings;
}

v1::ExperienceSpec WithAgreedSettings(v1::ExperienceSpec spec,
                                      absl::Span<const v1::AgreedSetting> settings) {
  spec.mutable_agreed()->Assign(settings.begin(), settings.end());
  return spec;
}

absl::Status CheckAgreed(absl::Span<const v1::AgreedSetting> ours,
                         absl::Span<const v1::AgreedSetting> theirs) {
  std::vector<std::string> differences;
  for (const v1::AgreedSetting& mine : ours) {
    const v1::AgreedSetting* other = Find(theirs, mine.field());
    if (other != nullptr && other->value() != mine.value())
      differences.push_back(
          absl::StrCat(mine.field(), ": got ", other->value(), "; wanted ", mine.value()));
  }
  if (differences.empty()) return absl::OkStatus();
  return absl::FailedPreconditionError(absl::StrCat(
      "the processes of this run have different settings: ", absl::StrJoin(differences, ", and ")));
}

std::optional<int64_t> AgreedNumber(absl::Span<const v1::AgreedSetting> settings,
                                    absl::string_view field) {
  const v1::AgreedSetting* setting = Find(settings, field);
  int64_t number;
  if (setting == nullptr || !absl::SimpleAtoi(setting->value(), &number)) return std::nullopt;
  return number;
}

}  // namespace cadre
