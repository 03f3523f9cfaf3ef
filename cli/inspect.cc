#include <cstdio>

#include "absl/strings/match.h"
#include "absl/strings/str_format.h"
#include "cli/commands.h"
#include "common/config/config.h"
#include "common/config/error_list.h"
#include "common/config/field_validation.h"
#include "common/config/text_format_reader.h"
#include "common/status_macros.h"
#include "envs/conformance.h"
#include "envs/experiment.h"
#include "envs/python/environment_server.h"
#include "envs/registry.h"
#include "envs/sources.h"
#include "policy/acting/acting_policy.h"

namespace cadre {

namespace {

// An id, a library, a config file, or the text of an EnvironmentConfig.
absl::StatusOr<EnvironmentConfig> NamedEnvironment(const std::string& name) {
  EnvironmentConfig config;
  if (absl::EndsWith(name, ".so")) {
    config.mutable_plugin()->set_path(name);
  } else if (absl::EndsWith(name, ".textproto")) {
    CADRE_ASSIGN_OR_RETURN(const ExperimentConfig experiment, LoadConfig(name, {}));
    config = experiment.environment();
  } else if (absl::StrContains(name, '{') || absl::StrContains(name, ':')) {
    ErrorList errors;
    ReadTextFormat(name, "environment", &config, &errors);
    CADRE_RETURN_IF_ERROR(errors.ToStatus());
  } else {
    config.set_id(name);
  }
  ErrorList errors;
  CheckMessageFields(config, "environment", &errors);
  CADRE_RETURN_IF_ERROR(errors.ToStatus());
  return config;
}

}  // namespace

absl::Status ListEnvironments() {
  std::printf("%-26s %-34s %-18s %6s %10s\n", "id", "observation", "action", "steps", "solved at");
  for (const EnvironmentSpec& spec : RegisteredEnvironments()) {
    std::printf("%-26s %-34s %-18s %6lld %10s\n", spec.id.c_str(),
                Describe(spec.observation).c_str(), Describe(spec.action).c_str(),
                static_cast<long long>(spec.max_episode_steps),
                spec.reward_threshold == spec.reward_threshold
                    ? absl::StrFormat("%.1f", spec.reward_threshold).c_str()
                    : "-");
  }
  return absl::OkStatus();
}

absl::Status CheckOneEnvironment(const EnvironmentCheckOptions& options) {
  CADRE_ASSIGN_OR_RETURN(const EnvironmentConfig config, NamedEnvironment(options.environment));
  CADRE_ASSIGN_OR_RETURN(const EnvironmentSpec spec, FindEnvironment(config));
  const Conformance result = CheckEnvironment(
      [&config](int64_t count) { return MakeVectorEnvironment(config, count); }, options.steps);
  for (const std::string& fault : result.faults)
    std::printf("%s: %s\n", spec.id.c_str(), fault.c_str());
  if (!result.faults.empty())
    return absl::FailedPreconditionError(
        absl::StrFormat("'%s' does not keep the rules of environments: see above", spec.id));
  std::printf("%s keeps the rules: %s, actions %s; %lld steps, %lld episodes\n", spec.id.c_str(),
              Describe(spec.observation).c_str(), Describe(spec.action).c_str(),
              static_cast<long long>(result.steps), static_cast<long long>(result.episodes));
  return absl::OkStatus();
}

absl::Status ServeLocalEnvironments(const ServeEnvironmentsOptions& options) {
  LineSocket control(options.control);
  absl::StatusOr<std::unique_ptr<VectorEnvironment>> environments;
  const absl::StatusOr<EnvironmentConfig> config = NamedEnvironment(options.environment);
  environments = config.ok() ? MakeVectorEnvironment(*config, options.count) : config.status();
  absl::Status status = environments.status();
  if (status.ok()) status = ServeEnvironments(**environments, control, options.memory);
  // Whoever asked reports it.
  if (!status.ok()) RefuseEnvironments(status, control);
  return absl::OkStatus();
}

absl::Status CheckConfig(const ConfigCheckOptions& options) {
  CADRE_ASSIGN_OR_RETURN(const Experiment experiment,
                         LoadExperiment(options.config, options.overrides));
  // The network fits what the environment shows.
  CADRE_RETURN_IF_ERROR(MakeActingPolicy(experiment.config, experiment.environment.observation,
                                         experiment.environment.action)
                            .status());
  std::printf("%s", ConfigText(experiment.config).c_str());
  return absl::OkStatus();
}

}  // namespace cadre
