// What an actor does: take parameters, step its environments, send rollouts, until
// the run is finished. Knows the rest of the system only through the ports. Run()
// belongs to one thread; times(), steps(),
// restarts() and version() may be read from any.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "actor/run_progress.h"
#include "actor/running_episodes.h"
#include "actor/segment_builder.h"
#include "actor/step_recorder.h"
#include "common/metrics/stage_times.h"
#include "common/ports.h"
#include "common/process/refused_in_a_row.h"
#include "common/process/repeated_events.h"
#include "common/random.h"
#include "envs/vector_environment.h"
#include "policy/acting/acting_policy.h"
#include "proto/config.pb.h"

namespace cadre {

// Where an actor's time goes.
enum class ActStage { kWaitForParameters, kInference, kEnvironment, kBuild, kAppend };
using ActTimes = StageTimes<ActStage, 5>;

// As metrics and reports name them.
inline constexpr std::pair<ActStage, const char*> kActStageNames[] = {
    {ActStage::kWaitForParameters, "wait_for_parameters"},
    {ActStage::kInference, "inference"},
    {ActStage::kEnvironment, "environment"},
    {ActStage::kBuild, "build"},
    {ActStage::kAppend, "append"},
};

class ActLoop {
 public:
  // Actor `index` of the run. Everything that it does follows from `config` and
  // the parameters it gets. `source` and `sink` must outlive it. A step of its environments
  // takes `pace` at least.
  static absl::StatusOr<std::unique_ptr<ActLoop>> Create(
      const ExperimentConfig& config, int32_t index, ParameterSource* source, ExperienceSink* sink,
      std::chrono::nanoseconds pace = std::chrono::nanoseconds(0));

  // Acts until the run is FINISHED (OK) or a port is closed or RequestStop (CANCELLED), or
  // something fails. A rollout that the sink refuses is left out and logged;
  // FAILED_PRECONDITION with the reason where it refuses all.
  absl::Status Run();

  // Run returns after the current step, in the middle of a rollout. What waits at a port ends
  // once that is closed. From any thread.
  void RequestStop();

  const ActTimes& times() const { return times_; }
  int64_t steps() const { return steps_.load(std::memory_order_relaxed); }
  // How often environments broke and were replaced.
  int64_t restarts() const { return restarts_.load(std::memory_order_relaxed); }
  int64_t version() const { return version_.load(std::memory_order_relaxed); }  // In use.

 private:
  ActLoop(const ExperimentConfig& config, int32_t index, ParameterSource* source,
          ExperienceSink* sink, std::unique_ptr<VectorEnvironment> environments,
          std::unique_ptr<ActingPolicy> policy);

  // Blocks until the next rollout may begin, with the parameters it begins with.
  absl::Status TakeParameters();
  absl::Status Load(const v1::Parameters& parameters);
  absl::Status ActRollout();
  absl::Status Append(v1::Rollout rollout);
  absl::Status Step();
  // The step's actions. Returns the version that chose them, 0 where they are random.
  absl::StatusOr<int64_t> ChooseActions();
  void EndEpisodes();
  // Forgets the episodes of environments that did not step.
  void SkipRows();
  void LogFaults();

  const ExperimentConfig config_;
  const int32_t index_;
  const bool lockstep_;
  const std::unique_ptr<ParameterSource> delayed_;  // Null without actors.delay_versions.
  ParameterSource* const source_;
  ExperienceSink* const sink_;
  const std::unique_ptr<VectorEnvironment> environments_;
  const std::unique_ptr<ActingPolicy> policy_;
  const std::unique_ptr<StepRecorder> recorder_;
  SegmentBuilder builder_;
  const int state_column_;  // -1 without a memory.
  RunningEpisodes episodes_;
  RunProgress progress_;
  Random random_{0};                // Seeded when the first parameters come.
  std::vector<std::byte> actions_;  // Of the current step, [N] rows.
  int64_t policy_steps_ = 0;        // That the parameters in use were learned from.
  int64_t rollout_version_ = 0;     // That chose the first actions of the rollout.
  bool refused_ = false;            // The last rollout was.
  uint64_t rollouts_ = 0;           // That were appended.
  RefusedInARow refused_in_a_row_;
  RepeatedEvents refusals_, faults_;  // For the log.

  ActTimes times_;
  std::atomic<int64_t> steps_ = 0;
  std::atomic<int64_t> restarts_ = 0;
  std::atomic<int64_t> version_ = 0;
  std::atomic<bool> stop_requested_ = false;
};

}  // namespace cadre
