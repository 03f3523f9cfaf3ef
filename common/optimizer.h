// Gradient steps on a flat parameter vector: SGD, RMSProp and Adam as OptimizerConfig
// describes them, on the CPU kernels. Learners and the parameter server use the same.
// Not thread-safe.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "absl/status/status.h"
#include "absl/types/span.h"
#include "proto/config.pb.h"
#include "proto/parameters.pb.h"

namespace cadre {

class FlatOptimizer {
 public:
  virtual ~FlatOptimizer() = default;

  // Moves `parameters` along `gradient`, both [P], multiplied by `gradient_scale` first.
  virtual void Step(absl::Span<float> parameters, absl::Span<const float> gradient,
                    double learning_rate, float gradient_scale) = 0;

  // Steps so far and moments. Restore after Save gives steps that are the same bit for
  // bit; INVALID_ARGUMENT where the number or the size of the moments is not this kind's.
  virtual void Save(v1::OptimizerState& state) const = 0;
  virtual absl::Status Restore(const v1::OptimizerState& state) = 0;
};

// `config` resolved or not; for `parameters` of them, P.
std::unique_ptr<FlatOptimizer> MakeFlatOptimizer(const OptimizerConfig& config, int64_t parameters);

// The learning rate after `env_steps` of `schedule_steps` steps.
double ScheduledLearningRate(const OptimizerConfig& config, int64_t env_steps,
                             int64_t schedule_steps);
// After `progress` of the run, in [0, 1].
double ScheduledLearningRate(const OptimizerConfig& config, double progress);

}  // namespace cadre
