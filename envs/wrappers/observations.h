// Wrappers that change what is shown: rescaled and clipped observations, stacks of them, and the
// time.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "envs/observation_blocks.h"
#include "envs/wrappers/wrapper.h"

namespace cadre {

// Shows observations of its own, made from the inner environment's.
class ObservationWrapper : public EnvironmentWrapper {
 public:
  ObservationWrapper(std::unique_ptr<VectorEnvironment> inner, EnvironmentSpec spec);

  absl::Status Reset(uint64_t seed) final;
  absl::Status Restart(absl::Span<const uint8_t> restarted) final;
  absl::Status SetState(int64_t index, absl::Span<const double> state) final;

  ShownBlocks observations() const final { return observations_.blocks(); }
  ShownBlocks final_observations() const final { return final_observations_.blocks(); }

 protected:
  // Writes row i of `to`: the first observation of an episode.
  virtual void Begin(size_t i, ShownBlocks inner, ObservationRow to) = 0;
  // The observation after a step; `to` has the one before. Of the last step of an episode, too.
  virtual void Continue(size_t i, ShownBlocks inner, ObservationRow to) = 0;

 private:
  absl::Status Advance(absl::Span<const std::byte> actions,
                       absl::Span<const uint8_t> stepped) final;

  ObservationBlocks observations_, final_observations_;
};

// Float columns, mapped onto [-1, 1] where they have bounds (`rescale`), then kept in
// [-clip, clip] (0: not).
class RescaledObservations final : public ObservationWrapper {
 public:
  RescaledObservations(std::unique_ptr<VectorEnvironment> inner, EnvironmentSpec spec, bool rescale,
                       double clip);

  static absl::StatusOr<EnvironmentSpec> Spec(EnvironmentSpec inner, bool rescale, double clip);

 private:
  void Begin(size_t i, ShownBlocks inner, ObservationRow to) override;
  void Continue(size_t i, ShownBlocks inner, ObservationRow to) override { Begin(i, inner, to); }

  const bool rescale_;
  const float clip_;
};

// Each column of the observation [shape...] becomes [depth, shape...], the newest last. An episode
// begins with copies of its first observation.
class StackedObservations final : public ObservationWrapper {
 public:
  StackedObservations(std::unique_ptr<VectorEnvironment> inner, EnvironmentSpec spec,
                      int64_t depth);

  static EnvironmentSpec Spec(EnvironmentSpec inner, int64_t depth);

 private:
  void Begin(size_t i, ShownBlocks inner, ObservationRow to) override;
  void Continue(size_t i, ShownBlocks inner, ObservationRow to) override;

  const int64_t depth_;
};

// One more column, "time", float32 [1]: the share of the episode's steps that is over.
class TimedObservations final : public ObservationWrapper {
 public:
  TimedObservations(std::unique_ptr<VectorEnvironment> inner, EnvironmentSpec spec);

  static absl::StatusOr<EnvironmentSpec> Spec(EnvironmentSpec inner);

 private:
  void Begin(size_t i, ShownBlocks inner, ObservationRow to) override;
  void Continue(size_t i, ShownBlocks inner, ObservationRow to) override;
  void Write(size_t i, ShownBlocks inner, ObservationRow to) const;

  std::vector<int64_t> steps_;  // [N] of the running episode
};

}  // namespace cadre
