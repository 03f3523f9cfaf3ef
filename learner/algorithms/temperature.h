// The temperature of soft actor-critic: how much a nat of entropy is worth. Constant, or
// learned so that the policy's entropy meets a target (Haarnoja et al. 2018,
// arXiv:1812.05905, eq. 18): J(alpha) = alpha (H - target), whose gradient with respect
// to log alpha, which Adam moves, is the same. It stays within a bound: a target that no
// policy can have would raise it for ever.
#pragma once

#include <string>

#include "absl/status/status.h"
#include "common/kernels/optimizer.h"
#include "learner/safetensors.h"
#include "proto/config.pb.h"

namespace cadre {

class Temperature {
 public:
  // `default_target`: the entropy in nats where the config sets none.
  Temperature(const SacConfig& config, double default_target);

  double value() const;
  bool learned() const { return learning_rate_ > 0; }

  // One step, from the policy's mean entropy in nats, or less if it ends at the bound.
  // Nothing where it is constant.
  void Update(double entropy);

  void Save(const std::string& name, TensorMap& state) const;
  absl::Status Restore(const std::string& name, const TensorMap& state);

 private:
  const double target_entropy_;
  const double learning_rate_;  // 0: constant.
  const float most_log_alpha_;
  float log_alpha_;
  Adam adam_;
};

}  // namespace cadre
