// The training loop: learn from experience, publish, report, save, stop. What one batch
// of experience is, is its BatchLearner's. The same whether the ports lead to objects in
// this process or over the network. One thread.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "common/experience/episode_statistics.h"
#include "common/ports.h"
#include "common/process/monotonic_time.h"
#include "common/process/timer.h"
#include "envs/environment.h"
#include "learner/loop/batch_learner.h"
#include "learner/loop/evaluator.h"
#include "learner/run_folder/checkpoint.h"
#include "learner/run_folder/progress.h"
#include "learner/run_folder/run_folder.h"
#include "proto/config.pb.h"

namespace cadre {

class Trainer final {
 public:
  struct Options {
    ExperimentConfig config;      // Resolved and valid.
    EnvironmentSpec environment;  // Of config.environment.
    std::string run_folder;       // Where checkpoints go.
    // Of several learners, from 0. The first alone reports, evaluates, saves, and decides
    // when the run is over; the others learn until then.
    int32_t rank = 0;
    DeviceOptions device;  // Where the algorithm computes.
    // Run after each update, on the training thread.
    std::function<absl::Status(const Progress&)> on_progress;
    std::function<void()> on_saved;  // After each checkpoint, likewise. May be null.
  };

  static absl::StatusOr<std::unique_ptr<Trainer>> Create(Options options);

  // Goes on from a checkpoint of the same experiment. FAILED_PRECONDITION where its weights
  // mean something else (weight_meaning.h), DATA_LOSS where something is missing. Before Run.
  absl::Status Restore(const Checkpoint& checkpoint);

  // The next evaluation is the best so far: there is no checkpoint of an earlier best one.
  void ForgetBest() { evaluator_.ForgetBest(); }

  // The next version is above `version`: a parameter server that outlived an earlier
  // learner already has it. Before Run.
  void ContinueVersionsFrom(int64_t version);

  // Of learners that move one model together, each with a Trainer: all begin with what the
  // first has, and end after the same update; the first alone publishes, reports, evaluates
  // and saves. Before Run; must outlive it.
  void set_collective(Collective* collective);

  // RequestStop leaves the run open, for a learner that goes on with it: Run saves, and
  // returns ABORTED unless a stop condition holds. Before Run.
  void set_stays_open(bool stays_open) { stays_open_ = stays_open; }

  // A checkpoint of the state as it is, unless there is one of as many steps.
  absl::Status SaveIfUnsaved();

  // How long after a stop, or the end of its time, a learner waits for a parameter server that
  // does not answer: then the sinks are to be cut short (ParameterSink::CutShort).
  static constexpr absl::Duration kSinkGrace = absl::Seconds(1);

  // Trains until a stop condition of the config, or RequestStop. Either way the first
  // learner saves a last checkpoint and sets the run FINISHED. Others may be closed then. The end
  // of its time closes `source`, and cuts the sinks short.
  absl::Status Run(const ExperiencePorts& source, ParameterSink& sink);

  // Run saves and returns after the update at hand. From any thread.
  void RequestStop() {
    stop_requested_ = true;
    stops_learning_ = true;
  }

  // After Run.
  Summary summary() const;

  const ExperimentConfig& config() const { return config_; }

  // The columns of the experience that it takes.
  const v1::ExperienceSpec& experience_spec() const { return learner_->experience_spec(); }
  int64_t env_steps() const { return env_steps_; }
  // May be read from any thread.
  const LearnTimes& times() const { return times_; }

 private:
  explicit Trainer(Options options);

  // The others take over the first learner's state, once all know that they compute alike.
  absl::Status TakeOverFromFirst();
  absl::Status Publish(ParameterSink& sink);
  absl::Status LearnOnce(const ExperiencePorts& source, ParameterSink& sink);
  absl::Status Learn(const ExperiencePorts& source, ParameterSink& sink);
  absl::Status EndRun(const ExperiencePorts& source, ParameterSink& sink, absl::Status status);
  absl::Status Gather(const ExperiencePorts& source);
  absl::Status ReportProgress(int64_t version_lag);
  bool SaveDue() const;
  // `at_end`: of the run, whose last policy it is.
  absl::Status Evaluate(bool at_end);
  absl::Status Save();
  Checkpoint MakeCheckpoint() const;
  std::shared_ptr<const v1::Parameters> MakeParameters() const;
  absl::Span<float> Flat() const;  // [P], what is published.
  bool first() const { return options_.rank == 0; }
  bool done() const;
  bool enough_learned() const;
  bool time_is_over() const;
  // Close `source` when the time is over, and cut the sinks short. None if there is no such time.
  absl::StatusOr<std::vector<std::unique_ptr<Timer>>> StartTimeLimits(const ExperiencePorts& source,
                                                                      ParameterSink& sink);
  // What an end of the ports' waits means that was asked for.
  absl::Status Stopped() const;
  // OK, or of a run that stays open and was stopped before it is over: ABORTED.
  absl::Status StoppedOpen() const;
  // What a learner alone stops for at once, and several when they next agree.
  bool asked_to_stop() const;
  double WallSeconds() const;
  // An evaluation ends then before its end.
  bool evaluation_is_over() const;

  const Options options_;
  const ExperimentConfig& config_;
  LearnTimes times_;
  std::unique_ptr<BatchLearner> learner_;  // Never null once created.
  Collective* collective_ = nullptr;
  bool stays_open_ = false;
  EpisodeStatistics episodes_;
  std::atomic<bool> stop_requested_ = false;
  std::atomic<bool> time_is_up_ = false;      // As the timer says.
  std::atomic<bool> stops_learning_ = false;  // For one of the two.

  int64_t env_steps_ = 0;
  int64_t updates_ = 0;
  int64_t version_ = 0;  // Newest published. Learners that publish nothing count with the others.
  int64_t max_version_lag_ = 0;
  double earlier_seconds_ = 0;  // Of wall time, before a resume.
  MonotonicTime started_;
  int64_t last_saved_steps_ = -1;
  double last_saved_seconds_ = 0;  // Of wall time.
  Evaluator evaluator_;
  // Of the previous report, for rates since then.
  int64_t reported_steps_ = 0;
  double reported_seconds_ = 0, reported_waiting_ = 0, reported_total_ = 0;
};

}  // namespace cadre
