#include "policy/bounded_log_std.h"

namespace cadre {
namespace {

torch::Tensor LogStd(const ActorCriticNetwork& network, const torch::Tensor& flat) {
  return flat.narrow(0, network.log_std, network.action.dimensions);
}

}  // namespace

void ProjectLogStd(const ActorCriticNetwork& network, const torch::Tensor& parameters) {
  if (network.log_std < 0) return;
  torch::NoGradGuard no_graph;
  LogStd(network, parameters).clamp_(network.log_std_bounds.min, network.log_std_bounds.max);
}

void StopLogStdAtBounds(const ActorCriticNetwork& network, const torch::Tensor& parameters,
                        const torch::Tensor& gradient) {
  if (network.log_std < 0) return;
  torch::NoGradGuard no_graph;
  const torch::Tensor log_std = LogStd(network, parameters);
  const torch::Tensor slope = LogStd(network, gradient);
  const torch::Tensor leaves =
      log_std.ge(network.log_std_bounds.max)
          .logical_and(slope.lt(0))
          .logical_or(log_std.le(network.log_std_bounds.min).logical_and(slope.gt(0)));
  slope.masked_fill_(leaves, 0);
}

}  // namespace cadre
