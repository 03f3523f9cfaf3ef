#include "cli/rehearsal.h"

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <limits>
#include <memory>
#include <string>
#include <system_error>
#include <thread>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "cli/interval_times.h"
#include "cli/rehearsal_stage.h"
#include "common/config/config.h"
#include "common/config/replay_config.h"
#include "common/config/run_topology.h"
#include "common/process/start_thread.h"
#include "common/process/stop_link.h"
#include "common/process/timer.h"
#include "common/status_macros.h"
#include "learner/loop/trainer.h"
#include "policy/off_policy_columns.h"
#include "policy/on_policy_columns.h"

namespace cadre {
namespace {

constexpr double kWarmUpSeconds = 0.2;  // Of learning, and at least so many rounds:
constexpr int64_t kWarmUpRounds = 1;
constexpr double kSeconds = 1.2;  // Of measuring, likewise:
constexpr int64_t kLeastRounds = 2;
constexpr absl::Duration kPatience = absl::Minutes(2);

constexpr int64_t kMostActors = 16;
constexpr int64_t kMostSteps = 65536;  // Of an update.
constexpr int64_t kMostWarmUpSteps = 5000;
constexpr int64_t kMostTableSteps = 50000;
constexpr double kLearningRate = 1e-12;

// Every field named *learning_rate, wherever it is.
void SetLearningRates(google::protobuf::Message& message) {
  const google::protobuf::Reflection& reflection = *message.GetReflection();
  std::vector<const google::protobuf::FieldDescriptor*> fields;
  reflection.ListFields(message, &fields);
  for (const google::protobuf::FieldDescriptor* field : fields)
    if (!field->is_repeated() &&
        field->cpp_type() == google::protobuf::FieldDescriptor::CPPTYPE_MESSAGE)
      SetLearningRates(*reflection.MutableMessage(&message, field));
  for (int i = 0; i < message.GetDescriptor()->field_count(); ++i) {
    const google::protobuf::FieldDescriptor* field = message.GetDescriptor()->field(i);
    if (field->cpp_type() == google::protobuf::FieldDescriptor::CPPTYPE_DOUBLE &&
        absl::EndsWith(field->name(), "learning_rate"))
      reflection.SetDouble(&message, field, kLearningRate);
  }
}

// The most actors, of those of one group, that may be rehearsed: a whole share of them, as
// minibatches must divide an update.
int64_t RehearsedActors(const ExperimentConfig& config, int64_t actors) {
  const int64_t rollout = StepsPerUpdate(config) / config.actors().count();
  for (int64_t n = actors; n >= 1; --n) {
    const bool whole = !config.has_ppo() || n * rollout % config.ppo().minibatch_size() == 0;
    if (whole && actors % n == 0 && n <= kMostActors && n * rollout <= kMostSteps) return n;
  }
  return actors;
}

// A folder that goes with this.
class TemporaryFolder {
 public:
  static absl::StatusOr<std::unique_ptr<TemporaryFolder>> Create() {
    std::string path = (std::filesystem::temp_directory_path() / "cadre-plan-XXXXXX").string();
    if (mkdtemp(path.data()) == nullptr)
      return absl::PermissionDeniedError(absl::StrCat("cannot make a folder '", path, "'"));
    return std::unique_ptr<TemporaryFolder>(new TemporaryFolder(std::move(path)));
  }
  ~TemporaryFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  const std::string& path() const { return path_; }

 private:
  explicit TemporaryFolder(std::string path) : path_(std::move(path)) {}
  const std::string path_;
};

// Sends recorded rollouts as an actor would that needs no time for them.
class RecordedActor {
 public:
  static absl::StatusOr<std::unique_ptr<RecordedActor>> Create(
      const ExperimentConfig& config, const EnvironmentSpec& environment, int32_t index,
      const std::vector<v1::Rollout>& rollouts, RehearsalStage& stage) {
    const auto shown =
        static_cast<int>(ShownColumns(environment.observation, environment.action).size());
    std::unique_ptr<RecordedActor> actor(new RecordedActor(config, index, shown, rollouts));
    CADRE_ASSIGN_OR_RETURN(actor->sink_, stage.MakeSink(index));
    CADRE_ASSIGN_OR_RETURN(actor->source_, stage.MakeParameterSource());
    return actor;
  }
  ~RecordedActor() {
    Close();
    if (thread_.joinable()) thread_.join();
  }

  // `on_failure` is told where it ends by itself.
  void Start(const std::function<void(absl::Status)>& on_failure) {
    absl::StatusOr<std::thread> thread = StartThread("recorded-actor", [this, on_failure] {
      const absl::Status status = Run();
      const bool finished = source_->run_state() == v1::RUN_STATE_FINISHED;
      if (!finished && !absl::IsCancelled(status)) on_failure(status);
    });
    if (thread.ok())
      thread_ = *std::move(thread);
    else
      on_failure(thread.status());
  }
  void Close() {
    sink_->Close();
    source_->Close();
  }

 private:
  RecordedActor(const ExperimentConfig& config, int32_t index, int shown,
                const std::vector<v1::Rollout>& rollouts)
      : index_(index),
        lockstep_(config.actors().mode() == ActorsConfig::LOCKSTEP),
        version_column_(UsesReplay(config) ? OffPolicyColumns(shown).version
                                           : OnPolicyColumns(shown).version),
        rollouts_(rollouts) {}

  absl::Status Run() {
    int64_t version = 0;
    for (size_t i = 0;; i = (i + 1) % rollouts_.size()) {
      const int64_t known = lockstep_ || version == 0 ? version : version - 1;
      CADRE_ASSIGN_OR_RETURN(const ParametersPtr parameters,
                             source_->WaitNewer(known, absl::InfiniteDuration()));
      version = parameters->version();
      v1::Rollout rollout = rollouts_[i];
      rollout.set_actor(index_);
      rollout.set_version(version);
      std::string& versions = *rollout.mutable_columns(version_column_);
      for (size_t at = 0; at + sizeof(version) <= versions.size(); at += sizeof(version))
        std::memcpy(versions.data() + at, &version, sizeof(version));
      CADRE_RETURN_IF_ERROR(sink_->Append(std::move(rollout)));
    }
  }

  const int32_t index_;
  const bool lockstep_;
  const int version_column_;
  const std::vector<v1::Rollout>& rollouts_;
  std::unique_ptr<ExperienceSink> sink_;
  std::unique_ptr<ParameterSource> source_;
  std::thread thread_;
};

// What was spent until some moment. The learning thread's alone.
struct Spent {
  double process = 0, replay_server = 0, parameter_server = 0;
  int64_t env_steps = 0, updates = 0;

  static Spent UntilNow(const RehearsalStage& stage, const Progress& progress) {
    return {.process = OwnProcessSeconds(),
            .replay_server = stage.replay_server_seconds(),
            .parameter_server = stage.parameter_server_seconds(),
            .env_steps = progress.env_steps,
            .updates = progress.updates};
  }
};

// Listens to the training loop: warms up, measures, and says when that is enough.
class RoundMeter {
 public:
  RoundMeter(const ExperimentConfig& config, const RehearsalStage& stage)
      : config_(config), stage_(stage) {}

  // On the learning thread after each round. True: enough.
  bool OnProgress(const Progress& progress) {
    if (progress.updates < 1) return false;  // The table is being filled.
    IntervalTimes& times = measuring_ ? measured_ : warm_up_;
    times.Mark();
    if (!measuring_) {
      if (times.intervals() < kWarmUpRounds || times.elapsed() < kWarmUpSeconds) return false;
      measuring_ = true;
      measured_.Mark();
      begin_ = Spent::UntilNow(stage_, progress);
      return false;
    }
    if (times.intervals() < kLeastRounds || times.elapsed() < kSeconds) return false;
    end_ = Spent::UntilNow(stage_, progress);
    return true;
  }

  bool enough() const { return end_.updates > 0; }
  RehearsedCosts Costs() const {
    RehearsedCosts costs;
    costs.updates = end_.updates - begin_.updates;
    // A table's limiter lets actors be ahead; what they made is not yet learned from.
    const double steps =
        UsesReplay(config_)
            ? static_cast<double>(costs.updates) / config_.replay().updates_per_step()
            : static_cast<double>(end_.env_steps - begin_.env_steps);
    costs.learning = measured_.working() / steps;
    costs.hand_over = measured_.waiting() / steps;
    costs.transfer = std::max(0.0, end_.process - begin_.process - measured_.working()) / steps;
    costs.replay_server = (end_.replay_server - begin_.replay_server) / steps;
    costs.parameter_server = (end_.parameter_server - begin_.parameter_server) / steps;
    return costs;
  }

 private:
  const ExperimentConfig& config_;
  const RehearsalStage& stage_;
  bool measuring_ = false;
  IntervalTimes warm_up_, measured_;
  Spent begin_, end_;
};

// One rehearsal: the trainer on this thread, each recorded actor on its own.
class Rehearsal {
 public:
  Rehearsal(const ExperimentConfig& config, std::unique_ptr<RehearsalStage> stage)
      : config_(config), stage_(std::move(stage)), meter_(config_, *stage_) {}

  absl::Status Prepare(const EnvironmentSpec& environment, const std::vector<v1::Rollout>& rollouts,
                       const std::string& folder) {
    Trainer::Options options;
    options.config = config_;
    options.environment = environment;
    options.run_folder = folder;
    options.on_progress = [this](const Progress& progress) {
      if (meter_.OnProgress(progress)) trainer_->RequestStop();
      return absl::OkStatus();
    };
    CADRE_ASSIGN_OR_RETURN(trainer_, Trainer::Create(std::move(options)));
    for (int32_t i = 0; i < config_.actors().count(); ++i) {
      CADRE_ASSIGN_OR_RETURN(auto actor,
                             RecordedActor::Create(config_, environment, i, rollouts, *stage_));
      actors_.push_back(std::move(actor));
    }
    return absl::OkStatus();
  }

  absl::StatusOr<RehearsedCosts> Run(ShutdownSignal& shutdown) {
    const StopLink stop(shutdown, [this] { End(absl::CancelledError("interrupted")); });
    CADRE_ASSIGN_OR_RETURN(
        auto patience, Timer::Start(kPatience, [this] {
          End(absl::DeadlineExceededError(absl::StrCat("the rehearsal made no third update within ",
                                                       absl::FormatDuration(kPatience),
                                                       "; plan a smaller update and scale")));
        }));
    for (const auto& actor : actors_)
      actor->Start([this](const absl::Status& status) { End(status); });
    const absl::Status status = trainer_->Run(stage_->ports(), *stage_->parameter_sink());
    patience.reset();
    stage_->Close();
    actors_.clear();
    absl::MutexLock lock(&mutex_);
    if (!end_.ok()) return end_;
    CADRE_RETURN_IF_ERROR(status);
    if (!meter_.enough()) return absl::InternalError("the rehearsal ended before its time");
    return meter_.Costs();
  }

 private:
  // Before its time. From any thread.
  void End(const absl::Status& why) {
    {
      absl::MutexLock lock(&mutex_);
      if (end_.ok()) end_ = why;
    }
    trainer_->RequestStop();
    stage_->Close();
  }

  const ExperimentConfig config_;
  const std::unique_ptr<RehearsalStage> stage_;
  RoundMeter meter_;
  std::unique_ptr<Trainer> trainer_;
  std::vector<std::unique_ptr<RecordedActor>> actors_;
  absl::Mutex mutex_;
  absl::Status end_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace

ExperimentConfig RehearsalConfig(const ExperimentConfig& config) {
  ExperimentConfig rehearsed = config;
  const int64_t groups = PushesGradients(config) ? LearnerCount(config) : 1;
  rehearsed.mutable_learners()->set_count(1);
  rehearsed.mutable_actors()->set_count(
      static_cast<int32_t>(RehearsedActors(config, config.actors().count() / groups)));
  SetLearningRates(rehearsed);
  rehearsed.mutable_stop()->Clear();
  rehearsed.mutable_stop()->set_env_steps(int64_t{1} << 50);
  rehearsed.mutable_evaluation()->set_every_env_steps(0);
  rehearsed.mutable_checkpoint()->set_every_env_steps(0);
  rehearsed.mutable_checkpoint()->set_every_seconds(1e9);
  if (UsesReplay(config)) {
    ReplayConfig& replay = *rehearsed.mutable_replay();
    replay.set_warmup_steps(std::min(replay.warmup_steps(), kMostWarmUpSteps));
    replay.set_capacity_steps(
        std::min(replay.capacity_steps(), kMostTableSteps + StepsPerUpdate(rehearsed)));
  }
  return rehearsed;
}

absl::StatusOr<RehearsedCosts> Rehearse(const ExperimentConfig& config,
                                        const EnvironmentSpec& environment,
                                        const std::vector<v1::Rollout>& rollouts, bool processes,
                                        ShutdownSignal& shutdown) {
  CADRE_ASSIGN_OR_RETURN(const auto folder, TemporaryFolder::Create());
  CADRE_ASSIGN_OR_RETURN(
      auto stage, processes ? MakeProcessesStage(config, environment, folder->path(), shutdown)
                            : MakeEmbeddedStage(config, environment, folder->path()));
  Rehearsal rehearsal(config, std::move(stage));
  CADRE_RETURN_IF_ERROR(rehearsal.Prepare(environment, rollouts, folder->path()));
  return rehearsal.Run(shutdown);
}

}  // namespace cadre
