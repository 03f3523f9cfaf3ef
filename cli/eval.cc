#include <cstdio>

#include "absl/strings/str_cat.h"
#include "cli/commands.h"
#include "common/status_macros.h"
#include "envs/experiment.h"
#include "learner/loop/evaluation.h"
#include "learner/loop/trainer_state.h"
#include "learner/run_config.h"
#include "learner/run_folder/checkpoint.h"
#include "learner/run_folder/divergence.h"
#include "learner/weight_meaning.h"
#include "nlohmann/json.hpp"
#include "policy/acting/acting_policy.h"

namespace cadre {

absl::Status Eval(const EvalOptions& options) {
  if (options.episodes < 1)
    return absl::InvalidArgumentError(
        absl::StrCat("--episodes is ", options.episodes, "; wanted 1 or more"));
  CADRE_ASSIGN_OR_RETURN(const Experiment experiment, LoadRunForActing(options.run_folder));
  CADRE_ASSIGN_OR_RETURN(const std::string path,
                         FindCheckpoint(options.run_folder, options.checkpoint));
  CADRE_ASSIGN_OR_RETURN(const Checkpoint checkpoint, LoadCheckpoint(path));
  CADRE_RETURN_IF_ERROR(CheckWeightMeaning(
      checkpoint.manifest, WeightMeaning(experiment.config, experiment.environment)));
  CADRE_ASSIGN_OR_RETURN(const auto policy,
                         MakeActingPolicy(experiment.config, experiment.environment.observation,
                                          experiment.environment.action));
  CADRE_ASSIGN_OR_RETURN(const v1::Parameters parameters,
                         ParametersOf(checkpoint, policy->layout()));
  const absl::StatusOr<Evaluation> evaluated = Evaluate(
      experiment.config, parameters,
      {.episodes = options.episodes, .seed = options.seed, .stochastic = options.stochastic});
  CADRE_RETURN_IF_ERROR(WithWayBack(evaluated.status(), options.run_folder));
  const Evaluation& evaluation = *evaluated;
  nlohmann::ordered_json json;
  json["mean_return"] = evaluation.mean_return;
  json["std_return"] = evaluation.std_return;
  json["episodes"] = evaluation.episodes;
  json["mean_length"] = evaluation.mean_length;
  json["checkpoint"] = path;
  std::printf("%s\n", json.dump().c_str());
  return absl::OkStatus();
}

}  // namespace cadre
