// Proximal policy optimisation (Schulman et al. 2017, arXiv:1707.06347), complete:
// clipped objective or adaptive KL penalty, GAE, value clipping, entropy bonus,
// advantage normalisation for each minibatch, annealing, early stop on KL, gradient
// clipping; decoupled for stale experience (Hilton et al. 2022, arXiv:2110.00641). Discrete and
// continuous actions.
#pragma once

#include <memory>

#include "common/random.h"
#include "learner/algorithms/algorithm.h"
#include "learner/algorithms/device/device_options.h"
#include "proto/config.pb.h"

namespace cadre {

// `model` holds its initial parameters; `random` shuffles the minibatches. The
// diagnostics of an update are means over its minibatches: policy_loss, value_loss,
// entropy, approx_kl, clip_fraction, explained_variance, gradient_norm (before
// clipping), learning_rate, clip_range, epochs (begun). With the KL penalty also kl,
// exact, of the whole batch after the update, and the kl_beta that follows from it.
std::unique_ptr<OnPolicyAlgorithm> MakePpo(const PpoConfig& config,
                                           std::unique_ptr<ActorCritic> model, Random random,
                                           const DeviceOptions& where = {});

}  // namespace cadre
