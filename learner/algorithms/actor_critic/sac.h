// Soft actor-critic (Haarnoja et al. 2018, arXiv:1812.05905): a stochastic policy that
// is worth its entropy besides its return, two critics of which targets and policy take
// the lesser, and a temperature that is learned. For discrete actions the variant of
// Christodoulou 2019 (arXiv:1910.07207), whose expectations over actions are exact.
#pragma once

#include <memory>

#include "learner/algorithms/actor_critic/policy_and_critics.h"
#include "learner/algorithms/actor_critic/temperature.h"
#include "learner/algorithms/off_policy.h"

namespace cadre {

// The settings of soft actor-critic for continuous actions, and those in which its relatives
// differ.
struct SacSettings {
  LearningSettings learning;
  Temperature::Settings temperature;
  double target_update_rate = 0;
  int critics = 2;
  int subset = 2;           // Critics whose least value is a target; drawn for each update.
  int policy_delay = 1;     // Updates of the critics for each update of the policy.
  bool mean_value = false;  // The policy maximises the mean of the critics, not the least.

  bool draws_critics() const { return subset < critics; }

  // Those that the configs of all of them have.
  template <typename Config>
  static SacSettings Of(const Config& config, const ActionSpace& action) {
    return {
        .learning = LearningSettings(config),
        .temperature = Temperature::Settings::Of(config, -static_cast<double>(action.dimensions)),
        .target_update_rate = config.target_update_rate()};
  }
};

absl::StatusOr<std::unique_ptr<OffPolicyAlgorithm>> MakeContinuousSac(
    const SacSettings& settings, const ModelConfig& model, const ObservationSpace& observation,
    const ActionSpace& action, Random random, const DeviceOptions& where);

// Which of the two is the action space's to say; continuous actions are bounded, and
// densities are those of actions scaled to [-1, 1]^A. Importance weights are the
// critics' loss's alone. Diagnostics: policy_loss, value_loss (squared errors of both
// critics), mean_q (of the batch's actions, mean over the critics), entropy (nats),
// temperature (after the update), policy_gradient_norm, value_gradient_norm.
absl::StatusOr<std::unique_ptr<OffPolicyAlgorithm>> MakeSac(
    const SacConfig& config, const ModelConfig& model, const ObservationSpace& observation,
    const ActionSpace& action, Random random, const DeviceOptions& where);

// What MakeSac makes for discrete actions.
absl::StatusOr<std::unique_ptr<OffPolicyAlgorithm>> MakeDiscreteSac(
    const SacConfig& config, const ModelConfig& model, const ObservationSpace& observation,
    const ActionSpace& action, Random random, const DeviceOptions& where);

// What both report.
DiagnosticNames SacDiagnosticNames();

}  // namespace cadre
