// Advantage actor-critic (Mnih et al. 2016, arXiv:1602.01783, section 4): one gradient of
// one batch, whose advantages are n-step returns, or generalised, minus the value. The
// gradient of A2C, and of each learner of A3C. Pure. Not thread-safe.
#pragma once

#include <memory>

#include "learner/algorithms/optimization/gradient_algorithm.h"
#include "learner/algorithms/policy_gradient/actor_critic_loss.h"
#include "policy/actor_critic.h"
#include "proto/config.pb.h"

namespace cadre {

struct A2cOptions {
  double gamma = 0.99;
  double gae_lambda = 1;  // 1: n-step returns, n what is left of the segment.
  ActorCriticCoefficients coefficients;
  bool normalize_advantages = false;
  // The parameter server descends the gradient, and knows no bounds of the parameters.
  bool stepped_elsewhere = false;
};

A2cOptions A2cOptionsOf(const A2cConfig& config);
A2cOptions A2cOptionsOf(const A3cConfig& config);

std::unique_ptr<GradientAlgorithm> MakeA2cGradient(const A2cOptions& options,
                                                   std::unique_ptr<ActorCritic> model);

}  // namespace cadre
