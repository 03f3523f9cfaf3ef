// Trust-region policy optimisation (Schulman et al. 2015, arXiv:1502.05477): the natural
// gradient's step, shortened until the surrogate improves and the KL divergence is within
// its bound (appendix C). Discrete and continuous actions. One learner.
#pragma once

#include <memory>

#include "common/random.h"
#include "learner/algorithms/algorithm.h"
#include "learner/algorithms/device/device_options.h"
#include "proto/config.pb.h"

namespace cadre {

// `model` holds its initial parameters and shares no trunk; `random` shuffles the
// minibatches of the value's regression. Diagnostics: kl, exact, of old from new policy,
// never above the bound; surrogate_improvement, step_scale (of F^-1 g; 0 where no step was
// accepted and the policy stays as it was), backtracks, cg_residual (squared), entropy,
// value_loss, explained_variance.
std::unique_ptr<OnPolicyAlgorithm> MakeTrpo(const TrpoConfig& config,
                                            std::unique_ptr<ActorCritic> model, Random random,
                                            const DeviceOptions& where = {});

}  // namespace cadre
