#include "policy/networks/bounded_parameters.h"

namespace cadre {
namespace {

torch::Tensor PartOf(const torch::Tensor& flat, const BoundedParameters& bounded) {
  return flat.narrow(0, bounded.offset, bounded.size);
}

}  // namespace

void ProjectOntoBounds(const Network& network, const torch::Tensor& parameters) {
  torch::NoGradGuard no_graph;
  for (const BoundedParameters& bounded : network.bounded)
    PartOf(parameters, bounded).clamp_(bounded.min, bounded.max);
}

void StopAtBounds(const Network& network, const torch::Tensor& parameters,
                  const torch::Tensor& gradient) {
  torch::NoGradGuard no_graph;
  for (const BoundedParameters& bounded : network.bounded) {
    const torch::Tensor values = PartOf(parameters, bounded);
    const torch::Tensor slope = PartOf(gradient, bounded);
    const torch::Tensor leaves = values.ge(bounded.max)
                                     .logical_and(slope.lt(0))
                                     .logical_or(values.le(bounded.min).logical_and(slope.gt(0)));
    slope.masked_fill_(leaves, 0);
  }
}

}  // namespace cadre
