// What an actor does: take parameters, step its environments, send rollouts, until
// the run is finished. Knows the rest of the system only through the ports. Run()
// belongs to one thread; times(), steps() and
// version() may be read from any.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "actor/segment_builder.h"
#include "common/ports.h"
#include "common/random.h"
#include "common/stage_times.h"
#include "envs/vector_environment.h"
#include "policy/acting_policy.h"
#include "proto/config.pb.h"

namespace cadre {

// Where an actor's time goes.
enum class ActStage { kWaitForParameters, kInference, kEnvironment, kBuild, kAppend };
using ActTimes = StageTimes<ActStage, 5>;

class ActLoop {
 public:
  // Actor `index` of the run. Everything that it does follows from `config` and
  // the parameters it gets. `source` and `sink` must outlive it.
  static absl::StatusOr<std::unique_ptr<ActLoop>> Create(const ExperimentConfig& config,
                                                         int32_t index, ParameterSource* source,
                                                         ExperienceSink* sink);

  // Acts until the run is FINISHED (OK) or a port is closed (CANCELLED) or fails.
  absl::Status Run();

  const ActTimes& times() const { return times_; }
  int64_t steps() const { return steps_.load(std::memory_order_relaxed); }
  int64_t version() const { return version_.load(std::memory_order_relaxed); }  // In use.

 private:
  ActLoop(const ExperimentConfig& config, int32_t index, ParameterSource* source,
          ExperienceSink* sink, std::unique_ptr<VectorEnvironment> environments,
          ActorCriticNetwork network);

  // Blocks until the next rollout may begin, with the parameters it begins with.
  absl::Status TakeParameters();
  absl::Status Load(const v1::Parameters& parameters);
  absl::Status ActRollout();
  absl::Status Step();
  void CountRewards();

  const ExperimentConfig config_;
  const int32_t index_;
  const bool lockstep_;
  const float discount_;
  ParameterSource* const source_;
  ExperienceSink* const sink_;
  const std::unique_ptr<VectorEnvironment> environments_;
  ActingPolicy policy_;
  const v1::ExperienceSpec spec_;
  SegmentBuilder builder_;
  Random random_{0};  // Seeded when the first parameters come.

  // Of the current step, [N] rows each.
  std::vector<std::byte> actions_;
  std::vector<float> log_probs_;
  std::vector<int64_t> versions_;
  std::vector<float> discounted_returns_;
  // Of the running episodes, [N].
  std::vector<double> total_rewards_;
  std::vector<int64_t> lengths_;
  std::vector<v1::Episode> finished_;  // Since the last rollout.

  ActTimes times_;
  std::atomic<int64_t> steps_ = 0;
  std::atomic<int64_t> version_ = 0;
};

}  // namespace cadre
