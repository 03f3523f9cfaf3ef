// The policy gradient on experience of another policy: each step counts as much as its
// action has become likelier (Degris et al. 2012, arXiv:1205.4839, eq. 5), with
// generalised advantages, which are not corrected. IMPALA (impala.h) corrects both.
// Discrete and continuous actions.
#pragma once

#include <memory>

#include "learner/algorithms/gradient_algorithm.h"
#include "proto/config.pb.h"

namespace cadre {

// `model` holds its initial parameters. Diagnostics: those of impala.h, clipped_share of
// pi/mu above max_weight.
std::unique_ptr<GradientAlgorithm> MakeOffPolicyGradient(const OffPolicyGradientConfig& config,
                                                         std::unique_ptr<ActorCritic> model);

}  // namespace cadre
