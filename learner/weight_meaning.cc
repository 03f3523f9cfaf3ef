#include "learner/weight_meaning.h"

#include <algorithm>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "common/config/algorithm_traits.h"
#include "common/config/config.h"
#include "common/config/config_schema.h"
#include "google/protobuf/descriptor.h"
#include "google/protobuf/message.h"

namespace cadre {
namespace {

using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
using Meaning = CheckpointManifest::Meaning;

constexpr char kNotGiven[] = "not given";

class Meanings {
 public:
  explicit Meanings(const ExperimentConfig& config) : config_(config) {}

  void Add(absl::string_view field, std::string value) {
    Meaning& meaning = list_.emplace_back();
    meaning.set_field(std::string(field));
    meaning.set_value(std::move(value));
  }

  // The value at `path`; "not given" if a message on the way is not there, which switches
  // off what it is about.
  void AddField(absl::string_view path) {
    const std::vector<std::string> names = absl::StrSplit(path, '.');
    const Message* message = &config_;
    for (size_t i = 0;; ++i) {
      const FieldDescriptor& field = *message->GetDescriptor()->FindFieldByName(names[i]);
      const bool last = i + 1 == names.size();
      const bool may_lack =
          !field.is_repeated() && field.cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE;
      if (may_lack && !message->GetReflection()->HasField(*message, &field))
        return Add(path, kNotGiven);
      if (last) return Add(path, FieldText(*message, field));
      message = &message->GetReflection()->GetMessage(*message, &field);
    }
  }

  std::vector<Meaning> Take() { return std::move(list_); }

 private:
  const ExperimentConfig& config_;
  std::vector<Meaning> list_;
};

std::string Bounds(const std::vector<float>& low, const std::vector<float>& high) {
  const auto number = [](std::string* out, float value) {
    absl::StrAppend(out, NumberText(value));
  };
  return absl::StrCat("from [", absl::StrJoin(low, ", ", number), "] to [",
                      absl::StrJoin(high, ", ", number), "]");
}

std::string ActionText(const ActionSpace& action) {
  if (action.discrete()) return Describe(action);
  return absl::StrCat(action.dimensions, " numbers ", Bounds(action.low, action.high));
}

std::string ObservationText(const ObservationSpace& observation) {
  return absl::StrJoin(observation.columns, ", ",
                       [&](std::string* out, const ObservationColumn& column) {
                         const std::string name =
                             observation.columns.size() == 1 ? "" : absl::StrCat(column.name, " ");
                         absl::StrAppend(out, name, v1::DType_Name(column.dtype), " [",
                                         absl::StrJoin(column.shape, ", "), "]");
                       });
}

// Which numbers an optimizer keeps for each weight.
void AddOptimizer(const ExperimentConfig& config, Meanings& meanings) {
  const std::string algorithm = AlgorithmName(config);
  const FieldDescriptor* const field = ExperimentConfig::descriptor()->FindFieldByName(algorithm);
  if (field == nullptr) return;
  const FieldDescriptor* const optimizer = field->message_type()->FindFieldByName("optimizer");
  if (optimizer == nullptr || optimizer->message_type() != OptimizerConfig::descriptor()) return;
  const Message& settings = config.GetReflection()->GetMessage(config, field);
  const Message& given = settings.GetReflection()->GetMessage(settings, optimizer);
  const FieldDescriptor* const kind = given.GetReflection()->GetOneofFieldDescriptor(
      given, OptimizerConfig::descriptor()->FindOneofByName("kind"));
  const auto& chosen = *google::protobuf::DynamicCastToGenerated<OptimizerConfig>(&given);
  std::string keeps = kind == nullptr ? kNotGiven : kind->name();
  if (chosen.rms_prop().centered()) absl::StrAppend(&keeps, ", centered");
  if (chosen.sgd().momentum() > 0) absl::StrAppend(&keeps, " with momentum");
  meanings.Add(absl::StrCat(algorithm, ".optimizer"), std::move(keeps));
}

}  // namespace

std::vector<Meaning> WeightMeaning(const ExperimentConfig& config,
                                   const EnvironmentSpec& environment) {
  Meanings meanings(config);
  meanings.Add("algorithm", AlgorithmName(config));
  meanings.Add("environment.id", absl::StrCat("\"", environment.id, "\""));
  meanings.Add("environment.observation", ObservationText(environment.observation));
  meanings.Add("environment.action", ActionText(environment.action));
  for (absl::string_view field : {"rescale_observations", "observation_clip", "frame_stack"})
    meanings.AddField(absl::StrCat("environment.wrappers.", field));
  for (absl::string_view field : {"hidden", "activation", "layer_norm", "shared_trunk"})
    meanings.AddField(absl::StrCat("model.mlp.", field));
  for (absl::string_view field : {"encoder", "memory", "separate_encoders"})
    meanings.AddField(absl::StrCat("model.", field));
  const bool deterministic = TraitsOf(config).policy() == AlgorithmTraits::DETERMINISTIC;
  if (!environment.action.discrete() && !deterministic)
    for (absl::string_view field : {"min_log_std", "max_log_std"})
      meanings.AddField(absl::StrCat("model.mlp.", field));
  if (!environment.action.discrete() && TraitsOf(config).policy() == AlgorithmTraits::ACTOR_CRITIC)
    meanings.AddField("model.mlp.state_dependent_log_std");
  const NormalizationConfig& normalization = config.normalization();
  meanings.AddField("normalization.observations");
  meanings.AddField("normalization.rewards");
  if (normalization.observations() || normalization.rewards())
    meanings.AddField("normalization.clip");
  if (config.has_dqn())
    for (absl::string_view field : {"dueling", "distributional.atoms", "distributional.min_value",
                                    "distributional.max_value"})
      meanings.AddField(absl::StrCat("dqn.", field));
  AddOptimizer(config, meanings);
  return meanings.Take();
}

absl::Status CheckWeightMeaning(const CheckpointManifest& manifest,
                                const std::vector<Meaning>& now) {
  std::vector<std::string> differences;
  for (const Meaning& saved : manifest.meanings()) {
    const auto found = std::find_if(now.begin(), now.end(),
                                    [&](const Meaning& m) { return m.field() == saved.field(); });
    const std::string got = found == now.end() ? kNotGiven : found->value();
    if (got != saved.value())
      differences.push_back(absl::StrCat(saved.field(), ": got ", got, "; wanted ", saved.value()));
  }
  if (differences.empty()) return absl::OkStatus();
  return absl::FailedPreconditionError(
      absl::StrCat("the checkpoint at ", manifest.env_steps(), " steps of '", manifest.experiment(),
                   "' was learned with other settings, without which its weights mean nothing: ",
                   absl::StrJoin(differences, ", ")));
}

}  // namespace cadre
