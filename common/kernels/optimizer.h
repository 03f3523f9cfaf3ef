// Gradient steps on a flat parameter vector: Adam, on the CPU. The state is plain
// vectors, so that a checkpoint is a copy. Not thread-safe.
#pragma once

#include <cstdint>
#include <vector>

#include "absl/types/span.h"

namespace cadre {

// L2 norm of `gradient` [P].
double GradientNorm(absl::Span<const float> gradient);

// What to multiply a gradient of this norm with so that it is at most `max_norm`
// long; 1 where `max_norm` is 0.
float GradientScale(double norm, double max_norm);

// Adam (Kingma and Ba 2015, algorithm 1), with the bias corrections folded into
// the step size and epsilon, which is the same in exact arithmetic.
class Adam {
 public:
  struct Options {
    double beta1 = 0.9;
    double beta2 = 0.999;
    double epsilon = 1e-5;
    double weight_decay = 0;  // Decoupled: AdamW (Loshchilov and Hutter 2019).
  };
  // Everything that a checkpoint needs.
  struct State {
    int64_t step = 0;
    std::vector<float> m, v;  // [P]
  };

  Adam(int64_t parameters, const Options& options);

  // parameters -= learning_rate * corrected m / (sqrt(corrected v) + epsilon),
  // after multiplying the gradient by `gradient_scale`, and - learning_rate * weight_decay *
  // parameters. All [P].
  void Step(absl::Span<float> parameters, absl::Span<const float> gradient, double learning_rate,
            float gradient_scale = 1.0f);

  const State& state() const { return state_; }
  State& mutable_state() { return state_; }

 private:
  const Options options_;
  State state_;
};

}  // namespace cadre
