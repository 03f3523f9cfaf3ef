// Natural policy gradient (Kakade 2001, "A natural policy gradient"), in the order of
// Rajeswaran et al. 2017 (arXiv:1703.02660, algorithm 1). Its step has the KL divergence
// `max_kl`, delta, if the divergence is quadratic, x^T F x / 2: theta += sqrt(2 delta /
// g^T F^-1 g) F^-1 g (Schulman et al. 2015, arXiv:1502.05477, appendix C). That is sqrt(2) times
// their eq. 5, whose delta bounds x^T F x instead. No line search: the KL may exceed the
// bound. Discrete and continuous actions. One learner.
#pragma once

#include <memory>

#include "common/random.h"
#include "learner/algorithms/algorithm.h"
#include "learner/algorithms/device/device_options.h"
#include "proto/config.pb.h"

namespace cadre {

// `model` holds its initial parameters and shares no trunk; `random` shuffles the
// minibatches of the value's regression. Diagnostics: kl, exact, of old from new policy;
// surrogate_improvement, step_scale (of F^-1 g), cg_residual (squared), entropy,
// value_loss, explained_variance.
std::unique_ptr<OnPolicyAlgorithm> MakeNpg(const NpgConfig& config,
                                           std::unique_ptr<ActorCritic> model, Random random,
                                           const DeviceOptions& where = {});

}  // namespace cadre
