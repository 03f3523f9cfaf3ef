#include "learner/algorithms/policy_gradient/value_fit.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "common/check.h"
#include "common/config/schedule.h"
#include "common/status_macros.h"
#include "learner/algorithms/optimization/collective_sums.h"
#include "learner/algorithms/optimization/optimizer_state.h"

namespace cadre {
namespace {

constexpr double kAdamEpsilon = 1e-8;  // Kingma and Ba 2015.

torch::Tensor ValuesPart(const ActorCriticNetwork& network, const torch::Tensor& flat) {
  CADRE_CHECK(!network.shared_trunk);
  const Network::Range range = network.network.ParametersOf(ActorCriticNetwork::kValue);
  return flat.narrow(0, range.offset, range.size);
}

}  // namespace

ValueFit::ValueFit(const ValueFitConfig& config, ActorCritic& model, const DeviceOptions& where,
                   Random random)
    : config_(config),
      model_(model),
      pass_(model.NewValuePass()),
      parameters_(ValuesPart(model.network(), model.parameters())),
      gradient_(ValuesPart(model.network(), model.gradient())),
      adam_(parameters_.numel(), {kAdamEpsilon, config.weight_decay()}, where),
      random_(random) {}

absl::StatusOr<double> ValueFit::Fit(const ObservationBatch& observations,
                                     const torch::Tensor& returns, double progress,
                                     Collective* collective) {
  torch::NoGradGuard no_graph;
  adam_.SetLearningRate(
      ScheduledValue(config_.learning_rate(), config_.learning_rate_schedule(), progress));
  const int64_t steps = returns.size(0);
  // As many minibatches as who has most steps needs.
  CADRE_ASSIGN_OR_RETURN(const int64_t most, MostOverLearners(collective, steps));
  const int64_t learners = collective == nullptr ? 1 : collective->size();
  const int64_t share = std::max<int64_t>(1, config_.minibatch_size() / learners);
  const int64_t size = std::min(share, most);
  torch::Tensor order = torch::arange(steps);
  int64_t* shuffled = order.data_ptr<int64_t>();
  double squares = 0;
  for (int epoch = 0; epoch < config_.epochs(); ++epoch) {
    for (int64_t i = steps - 1; i > 0; --i) std::swap(shuffled[i], shuffled[random_.Below(i + 1)]);
    // Gathered once, so that minibatches are slices.
    const torch::Tensor rows = order.to(returns.device());
    const ObservationBatch inputs = observations.Select(rows);
    const torch::Tensor targets = returns.index_select(0, rows);
    squares = 0;
    for (int64_t next = 0; next < most; next += size) {
      const int64_t begin = std::min(next, steps);
      const int64_t count = std::min(size, steps - begin);
      CADRE_ASSIGN_OR_RETURN(const double sum, Step(inputs.Narrow(begin, count),
                                                    targets.narrow(0, begin, count), collective));
      squares += sum;
    }
  }
  double sums[] = {squares, static_cast<double>(steps)};
  CADRE_RETURN_IF_ERROR(SumOverLearners(collective, absl::MakeSpan(sums)));
  return sums[0] / sums[1];
}

absl::StatusOr<double> ValueFit::Step(const ObservationBatch& observations,
                                      const torch::Tensor& returns, Collective* collective) {
  const int64_t count = returns.size(0);
  const double squares = count > 0 ? ComputeGradient(observations, returns) : 0;
  if (collective != nullptr)
    CADRE_RETURN_IF_ERROR(AverageOverSteps(*collective, count, gradient_, {}, shared_).status());
  const double max_norm = config_.max_gradient_norm();
  adam_.Step(parameters_, gradient_, max_norm > 0 ? FlatNorm(gradient_) : torch::Tensor(),
             max_norm);
  model_.ParametersChanged();
  return squares;
}

double ValueFit::ComputeGradient(const ObservationBatch& observations,
                                 const torch::Tensor& returns) {
  const torch::Tensor error = pass_->Forward(observations.columns)[0].view({-1}) - returns;
  gradient_.zero_();
  pass_->Backward({(error * (2.0 / static_cast<double>(error.numel()))).view({-1, 1})});
  return error.dot(error).item<double>();
}

void ValueFit::Save(TensorMap& state) const {
  adam_.Save("value_fit.adam", state);
  SaveRandom("value_fit.random", random_, state);
}

absl::Status ValueFit::Restore(const TensorMap& state) {
  CADRE_RETURN_IF_ERROR(adam_.Restore("value_fit.adam", state));
  return RestoreRandom("value_fit.random", state, random_);
}

}  // namespace cadre
