#include "learner/algorithms/actor_critic/policy_and_critics.h"

#include <vector>

#include "common/config/schedule.h"
#include "common/status_macros.h"
#include "learner/algorithms/device/tensor_spans.h"
#include "policy/networks/initial_parameters.h"

namespace cadre {
namespace {

const TrainedModel::Names kPolicy{"policy.adam", "policy.target"};
const TrainedModel::Names kCritics{"critics.adam", "critics.target"};
constexpr char kCriticParameters[] = "critics.parameters";

}  // namespace

PolicyAndCritics::PolicyAndCritics(const Network& policy_network, const Network& critic_networks,
                                   Random& random, const LearningSettings& settings,
                                   TrainedModel::Target policy_target, const DeviceOptions& where)
    : settings(settings),
      policy(policy_network, UniformParameters(policy_network, random), settings.training,
             policy_target, where),
      critics(critic_networks, UniformParameters(critic_networks, random), settings.training,
              TrainedModel::Target::kFollows, where) {}

void PolicyAndCritics::SetProgress(double progress) {
  policy.SetLearningRate(
      ScheduledValue(settings.policy_learning_rate, settings.schedule, progress));
  critics.SetLearningRate(
      ScheduledValue(settings.value_learning_rate, settings.schedule, progress));
}

void PolicyAndCritics::Save(TensorMap& state) const {
  policy.Save(kPolicy, state);
  critics.Save(kCritics, state);
  critics.SaveParameters(kCriticParameters, state);
}

absl::Status PolicyAndCritics::Restore(const TensorMap& state) {
  CADRE_RETURN_IF_ERROR(policy.Restore(kPolicy, state));
  CADRE_RETURN_IF_ERROR(critics.Restore(kCritics, state));
  return critics.RestoreParameters(kCriticParameters, state);
}

ActionScale::ActionScale(const ActionSpace& action, torch::Device device) {
  std::vector<float> centre, inverse_half_range;
  for (int64_t a = 0; a < action.dimensions; ++a) {
    const double low = action.low[a], high = action.high[a];
    centre.push_back(static_cast<float>((low + high) / 2));
    inverse_half_range.push_back(static_cast<float>(2 / (high - low)));
  }
  centre_ = torch::tensor(centre).to(device);
  inverse_half_range_ = torch::tensor(inverse_half_range).to(device);
}

void ActionScale::Scale(const torch::Tensor& actions, torch::Tensor& scaled) const {
  Reserve(scaled, actions.sizes(), actions.device());
  torch::sub_out(scaled, actions, centre_);
  scaled.mul_(inverse_half_range_);
}

}  // namespace cadre
