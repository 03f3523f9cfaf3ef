// IMPALA (Espeholt et al. 2018, arXiv:1802.01561): an actor-critic for actors whose
// parameters are behind the learner's, by any number of versions. V-trace corrects the
// returns and the policy gradient. Discrete and continuous actions.
#pragma once

#include <memory>

#include "learner/algorithms/optimization/gradient_algorithm.h"
#include "proto/config.pb.h"

namespace cadre {

// `model` holds its initial parameters. Diagnostics: policy_loss, value_loss, entropy,
// explained_variance, importance_weight (mean pi/mu), clipped_share (of pi/mu above
// rho_bar).
std::unique_ptr<GradientAlgorithm> MakeImpala(const ImpalaConfig& config,
                                              std::unique_ptr<ActorCritic> model);

}  // namespace cadre
