#include "learner/algorithms/policy_ascent.h"

#include "learner/algorithms/tensor_spans.h"

namespace cadre {

void PolicyAscent::Forward(const torch::Tensor& observations, TrainedNetworks& critics,
                           CriticInput& input, DeterministicPolicy& policy) {
  input.scaled_actions().copy_(policy.Actions(observations));
  const torch::Tensor values = critics.online().Forward(0, input.tensor());
  Reserve(values_, values.sizes(), values.device());
  values_.copy_(values);
}

void PolicyAscent::Backward(TrainedNetworks& critics, const CriticInput& input,
                            DeterministicPolicy& policy) {
  Reserve(value_gradient_, values_.sizes(), values_.device());
  value_gradient_.fill_(-1.0 / static_cast<double>(values_.size(0)));
  const torch::Tensor input_gradient = critics.online().Backward(
      0, value_gradient_, /*parameter_gradient=*/false, /*input_gradient=*/true);
  input.SumActionGradients({input_gradient}, action_gradient_);
  policy.Backward(action_gradient_);
}

}  // namespace cadre
