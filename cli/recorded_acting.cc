#include "cli/recorded_acting.h"

#include <algorithm>
#include <memory>
#include <utility>

#include "absl/time/clock.h"
#include "actor/act_loop.h"
#include "cli/interval_times.h"
#include "common/experience/experience_spec.h"
#include "common/process/stop_link.h"
#include "common/status_macros.h"

namespace cadre {
namespace {

constexpr double kSeconds = 0.4;  // Of acting, and at least so many rollouts:
constexpr int64_t kLeastIntervals = 2;
constexpr int64_t kKeptBytes = 32 << 20;  // Of rollouts, but for the first.
constexpr size_t kKeptRollouts = 256;

class FixedParameters final : public ParameterSource {
 public:
  explicit FixedParameters(ParametersPtr parameters) : parameters_(std::move(parameters)) {}
  ParametersPtr Newest() override { return parameters_; }
  absl::StatusOr<ParametersPtr> WaitNewer(int64_t /*version*/,
                                          absl::Duration /*timeout*/) override {
    return parameters_;
  }
  v1::RunState run_state() override { return v1::RUN_STATE_RUNNING; }
  void Close() override {}

 private:
  const ParametersPtr parameters_;
};

// Ends the loop, with CANCELLED, once enough was measured.
class KeepingSink final : public ExperienceSink {
 public:
  absl::Status Append(v1::Rollout rollout) override {
    times_.Mark();
    if (times_.intervals() > 0) steps_ += RolloutSteps(rollout);
    bytes_ += RolloutBytes(rollout);
    if (rollouts_.empty() || (bytes_ < kKeptBytes && rollouts_.size() < kKeptRollouts))
      rollouts_.push_back(std::move(rollout));
    const bool enough = times_.intervals() >= kLeastIntervals && times_.elapsed() >= kSeconds;
    return enough ? absl::CancelledError() : absl::OkStatus();
  }
  void Close() override {}

  const IntervalTimes& times() const { return times_; }
  double steps() const { return static_cast<double>(steps_); }
  std::vector<v1::Rollout> TakeRollouts() { return std::move(rollouts_); }

 private:
  IntervalTimes times_;
  int64_t steps_ = 0;  // Of the intervals.
  int64_t bytes_ = 0;
  std::vector<v1::Rollout> rollouts_;
};

}  // namespace

absl::StatusOr<RecordedActing> RecordActing(const ExperimentConfig& config,
                                            ParametersPtr parameters, ShutdownSignal& shutdown) {
  FixedParameters source(std::move(parameters));
  KeepingSink sink;
  CADRE_ASSIGN_OR_RETURN(const auto loop, ActLoop::Create(config, /*index=*/0, &source, &sink));
  {
    const StopLink stop(shutdown, [&] { loop->RequestStop(); });
    if (const absl::Status status = loop->Run(); !absl::IsCancelled(status)) return status;
  }
  if (shutdown.requested()) return absl::CancelledError("interrupted");

  RecordedActing acting;
  const ActTimes& times = loop->times();
  const double environment = times.seconds(ActStage::kEnvironment);
  const double inference = times.seconds(ActStage::kInference);
  const double all = environment + inference + times.seconds(ActStage::kBuild);
  const double cpu = sink.times().working() / sink.steps();
  acting.waiting_seconds = sink.times().waiting() / sink.steps();
  // It is the environment that waits: of the CPU time it has what is left of its share.
  const double waited = acting.waiting_seconds / (cpu + acting.waiting_seconds);
  const double busy_environment = std::max(0.0, environment / all - waited) / (1 - waited);
  const double busy_inference = inference / all / (1 - waited);
  acting.environment_seconds = cpu * std::min(1.0, busy_environment);
  acting.inference_seconds = std::min(cpu * busy_inference, cpu - acting.environment_seconds);
  acting.building_seconds = cpu - acting.environment_seconds - acting.inference_seconds;
  acting.rollouts = sink.TakeRollouts();
  return acting;
}

}  // namespace cadre
