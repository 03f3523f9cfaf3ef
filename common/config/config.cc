#include "common/config/config.h"

#include <algorithm>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/config/config_effects.h"
#include "common/config/config_overrides.h"
#include "common/config/error_list.h"
#include "common/config/replay_config.h"
#include "common/config/text_format_reader.h"
#include "common/files/file_io.h"
#include "common/status_macros.h"
#include "google/protobuf/descriptor.h"
#include "google/protobuf/message.h"
#include "google/protobuf/text_format.h"
#include "proto/options.pb.h"

namespace cadre {
namespace {

using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
using google::protobuf::Reflection;

void SetToDefault(const FieldDescriptor& field, Message* message) {
  const Reflection* reflection = message->GetReflection();
  switch (field.cpp_type()) {
    case FieldDescriptor::CPPTYPE_INT32:
      return reflection->SetInt32(message, &field, field.default_value_int32());
    case FieldDescriptor::CPPTYPE_INT64:
      return reflection->SetInt64(message, &field, field.default_value_int64());
    case FieldDescriptor::CPPTYPE_UINT32:
      return reflection->SetUInt32(message, &field, field.default_value_uint32());
    case FieldDescriptor::CPPTYPE_UINT64:
      return reflection->SetUInt64(message, &field, field.default_value_uint64());
    case FieldDescriptor::CPPTYPE_DOUBLE:
      return reflection->SetDouble(message, &field, field.default_value_double());
    case FieldDescriptor::CPPTYPE_FLOAT:
      return reflection->SetFloat(message, &field, field.default_value_float());
    case FieldDescriptor::CPPTYPE_BOOL:
      return reflection->SetBool(message, &field, field.default_value_bool());
    case FieldDescriptor::CPPTYPE_ENUM:
      return reflection->SetEnum(message, &field, field.default_value_enum());
    case FieldDescriptor::CPPTYPE_STRING:
      return reflection->SetString(message, &field, field.default_value_string());
    case FieldDescriptor::CPPTYPE_MESSAGE:
      return;
  }
}

// Whether a message switches something on by being there.
bool IsSwitch(const FieldDescriptor& field) {
  return field.message_type() != nullptr && field.message_type()->options().GetExtension(is_switch);
}

// Writes out every default, in inner messages too. A oneof keeps its choice, and what is
// off stays off.
void FillDefaults(Message* message) {
  const Reflection* reflection = message->GetReflection();
  for (int i = 0; i < message->GetDescriptor()->field_count(); ++i) {
    const FieldDescriptor* field = message->GetDescriptor()->field(i);
    const bool given = !field->is_repeated() && reflection->HasField(*message, field);
    if (field->is_repeated()) continue;
    if (!given && (field->containing_oneof() != nullptr || IsSwitch(*field))) continue;
    if (field->cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE) {
      FillDefaults(reflection->MutableMessage(message, field));
    } else if (!given && field->has_default_value()) {
      SetToDefault(*field, message);
    }
  }
}

bool EqualsDefault(const FieldDescriptor& field, const Message& message) {
  std::string value, default_value;
  const std::unique_ptr<Message> defaults(message.New());
  google::protobuf::TextFormat::PrintFieldValueToString(message, &field, -1, &value);
  google::protobuf::TextFormat::PrintFieldValueToString(*defaults, &field, -1, &default_value);
  return value == default_value;
}

// Undoes FillDefaults. What is there only because it switches something on stays.
void ClearDefaults(Message* message) {
  const Reflection* reflection = message->GetReflection();
  for (int i = 0; i < message->GetDescriptor()->field_count(); ++i) {
    const FieldDescriptor* field = message->GetDescriptor()->field(i);
    if (field->is_repeated() || !reflection->HasField(*message, field)) continue;
    if (field->cpp_type() != FieldDescriptor::CPPTYPE_MESSAGE) {
      if (field->has_default_value() && EqualsDefault(*field, *message))
        reflection->ClearField(message, field);
      continue;
    }
    Message* inner = reflection->MutableMessage(message, field);
    ClearDefaults(inner);
    if (inner->ByteSizeLong() == 0 && field->containing_oneof() == nullptr && !IsSwitch(*field))
      reflection->ClearField(message, field);
  }
}

}  // namespace

int64_t DefaultSlackSteps(const ExperimentConfig& config) {
  constexpr int64_t kRollouts = 2;
  constexpr int64_t kUpdates = 4;
  return std::max(kRollouts * config.actors().count() * MostItemsPerRollout(config),
                  kUpdates * StepsPerGradientStep(config));
}

namespace {

// FillDefaults writes out no member of a oneof that was not chosen.
void ResolveOptimizer(ExperimentConfig& config) {
  const auto* oneof = ExperimentConfig::descriptor()->FindOneofByName("algorithm");
  const FieldDescriptor* algorithm = config.GetReflection()->GetOneofFieldDescriptor(config, oneof);
  if (algorithm == nullptr) return;
  const FieldDescriptor* field = algorithm->message_type()->FindFieldByName("optimizer");
  if (field == nullptr || field->message_type() != OptimizerConfig::descriptor()) return;
  Message* settings = config.GetReflection()->MutableMessage(&config, algorithm);
  auto* optimizer = google::protobuf::DynamicCastToGenerated<OptimizerConfig>(
      settings->GetReflection()->MutableMessage(settings, field));
  if (optimizer->kind_case() == OptimizerConfig::KIND_NOT_SET)
    FillDefaults(optimizer->mutable_rms_prop());
}

void ResolveReplay(ExperimentConfig& config) {
  const bool lockstep = config.actors().mode() == ActorsConfig::LOCKSTEP;
  if (!lockstep && config.replay().slack_steps() == 0)
    config.mutable_replay()->set_slack_steps(DefaultSlackSteps(config));
  if (LearnsSequences(config)) FillDefaults(config.mutable_replay()->mutable_sequences());
  // FillDefaults writes out no member of a oneof that was not chosen.
  if (config.has_dqn() && config.dqn().exploration_case() == DqnConfig::EXPLORATION_NOT_SET)
    FillDefaults(config.mutable_dqn()->mutable_epsilon_greedy());
  ActionNoiseConfig* noise = config.has_ddpg()  ? config.mutable_ddpg()->mutable_noise()
                             : config.has_td3() ? config.mutable_td3()->mutable_noise()
                                                : nullptr;
  if (noise != nullptr && noise->kind_case() == ActionNoiseConfig::KIND_NOT_SET)
    FillDefaults(noise->mutable_gaussian());
}

}  // namespace

absl::StatusOr<ExperimentConfig> LoadConfig(const std::string& path,
                                            absl::Span<const std::string> overrides) {
  CADRE_ASSIGN_OR_RETURN(const std::string text, ReadFile(path));
  ExperimentConfig config;
  ErrorList errors;
  ReadTextFormat(text, path, &config, &errors);
  if (const absl::Status status = ApplyOverrides(overrides, &config); !status.ok())
    errors.Add(std::string(status.message()));
  CADRE_RETURN_IF_ERROR(errors.ToStatus());
  return config;
}

absl::StatusOr<ExperimentConfig> ParseConfig(absl::string_view text,
                                             absl::string_view source_name) {
  ExperimentConfig config;
  ErrorList errors;
  ReadTextFormat(text, source_name, &config, &errors);
  CADRE_RETURN_IF_ERROR(errors.ToStatus());
  return config;
}

std::string ConfigText(const ExperimentConfig& config) {
  google::protobuf::TextFormat::Printer printer;
  printer.SetUseShortRepeatedPrimitives(true);
  std::string fields;
  printer.PrintToString(config, &fields);
  return absl::StrCat(
      "# proto-file: proto/config.proto\n# proto-message: cadre.ExperimentConfig\n\n", fields);
}

std::string AlgorithmName(const ExperimentConfig& config) {
  const auto* oneof = ExperimentConfig::descriptor()->FindOneofByName("algorithm");
  const FieldDescriptor* field = config.GetReflection()->GetOneofFieldDescriptor(config, oneof);
  return field == nullptr ? "" : field->name();
}

int64_t StepsPerUpdate(const ExperimentConfig& config) {
  const ActorsConfig& actors = config.actors();
  return int64_t{actors.count()} * actors.environments_per_actor() * actors.segment_length();
}

bool HasDefaultHidden(const ModelConfig& model) {
  return !model.mlp().linear() && model.encoder().empty() && !model.has_memory();
}

int64_t RecurrentStateSize(const ExperimentConfig& config) {
  const ModelConfig& model = config.model();
  if (!model.has_memory()) return 0;
  // The policy and the value function each have a memory.
  const bool two = !UsesReplay(config) && model.separate_encoders() && !model.mlp().shared_trunk();
  const int64_t vectors = model.memory().kind() == MemoryConfig::LSTM ? 2 : 1;
  return (two ? 2 : 1) * vectors * model.memory().units();
}

ExperimentConfig ResolveConfig(ExperimentConfig config) {
  if (config.model().network_case() == ModelConfig::NETWORK_NOT_SET)
    config.mutable_model()->mutable_mlp();
  FillDefaults(&config);
  if (config.model().mlp().hidden().empty() && HasDefaultHidden(config.model()))
    config.mutable_model()->mutable_mlp()->mutable_hidden()->Resize(2, 64);
  ResolveOptimizer(config);
  if (UsesReplay(config)) {
    config.clear_queue();
    ResolveReplay(config);
    ClearWithoutEffect(/*discrete=*/std::nullopt, &config);
    return config;
  }
  config.clear_replay();
  if (config.queue().capacity_steps() == 0)
    config.mutable_queue()->set_capacity_steps(4 * StepsPerUpdate(config));
  if (config.actors().mode() == ActorsConfig::LOCKSTEP)
    config.mutable_queue()->set_max_version_lag(config.actors().delay_versions());
  ClearWithoutEffect(/*discrete=*/std::nullopt, &config);
  return config;
}

ExperimentConfig WithoutDefaults(ExperimentConfig config) {
  const auto& hidden = config.model().mlp().hidden();
  if (HasDefaultHidden(config.model()) &&
      std::vector<int32_t>(hidden.begin(), hidden.end()) == std::vector<int32_t>{64, 64})
    config.mutable_model()->mutable_mlp()->clear_hidden();
  if (UsesReplay(config)) {
    if (config.replay().slack_steps() == DefaultSlackSteps(config))
      config.mutable_replay()->clear_slack_steps();
  } else {
    if (config.queue().capacity_steps() == 4 * StepsPerUpdate(config))
      config.mutable_queue()->clear_capacity_steps();
    if (config.actors().mode() == ActorsConfig::LOCKSTEP)
      config.mutable_queue()->clear_max_version_lag();
  }
  ClearDefaults(&config);
  return config;
}

}  // namespace cadre
