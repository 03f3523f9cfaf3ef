// The policy gradient on experience of another policy: the gradient of
//   mean over steps of  -w_t A_t log pi(a_t|s_t),   w_t = min(max_weight, pi/mu)
// that is, each step counts as much as its action has become likelier, as in Off-PAC (Degris
// et al. 2012, arXiv:1205.4839). A_t is the generalised advantage of the experience as it is:
// it estimates the advantage under the policies that acted, where Off-PAC's lambda-returns
// are corrected by the later steps' ratios. IMPALA (impala.h) corrects both. Discrete and
// continuous actions.
#pragma once

#include <memory>

#include "learner/algorithms/optimization/gradient_algorithm.h"
#include "proto/config.pb.h"

namespace cadre {

// `model` holds its initial parameters. Diagnostics: those of impala.h, clipped_share of
// pi/mu above max_weight.
std::unique_ptr<GradientAlgorithm> MakeOffPolicyGradient(const OffPolicyGradientConfig& config,
                                                         std::unique_ptr<ActorCritic> model);

}  // namespace cadre
