#include "learner/algorithms/critic_input.h"

#include "common/check.h"
#include "learner/algorithms/tensor_spans.h"

namespace cadre {

CriticInput::CriticInput(int64_t observation_size, const ActionSpace& action, torch::Device device)
    : observation_size_(observation_size) {
  std::vector<float> centre, inverse_half_range;
  for (int64_t a = 0; a < action.dimensions; ++a) {
    const double low = action.low[a], high = action.high[a];
    centre.push_back(static_cast<float>((low + high) / 2));
    inverse_half_range.push_back(static_cast<float>(2 / (high - low)));
  }
  centre_ = torch::tensor(centre).to(device);
  inverse_half_range_ = torch::tensor(inverse_half_range).to(device);
}

void CriticInput::SetObservations(const torch::Tensor& observations) {
  CADRE_CHECK(observations.size(1) == observation_size_);
  const int64_t batch = observations.size(0);
  if (!input_.defined() || input_.size(0) != batch) {
    const int64_t dimensions = centre_.numel();
    Reserve(input_, {batch, observation_size_ + dimensions}, centre_.device());
    observations_ = input_.narrow(1, 0, observation_size_);
    actions_ = input_.narrow(1, observation_size_, dimensions);
  }
  observations_.copy_(observations);
}

void CriticInput::SetEnvironmentActions(const torch::Tensor& actions) {
  CADRE_CHECK(actions.sizes() == actions_.sizes());
  torch::sub_out(actions_, actions, centre_);
  actions_.mul_(inverse_half_range_);
}

void CriticInput::SumActionGradients(const std::vector<torch::Tensor>& input_gradients,
                                     torch::Tensor& action_gradient) const {
  Reserve(action_gradient, actions_.sizes(), actions_.device());
  for (size_t i = 0; i < input_gradients.size(); ++i) {
    const torch::Tensor columns = input_gradients[i].narrow(1, observation_size_, centre_.numel());
    if (i == 0)
      action_gradient.copy_(columns);
    else
      action_gradient.add_(columns);
  }
}

}  // namespace cadre
