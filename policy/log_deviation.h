// The bounds of a Gaussian policy's log deviations, for learning and for acting. Without
// them an entropy bonus raises the deviation until actions overflow.
//
//   PPO, A2C, ...  The log deviations are parameters of their own. The model moves them
//                  back onto their bounds after every step, so that they are never beyond
//                  them, and the next gradient that leads inside takes effect at once.
//   SAC, and the   The log deviations are outputs of the network and are clamped where they
//   others with    are used (Haarnoja et al. 2018, arXiv:1812.05905, appendix C). Beyond a
//   state_dependent_log_std   bound only gradients that lead back inside pass.
#pragma once

#include <algorithm>

#include "proto/config.pb.h"

namespace cadre {

struct LogDeviationBounds {
  float min = -20;
  float max = 2;

  float Clamp(float log_deviation) const { return std::clamp(log_deviation, min, max); }

  // Whether a step against `gradient` leads a value that is beyond a bound even further out.
  // Not for values on a bound.
  bool LeadsFurtherOut(float log_deviation, float gradient) const {
    return (log_deviation > max && gradient < 0) || (log_deviation < min && gradient > 0);
  }
};

inline LogDeviationBounds LogDeviationBoundsOf(const ModelConfig& model) {
  return {static_cast<float>(model.mlp().min_log_std()),
          static_cast<float>(model.mlp().max_log_std())};
}

}  // namespace cadre
