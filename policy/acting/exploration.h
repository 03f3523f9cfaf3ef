// How off-policy actors explore: schedules over a run, choices among action values, and
// noise on continuous actions. Randomness and progress are arguments.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "absl/types/span.h"
#include "common/random.h"
#include "policy/acting/acting_place.h"
#include "proto/config.pb.h"

namespace cadre {

// From `initial` to `final` over the first `share` of the run, linearly; then `final`.
struct LinearDecay {
  double initial = 0, final = 0, share = 1;

  double At(double progress) const;  // `progress` in [0, 1].
};

// epsilon^(1 + spread * row / (rows - 1)): that of one of all the run's environments
// (Horgan et al. 2018, section 4). The only one has epsilon itself.
double EnvironmentEpsilon(double epsilon, double spread, int64_t row, int64_t rows);

// Chooses among the values of n discrete actions.
class ActionValueExploration {
 public:
  virtual ~ActionValueExploration() = default;

  // For each of B rows of `values` [B, n], at `progress` of the run, into `actions` [B].
  // `mask`: [B, n], 0 for what is not allowed, whose values are masked (distributions.h); or
  // empty.
  virtual void Choose(absl::Span<const float> values, absl::Span<const uint8_t> mask,
                      double progress, Random& random, absl::Span<int32_t> actions) const = 0;
};

// Any allowed action, uniformly, with probability epsilon, else the one of the largest value.
class EpsilonGreedy final : public ActionValueExploration {
 public:
  EpsilonGreedy(const DqnConfig::EpsilonGreedy& config, const ActingPlace& place);
  void Choose(absl::Span<const float> values, absl::Span<const uint8_t> mask, double progress,
              Random& random, absl::Span<int32_t> actions) const override;

 private:
  const LinearDecay epsilon_;
  const double spread_;
  const ActingPlace place_;
};

// In proportion to exp(value / temperature).
class Boltzmann final : public ActionValueExploration {
 public:
  explicit Boltzmann(const DqnConfig::Boltzmann& config);
  void Choose(absl::Span<const float> values, absl::Span<const uint8_t> mask, double progress,
              Random& random, absl::Span<int32_t> actions) const override;

 private:
  const LinearDecay temperature_;
};

std::unique_ptr<ActionValueExploration> MakeActionValueExploration(const DqnConfig& config,
                                                                   const ActingPlace& place);

// Noise on actions of A dimensions, in units of half their range.
class ActionNoise {
 public:
  virtual ~ActionNoise() = default;

  // Adds to each of B rows of `actions` [B, A].
  virtual void AddTo(absl::Span<float> actions, Random& random) = 0;

  // The episode of row `row` is over.
  virtual void EndEpisode(int64_t row) = 0;
};

class GaussianNoise final : public ActionNoise {
 public:
  explicit GaussianNoise(double deviation) : deviation_(deviation) {}
  void AddTo(absl::Span<float> actions, Random& random) override;
  void EndEpisode(int64_t) override {}

 private:
  const double deviation_;
};

// x <- x - rate x + deviation N(0, 1) for each element, from 0 at the start of each
// episode (Uhlenbeck and Ornstein 1930; Lillicrap et al. 2016, section 7).
class OrnsteinUhlenbeckNoise final : public ActionNoise {
 public:
  OrnsteinUhlenbeckNoise(const ActionNoiseConfig::OrnsteinUhlenbeck& config, int64_t dimensions);
  void AddTo(absl::Span<float> actions, Random& random) override;
  void EndEpisode(int64_t row) override;

 private:
  const double keep_, deviation_;
  const int64_t dimensions_;
  std::vector<double> state_;  // [B, A], of the largest batch so far.
};

std::unique_ptr<ActionNoise> MakeActionNoise(const ActionNoiseConfig& config, int64_t dimensions);

}  // namespace cadre
