// One family's share of the training loop: take a batch of experience, learn from it.
// What families have in common (publishing, reports, evaluation, checkpoints, when to
// stop) is the Trainer's. One thread.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

#include <torch/types.h>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/metrics/stage_times.h"
#include "common/ports.h"
#include "common/random.h"
#include "envs/environment.h"
#include "learner/algorithms/device/device_options.h"
#include "learner/algorithms/diagnostics.h"
#include "learner/algorithms/optimization/collective.h"
#include "learner/run_folder/safetensors.h"
#include "policy/networks/layout.h"
#include "proto/config.pb.h"

namespace cadre {

// Where the learner's time goes.
enum class LearnStage {
  kWaitForExperience,
  kCollate,
  kPrepare,  // Advantages, shuffling and gathering of minibatches; targets.
  kForward,
  kLoss,
  kBackward,
  kOptimize,
  kPublish,
  kReport,  // Progress, evaluation, checkpoints.
};
using LearnTimes = StageTimes<LearnStage, 9>;

// As metrics and summaries name them.
inline constexpr std::pair<LearnStage, const char*> kLearnStageNames[] = {
    {LearnStage::kWaitForExperience, "wait_for_experience"},
    {LearnStage::kCollate, "collate"},
    {LearnStage::kPrepare, "prepare"},
    {LearnStage::kForward, "forward"},
    {LearnStage::kLoss, "loss"},
    {LearnStage::kBackward, "backward"},
    {LearnStage::kOptimize, "optimize"},
    {LearnStage::kPublish, "publish"},
    {LearnStage::kReport, "report"},
};

// Where a learner's experience comes from, and where its gradients go: what its family
// needs of them.
struct ExperiencePorts {
  ExperienceSource* queue = nullptr;
  ReplaySource* replay = nullptr;
  // Of learners that push gradients.
  GradientSink* gradients = nullptr;
  // Follows the run's model, for learners that are not the first of several: they wait for
  // the first to start it, and end when it finishes the run.
  ParameterSource* first = nullptr;

  // Ends what waits for experience.
  void Close() const {
    if (queue != nullptr) queue->Close();
    if (replay != nullptr) replay->Close();
    if (first != nullptr) first->Close();
  }
};

// Where the run stands when a batch is asked for.
struct RunPosition {
  int64_t env_steps = 0;
  int64_t version = 0;  // Newest published.
};

struct Learned {
  int64_t env_steps = 0;    // Of the run, with this batch.
  int64_t version = 0;      // What is published next is at least this one.
  int64_t updates = 1;      // Batches learned from.
  int64_t version_lag = 0;  // Of the oldest step. On-policy.
  std::vector<v1::Episode> episodes;
  bool publish = true;  // The actors are due the new parameters.
};

class BatchLearner {
 public:
  virtual ~BatchLearner() = default;

  // Of learners that move one model together, for families that can. Must outlive this.
  virtual void set_collective(Collective* /*collective*/) {}

  // The columns of the experience that actors send.
  virtual const v1::ExperienceSpec& experience_spec() const = 0;

  // Before the first version of this life is published: where the run stands, at which
  // version at least.
  virtual absl::StatusOr<RunPosition> Begin(const ExperiencePorts& /*ports*/,
                                            const RunPosition& position) {
    return position;
  }

  // Waits for experience and learns from it. DATA_LOSS where that made parameters
  // which are not finite. `stop` is looked at between updates. CANCELLED where the ports were
  // closed, or where of several learners any was told to stop: then all of them, before the
  // same update.
  virtual absl::StatusOr<Learned> Learn(const ExperiencePorts& ports, const RunPosition& position,
                                        const std::atomic<bool>& stop) = 0;
  // After what Learn made was published.
  virtual absl::Status Settle(const ExperiencePorts& ports) = 0;
  // Before a checkpoint, and before what was learned last is published: brings together, at
  // one moment, what other processes hold of the state. Returns the run's steps then.
  virtual absl::StatusOr<int64_t> Gather(const ExperiencePorts& /*ports*/,
                                         const RunPosition& position) {
    return position.env_steps;
  }
  // False while the parameters hold a batch that would be handed out again: no state to save.
  virtual bool settled() const = 0;

  // The last update's value of each of diagnostic_names(), in their order: NaN before the first
  // one, and for what an update did not measure.
  virtual Diagnostics diagnostics() const = 0;
  virtual DiagnosticNames diagnostic_names() const = 0;
  // Items or rollouts that were left out, since this process began; see dropped_experience.h.
  virtual int64_t dropped() const = 0;

  // What is published, [P] float32 on the CPU, and where each parameter stands in it.
  virtual const ParameterLayout& layout() const = 0;
  virtual torch::Tensor parameters() = 0;
  // Call after writing to parameters().
  virtual void ParametersChanged() = 0;
  // Statistics that travel with them, in and out.
  virtual void AddStatistics(v1::Parameters& parameters) const = 0;
  virtual absl::Status RestoreStatistics(const v1::Parameters& parameters) = 0;

  // Everything else. DATA_LOSS where something is missing.
  virtual void Save(TensorMap& state) const = 0;
  // What all learners of a model have in common.
  virtual absl::Status Restore(const TensorMap& state) = 0;
  // After it, on the learner that saved the state alone: experience that its own actors made and
  // that it has not learned from yet.
  virtual absl::Status RestoreExperience(const TensorMap& /*state*/) { return absl::OkStatus(); }
};

// That of the config's algorithm. `times` and `config` must outlive it.
absl::StatusOr<std::unique_ptr<BatchLearner>> MakeBatchLearner(const ExperimentConfig& config,
                                                               const EnvironmentSpec& environment,
                                                               LearnTimes* times,
                                                               const DeviceOptions& device = {});
// The families. The one that pushes gradients computes on the CPU.
absl::StatusOr<std::unique_ptr<BatchLearner>> MakeOnPolicyLearner(
    const ExperimentConfig& config, const EnvironmentSpec& environment, LearnTimes* times,
    const DeviceOptions& device);
absl::StatusOr<std::unique_ptr<BatchLearner>> MakePushingLearner(const ExperimentConfig& config,
                                                                 const EnvironmentSpec& environment,
                                                                 LearnTimes* times,
                                                                 const DeviceOptions& device);
absl::StatusOr<std::unique_ptr<BatchLearner>> MakeReplayLearner(const ExperimentConfig& config,
                                                                const EnvironmentSpec& environment,
                                                                LearnTimes* times,
                                                                const DeviceOptions& device);

// Random streams of a run; see also the actor's.
inline constexpr uint64_t kInitialParametersStream = 1;
inline constexpr uint64_t kAlgorithmStream = 2;
inline constexpr uint64_t kEvaluationStream = 3;

}  // namespace cadre
