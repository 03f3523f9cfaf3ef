#include "common/config/config_validation.h"

#include <algorithm>
#include <optional>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/config/algorithm_traits.h"
#include "common/config/config.h"
#include "common/config/config_effects.h"
#include "common/config/config_schema.h"
#include "common/config/error_list.h"
#include "common/config/field_validation.h"
#include "common/config/run_feasibility.h"
#include "common/config/training_rules.h"
#include "common/experience/stale_experience.h"
#include "google/protobuf/descriptor.h"

namespace cadre {
namespace {

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

AlgorithmTraits::Actions ActionsOf(const EnvironmentCatalog::Entry& entry) {
  if (!entry.discrete) return AlgorithmTraits::CONTINUOUS;
  return entry.several_choices ? AlgorithmTraits::SEVERAL_CHOICES : AlgorithmTraits::DISCRETE;
}

const char* KindOf(AlgorithmTraits::Actions actions) {
  switch (actions) {
    case AlgorithmTraits::DISCRETE:
      return "discrete";
    case AlgorithmTraits::SEVERAL_CHOICES:
      return "several discrete choices at once";
    case AlgorithmTraits::CONTINUOUS:
      return "continuous";
  }
  return "";
}

// What `traits` allows instead of `actions`.
const char* AllowedKind(const AlgorithmTraits& traits, AlgorithmTraits::Actions actions) {
  if (actions == AlgorithmTraits::CONTINUOUS) return "discrete";
  return Allows(traits, AlgorithmTraits::DISCRETE) ? "single discrete" : "continuous";
}

std::string SourceName(const EnvironmentConfig& environment) {
  const auto* oneof = EnvironmentConfig::descriptor()->FindOneofByName("source");
  return environment.GetReflection()->GetOneofFieldDescriptor(environment, oneof)->name();
}

std::string Sources() {
  const auto* oneof = EnvironmentConfig::descriptor()->FindOneofByName("source");
  std::vector<std::string> names;
  for (int i = 0; i < oneof->field_count(); ++i)
    names.push_back(absl::StrCat(oneof->field(i)->name(), oneof->field(i)->message_type() == nullptr
                                                              ? ": \"...\""
                                                              : " { ... }"));
  return absl::StrJoin(names, ", ");
}

// Null where it is not known.
const EnvironmentCatalog::Entry* Chosen(const EnvironmentConfig& environment,
                                        const EnvironmentCatalog& catalog) {
  if (environment.has_id()) return catalog.Find(environment.id());
  return catalog.other.has_value() && catalog.other->ok() ? &**catalog.other : nullptr;
}

void CheckEnvironment(const ExperimentConfig& config, const EnvironmentCatalog& catalog,
                      ErrorList* errors) {
  const EnvironmentConfig& environment = config.environment();
  if (environment.source_case() == EnvironmentConfig::SOURCE_NOT_SET)
    return errors->Add(
        absl::StrCat("environment: ", config.has_environment() ? "does not say which" : "not given",
                     "; wanted one of ", Sources()));
  const EnvironmentCatalog::Entry* const entry = Chosen(environment, catalog);
  if (entry == nullptr && environment.has_id()) {
    std::vector<std::string> known;
    for (const EnvironmentCatalog::Entry& each : catalog.entries) known.push_back(each.id);
    return errors->Add(absl::StrCat("environment.id: got ", Quoted(environment.id()),
                                    DidYouMean(environment.id(), known),
                                    "wanted one that `cadre envs` lists"));
  }
  if (entry == nullptr) {
    if (catalog.other.has_value())
      errors->Add(absl::StrCat("environment.", SourceName(environment), ": ",
                               catalog.other->status().message()));
    return;
  }
  const std::string& id = entry->id;
  const std::string algorithm = AlgorithmName(config);
  const AlgorithmTraits& traits = TraitsOf(config);
  const AlgorithmTraits::Actions actions = ActionsOf(*entry);
  if (!algorithm.empty() && !Allows(traits, actions))
    errors->Add(absl::StrCat("environment.", SourceName(environment), ": got ", Quoted(id),
                             ", whose actions are ", KindOf(actions), "; wanted, for ", algorithm,
                             ", ", AllowedKind(traits, actions), " actions"));
  if (config.normalization().observations() && !entry->floats)
    errors->Add(absl::StrCat("normalization.observations: got true; wanted false for ", id,
                             ", which has no float32 observation to normalise"));
}

void CheckAlgorithmGiven(const ExperimentConfig& config, ErrorList* errors) {
  if (!AlgorithmName(config).empty()) return;
  const auto* oneof = ExperimentConfig::descriptor()->FindOneofByName("algorithm");
  std::vector<std::string> choices;
  for (int i = 0; i < oneof->field_count(); ++i)
    choices.push_back(absl::StrCat(oneof->field(i)->name(), " { ... }"));
  errors->Add(absl::StrCat("algorithm: not given; wanted one of ", absl::StrJoin(choices, ", ")));
}

// Where the numbers are that its outputs are kept between, or mean.
void CheckNetwork(const ExperimentConfig& config, ErrorList* errors) {
  const MlpConfig& mlp = config.model().mlp();
  if (mlp.min_log_std() > mlp.max_log_std())
    errors->Add(absl::StrCat("model.mlp.min_log_std: got ", mlp.min_log_std(),
                             "; wanted at most max_log_std, ", mlp.max_log_std()));
  if (mlp.linear() && !mlp.hidden().empty())
    errors->Add("model.mlp.linear: got true, with hidden layers; wanted one of them");
  const DqnConfig::Distributional& c51 = config.dqn().distributional();
  if (config.dqn().has_distributional() && c51.min_value() >= c51.max_value())
    errors->Add(absl::StrCat("dqn.distributional.min_value: got ", c51.min_value(),
                             "; wanted less than max_value, ", c51.max_value()));
}

}  // namespace

const EnvironmentCatalog::Entry* EnvironmentCatalog::Find(absl::string_view id) const {
  for (const Entry& entry : entries)
    if (entry.id == id) return &entry;
  return nullptr;
}

absl::Status ValidateForActing(const ExperimentConfig& config, const EnvironmentCatalog& catalog) {
  ErrorList errors;
  CheckMessageFields(config.environment(), "environment", &errors);
  CheckMessageFields(config.model(), "model", &errors);
  CheckMessageFields(config.normalization(), "normalization", &errors);
  if (config.dqn().has_distributional())
    CheckMessageFields(config.dqn().distributional(), "dqn.distributional", &errors);
  CheckEnvironment(config, catalog, &errors);
  CheckAlgorithmGiven(config, &errors);
  CheckNetwork(config, &errors);
  return errors.ToStatus();
}

absl::Status ValidateConfig(const ExperimentConfig& config, const EnvironmentCatalog& catalog) {
  ErrorList errors;
  CheckMessageFields(config, "", &errors);
  const bool in_range = errors.size() == 0;
  CheckName(config, &errors);
  CheckEnvironment(config, catalog, &errors);
  CheckAlgorithmGiven(config, &errors);
  CheckNetwork(config, &errors);
  const EnvironmentCatalog::Entry* const entry = Chosen(config.environment(), catalog);
  const StepBytes bytes = entry == nullptr ? StepBytes() : entry->bytes;
  CheckTrainingRules(config, bytes, &errors);
  if (in_range) CheckFeasible(config, bytes, &errors);
  CheckEffects(config, entry == nullptr ? std::nullopt : std::optional<bool>(entry->discrete),
               &errors);
  CheckStaleExperience(config, &errors);
  return errors.ToStatus();
}

}  // namespace cadre
