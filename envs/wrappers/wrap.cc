#include "envs/wrappers/wrap.h"

#include <utility>

#include "absl/functional/function_ref.h"
#include "common/status_macros.h"
#include "envs/wrappers/actions.h"
#include "envs/wrappers/observations.h"
#include "envs/wrappers/rewards.h"
#include "envs/wrappers/time_limit.h"

namespace cadre {
namespace {

using Inner = std::unique_ptr<VectorEnvironment>;

// What the config's wrappers are, innermost first: each with its spec, and how to make it.
struct Layer {
  absl::FunctionRef<absl::StatusOr<EnvironmentSpec>(EnvironmentSpec)> spec;
  absl::FunctionRef<Inner(Inner, EnvironmentSpec)> make;
};

absl::Status ForEachLayer(const WrappersConfig& config,
                          absl::FunctionRef<absl::Status(const Layer&)> visit) {
  const auto visit_if = [&](bool wanted, auto spec, auto make) -> absl::Status {
    return wanted ? visit(Layer{spec, make}) : absl::OkStatus();
  };
  CADRE_RETURN_IF_ERROR(visit_if(
      config.sticky_action_probability() > 0, [](EnvironmentSpec spec) { return spec; },
      [&](Inner inner, EnvironmentSpec spec) -> Inner {
        return std::make_unique<StickyActions>(std::move(inner), std::move(spec),
                                               config.sticky_action_probability());
      }));
  CADRE_RETURN_IF_ERROR(visit_if(
      config.action_repeat() > 1,
      [&](EnvironmentSpec spec) {
        return RepeatedActions::Spec(std::move(spec), config.action_repeat());
      },
      [&](Inner inner, EnvironmentSpec spec) -> Inner {
        return std::make_unique<RepeatedActions>(std::move(inner), std::move(spec),
                                                 config.action_repeat());
      }));
  CADRE_RETURN_IF_ERROR(visit_if(
      config.rescale_actions(),
      [](EnvironmentSpec spec) { return RescaledActions::Spec(std::move(spec)); },
      [](Inner inner, EnvironmentSpec spec) -> Inner {
        return std::make_unique<RescaledActions>(std::move(inner), std::move(spec));
      }));
  CADRE_RETURN_IF_ERROR(visit_if(
      config.reward_scale() != 1 || config.reward_clip() > 0,
      [](EnvironmentSpec spec) { return ChangedRewards::Spec(std::move(spec)); },
      [&](Inner inner, EnvironmentSpec spec) -> Inner {
        return std::make_unique<ChangedRewards>(std::move(inner), std::move(spec),
                                                config.reward_scale(), config.reward_clip());
      }));
  CADRE_RETURN_IF_ERROR(visit_if(
      config.rescale_observations() || config.observation_clip() > 0,
      [&](EnvironmentSpec spec) {
        return RescaledObservations::Spec(std::move(spec), config.rescale_observations(),
                                          config.observation_clip());
      },
      [&](Inner inner, EnvironmentSpec spec) -> Inner {
        return std::make_unique<RescaledObservations>(std::move(inner), std::move(spec),
                                                      config.rescale_observations(),
                                                      config.observation_clip());
      }));
  CADRE_RETURN_IF_ERROR(visit_if(
      config.frame_stack() > 1,
      [&](EnvironmentSpec spec) {
        return StackedObservations::Spec(std::move(spec), config.frame_stack());
      },
      [&](Inner inner, EnvironmentSpec spec) -> Inner {
        return std::make_unique<StackedObservations>(std::move(inner), std::move(spec),
                                                     config.frame_stack());
      }));
  return visit_if(
      config.time_aware(),
      [](EnvironmentSpec spec) { return TimedObservations::Spec(std::move(spec)); },
      [](Inner inner, EnvironmentSpec spec) -> Inner {
        return std::make_unique<TimedObservations>(std::move(inner), std::move(spec));
      });
}

}  // namespace

absl::StatusOr<EnvironmentSpec> WrappedSpec(EnvironmentSpec spec, const WrappersConfig& wrappers) {
  CADRE_RETURN_IF_ERROR(ForEachLayer(wrappers, [&](const Layer& layer) -> absl::Status {
    CADRE_ASSIGN_OR_RETURN(spec, layer.spec(std::move(spec)));
    return absl::OkStatus();
  }));
  return spec;
}

absl::StatusOr<std::unique_ptr<VectorEnvironment>> Wrap(
    std::unique_ptr<VectorEnvironment> environment, const WrappersConfig& wrappers) {
  CADRE_RETURN_IF_ERROR(ForEachLayer(wrappers, [&](const Layer& layer) -> absl::Status {
    CADRE_ASSIGN_OR_RETURN(EnvironmentSpec spec, layer.spec(environment->spec()));
    environment = layer.make(std::move(environment), std::move(spec));
    return absl::OkStatus();
  }));
  return environment;
}

std::unique_ptr<VectorEnvironment> LimitTime(std::unique_ptr<VectorEnvironment> environment,
                                             int64_t max_episode_steps) {
  EnvironmentSpec spec = TimeLimit::Spec(environment->spec(), max_episode_steps);
  return std::make_unique<TimeLimit>(std::move(environment), std::move(spec), max_episode_steps);
}

}  // namespace cadre
