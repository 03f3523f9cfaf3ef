// A gradient algorithm with an optimiser of its own: gradient, mean over the learners,
// clipping, step.
#pragma once

#include <cstdint>
#include <memory>

#include "learner/algorithms/algorithm.h"
#include "learner/algorithms/optimization/gradient_algorithm.h"
#include "proto/config.pb.h"

namespace cadre {

// Adds gradient_norm (before clipping) and learning_rate to the algorithm's diagnostics.
std::unique_ptr<OnPolicyAlgorithm> MakeGradientDescent(std::unique_ptr<GradientAlgorithm> algorithm,
                                                       const OptimizerConfig& optimizer);

}  // namespace cadre
