#include "common/config_validation.h"

#include <algorithm>
#include <optional>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/config.h"
#include "common/config_effects.h"
#include "common/config_schema.h"
#include "common/error_list.h"
#include "common/field_validation.h"
#include "common/run_feasibility.h"
#include "common/stale_experience.h"
#include "common/training_rules.h"
#include "google/protobuf/descriptor.h"

namespace cadre {
namespace {

constexpr AlgorithmTraits kAlgorithms[] = {
    {"ppo", /*discrete=*/true, /*continuous=*/true, /*several_choices=*/true},
    {"dqn", /*discrete=*/true, /*continuous=*/false},
    {"ddpg", /*discrete=*/false, /*continuous=*/true},
    {"td3", /*discrete=*/false, /*continuous=*/true},
    {"sac", /*discrete=*/true, /*continuous=*/true},
    {"reinforce", /*discrete=*/true, /*continuous=*/true, /*several_choices=*/true},
    {"a2c", /*discrete=*/true, /*continuous=*/true, /*several_choices=*/true},
    {"a3c", /*discrete=*/true, /*continuous=*/true, /*several_choices=*/true},
    {"impala", /*discrete=*/true, /*continuous=*/true, /*several_choices=*/true},
    {"off_policy_gradient", /*discrete=*/true, /*continuous=*/true, /*several_choices=*/true},
    {"npg", /*discrete=*/true, /*continuous=*/true, /*several_choices=*/true},
    {"trpo", /*discrete=*/true, /*continuous=*/true, /*several_choices=*/true},
    {"n_step_q", /*discrete=*/true, /*continuous=*/false},
    {"n_step_sarsa", /*discrete=*/true, /*continuous=*/false},
};

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

bool Allows(const AlgorithmTraits& traits, const EnvironmentCatalog::Entry& entry) {
  if (!entry.discrete) return traits.continuous;
  return traits.discrete && (traits.several_choices || !entry.several_choices);
}

// Ids of the environments whose actions `traits` allows.
std::vector<std::string> Ids(const EnvironmentCatalog& catalog, const AlgorithmTraits& traits) {
  std::vector<std::string> ids;
  for (const EnvironmentCatalog::Entry& entry : catalog.entries)
    if (Allows(traits, entry)) ids.push_back(entry.id);
  return ids;
}

const char* KindOf(const EnvironmentCatalog::Entry& entry) {
  if (!entry.discrete) return "continuous";
  return entry.several_choices ? "several discrete choices at once" : "discrete";
}

// What `traits` allows instead of the kind of `entry`.
const char* AllowedKind(const AlgorithmTraits& traits, const EnvironmentCatalog::Entry& entry) {
  if (!entry.discrete) return "discrete";
  return traits.discrete ? "single discrete" : "continuous";
}

void CheckEnvironment(const ExperimentConfig& config, const EnvironmentCatalog& catalog,
                      absl::Span<const AlgorithmTraits> algorithms, ErrorList* errors) {
  if (!config.environment().has_id()) return;
  const std::string& id = config.environment().id();
  const EnvironmentCatalog::Entry* entry = catalog.Find(id);
  if (entry == nullptr) {
    const std::vector<std::string> known = Ids(catalog, {"", true, true, true});
    errors->Add(absl::StrCat("environment.id: got ", Quoted(id), DidYouMean(id, known),
                             "wanted one of ", absl::StrJoin(known, ", ")));
    return;
  }
  const std::string algorithm = AlgorithmName(config);
  for (const AlgorithmTraits& traits : algorithms) {
    if (traits.name != algorithm || Allows(traits, *entry)) continue;
    errors->Add(absl::StrCat("environment.id: got ", Quoted(id), ", whose actions are ",
                             KindOf(*entry), "; wanted, for ", algorithm, ", ",
                             AllowedKind(traits, *entry),
                             " actions: ", absl::StrJoin(Ids(catalog, traits), ", ")));
  }
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

absl::Span<const AlgorithmTraits> KnownAlgorithms() { return kAlgorithms; }

absl::Status ValidateForActing(const ExperimentConfig& config, const EnvironmentCatalog& catalog,
                               absl::Span<const AlgorithmTraits> algorithms) {
  ErrorList errors;
  CheckMessageFields(config.environment(), "environment", &errors);
  CheckMessageFields(config.model(), "model", &errors);
  CheckMessageFields(config.normalization(), "normalization", &errors);
  if (config.dqn().has_distributional())
    CheckMessageFields(config.dqn().distributional(), "dqn.distributional", &errors);
  CheckEnvironment(config, catalog, algorithms, &errors);
  CheckAlgorithmGiven(config, &errors);
  CheckNetwork(config, &errors);
  return errors.ToStatus();
}

absl::Status ValidateConfig(const ExperimentConfig& config, const EnvironmentCatalog& catalog,
                            absl::Span<const AlgorithmTraits> algorithms) {
  ErrorList errors;
  CheckMessageFields(config, "", &errors);
  const bool in_range = errors.size() == 0;
  CheckName(config, &errors);
  CheckEnvironment(config, catalog, algorithms, &errors);
  CheckAlgorithmGiven(config, &errors);
  CheckNetwork(config, &errors);
  const EnvironmentCatalog::Entry* const entry = catalog.Find(config.environment().id());
  const StepBytes bytes = entry == nullptr ? StepBytes() : entry->bytes;
  CheckTrainingRules(config, bytes, &errors);
  if (in_range) CheckFeasible(config, bytes, &errors);
  CheckEffects(config, entry == nullptr ? std::nullopt : std::optional<bool>(entry->discrete),
               &errors);
  CheckStaleExperience(config, &errors);
  return errors.ToStatus();
}

}  // namespace cadre
