// Running normalisation of observations and rewards. The learner owns the
// statistics, updates them from what it consumes, and publishes them with the
// weights; actors and evaluation only apply them. On-policy each step counts once, when it
// is consumed; from replay the statistics are those of the table
// (learner/loop/replay_normalizer.h). Not thread-safe.
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "proto/config.pb.h"
#include "proto/parameters.pb.h"

namespace cadre {

// Of some rows: mean and sum of squared deviations from it, [size] each.
struct RowMoments {
  double count = 0;
  std::vector<double> mean, squares;
};

// `rows` [rows, size], row-major. `weights` [rows], 0 or more: how often each row counts; empty:
// once.
RowMoments MomentsOf(absl::Span<const float> rows, int64_t size,
                     absl::Span<const float> weights = {});

// Mean and variance of a stream of rows, merged batch by batch (Chan, Golub and
// LeVeque 1979): exact whatever the batch sizes.
class RunningMoments {
 public:
  explicit RunningMoments(int64_t size) : mean_(size, 0.0), variance_(size, 1.0) {}

  // `rows` [rows, size], row-major.
  void Update(absl::Span<const float> rows);
  // The same with moments that were taken elsewhere.
  void Merge(const RowMoments& rows);
  // From here on the rows so far count as at most `most`, so that newer ones count for more.
  void LimitCount(double most) { count_ = std::min(count_, most); }

  double count() const { return count_; }
  const std::vector<double>& mean() const { return mean_; }
  // Population variance [size]; 1 before the first row.
  const std::vector<double>& variance() const { return variance_; }

  // The other way round, for restoring: exact, bit for bit.
  void Set(double count, absl::Span<const double> mean, absl::Span<const double> variance);

 private:
  double count_ = 0;
  std::vector<double> mean_, variance_;
};

// x -> clip((x - mean) / sqrt(variance + 1e-8)), frozen.
class ObservationTransform {
 public:
  ObservationTransform() = default;  // The identity.
  ObservationTransform(absl::Span<const double> mean, absl::Span<const double> variance,
                       double clip);

  bool identity() const { return mean_.empty(); }

  // `in`, `out` [rows, O]; may be the same.
  void Apply(absl::Span<const float> in, absl::Span<float> out) const;
  // Of rows that have only elements `first` to `first + size - 1`: [rows, size].
  void Apply(absl::Span<const float> in, absl::Span<float> out, int64_t first, int64_t size) const;

 private:
  std::vector<float> mean_, scale_;
  float clip_ = 0;
};

// The learner's statistics. Observations: moments of each element of the float32 columns, one
// after the other. Rewards: the
// variance of the discounted return that the actors accumulate through each
// episode; rewards are divided by its deviation, no mean is subtracted.
class Normalizer {
 public:
  // `observation_size`: ObservationSpace::floats().
  Normalizer(const NormalizationConfig& config, int64_t observation_size);

  bool normalizes_observations() const { return config_.observations(); }
  bool normalizes_rewards() const { return config_.rewards(); }

  // `observations` [rows, O], raw; nothing where observations are not normalised.
  void UpdateObservations(absl::Span<const float> observations);
  void UpdateReturns(absl::Span<const float> discounted_returns);
  // The same with moments that were taken elsewhere; in the same order everywhere they
  // give the same bits everywhere.
  void MergeObservations(const RowMoments& observations);
  void MergeReturns(const RowMoments& discounted_returns);
  // RunningMoments::LimitCount of both.
  void LimitCounts(double most);

  ObservationTransform observation_transform() const;
  // In place: r -> clip(r / sqrt(variance + 1e-8)).
  void NormalizeRewards(absl::Span<float> rewards) const;

  // "observation.count", "observation.mean", ... in and out of a publication.
  void AddTo(v1::Parameters& parameters) const;
  absl::Status Restore(const v1::Parameters& parameters);

 private:
  const NormalizationConfig config_;
  RunningMoments observation_;
  RunningMoments discounted_return_;
};

// What an actor or an evaluation applies: the transform that `parameters` carry.
// DATA_LOSS where they should carry one and do not, or it makes no sense.
absl::StatusOr<ObservationTransform> TransformFrom(const v1::Parameters& parameters,
                                                   const NormalizationConfig& config,
                                                   int64_t observation_size);

}  // namespace cadre
