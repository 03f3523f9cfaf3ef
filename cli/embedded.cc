#include "cli/embedded.h"

#include <memory>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "actor/act_loop.h"
#include "cli/embedded_experience.h"
#include "common/check.h"
#include "common/config/run_topology.h"
#include "common/process/start_thread.h"
#include "common/process/stop_link.h"
#include "common/status_macros.h"
#include "learner/parallel/local_collective.h"
#include "learner/run_folder/checkpoint.h"
#include "param_server/local_ports.h"
#include "param_server/parameter_store.h"
#include "spdlog/spdlog.h"

namespace cadre {
namespace {

// One actor: its sink, its loop and its thread.
class ActorThread {
 public:
  static absl::StatusOr<std::unique_ptr<ActorThread>> Create(const ExperimentConfig& config,
                                                             int32_t index,
                                                             EmbeddedExperience& experience,
                                                             ParameterSource* source) {
    std::unique_ptr<ActorThread> actor(new ActorThread);
    CADRE_ASSIGN_OR_RETURN(actor->sink_, experience.MakeSink(index));
    CADRE_ASSIGN_OR_RETURN(actor->loop_,
                           ActLoop::Create(config, index, source, actor->sink_.get()));
    return actor;
  }

  ~ActorThread() {
    if (thread_.joinable()) thread_.join();
  }

  // An actor that fails ends the others' and the learner's waits.
  void Start(EmbeddedExperience* experience) {
    absl::StatusOr<std::thread> thread =
        StartThread("actor", [this, experience] { Ended(loop_->Run(), experience); });
    if (thread.ok())
      thread_ = *std::move(thread);
    else
      Ended(thread.status(), experience);
  }

  // Ends it within a step; its ports are closed besides.
  void RequestStop() { loop_->RequestStop(); }

  absl::Status Join() {
    if (thread_.joinable()) thread_.join();
    absl::MutexLock lock(&mutex_);
    return status_;
  }

 private:
  ActorThread() = default;

  void Ended(absl::Status status, EmbeddedExperience* experience) {
    if (!status.ok()) experience->Close();
    absl::MutexLock lock(&mutex_);
    status_ = std::move(status);
  }

  std::unique_ptr<ExperienceSink> sink_;
  std::unique_ptr<ActLoop> loop_;
  absl::Mutex mutex_;
  absl::Status status_ ABSL_GUARDED_BY(mutex_);
  std::thread thread_;
};

// A learner's ports, and its thread unless it is the first.
class EmbeddedLearner {
 public:
  EmbeddedLearner(const ExperimentConfig& config, int32_t rank, Trainer* trainer,
                  EmbeddedExperience* experience, ParameterStore* store, LocalGroup* group)
      : trainer_(trainer),
        experience_(experience),
        first_(store, ModelName(config)),
        sink_(store),
        gradients_(store),
        acting_(store, ActingModelName(config, rank)),
        ports_(experience->ports(rank)) {
    if (PushesGradients(config)) ports_.gradients = &gradients_;
    if (rank > 0) ports_.first = &first_;
    if (DataParallel(config)) member_ = group->Join(rank);
    trainer_->set_collective(member_.get());
  }

  ~EmbeddedLearner() {
    if (thread_.joinable()) thread_.join();
  }

  // What its actors follow.
  ParameterSource* acting() { return &acting_; }

  absl::Status Run() {
    const absl::Status status = trainer_->Run(ports_, sink_);
    LeaveGroup();
    return status;
  }

  // On a thread of its own. Where it fails it ends the others' waits.
  void Start() {
    absl::StatusOr<std::thread> thread = StartThread("learner", [this] { Ended(Run()); });
    if (thread.ok()) {
      thread_ = *std::move(thread);
    } else {
      LeaveGroup();
      Ended(thread.status());
    }
  }

  void RequestStop() {
    trainer_->RequestStop();
    ports_.Close();
  }

  absl::Status Join() {
    if (thread_.joinable()) thread_.join();
    absl::MutexLock lock(&mutex_);
    return status_;
  }

 private:
  // Nobody waits for it any more.
  void LeaveGroup() {
    trainer_->set_collective(nullptr);
    member_.reset();
  }
  void Ended(absl::Status status) {
    if (!status.ok()) experience_->Close();
    absl::MutexLock lock(&mutex_);
    status_ = std::move(status);
  }

  Trainer* const trainer_;
  EmbeddedExperience* const experience_;
  StoreSource first_;
  StoreSink sink_;
  LocalGradientSink gradients_;
  StoreSource acting_;
  ExperiencePorts ports_;
  std::unique_ptr<Collective> member_;  // Of learners that move one model together.
  absl::Mutex mutex_;
  absl::Status status_ ABSL_GUARDED_BY(mutex_);
  std::thread thread_;
};

// The others are CANCELLED by the one that failed.
bool IsOwnFailure(const absl::Status& status) {
  return !status.ok() && !absl::IsCancelled(status) && !absl::IsUnavailable(status);
}

// With the run's last checkpoint, at `env_steps`.
absl::Status SaveExperience(EmbeddedExperience& experience, const std::string& run_folder,
                            int64_t env_steps) {
  CADRE_ASSIGN_OR_RETURN(const std::string name, experience.Save());
  return name.empty() ? absl::OkStatus() : SetReplayCheckpoint(run_folder, env_steps, name);
}

}  // namespace

absl::Status TrainEmbedded(const ExperimentConfig& config, absl::Span<Trainer* const> trainers,
                           const std::string& run_folder, const ResumedCheckpoint& from,
                           absl::FunctionRef<absl::Status()> begin, ShutdownSignal& shutdown) {
  CADRE_CHECK(static_cast<int32_t>(trainers.size()) == LearnerCount(config));
  CADRE_ASSIGN_OR_RETURN(
      auto experience,
      MakeEmbeddedExperience(config, trainers[0]->experience_spec(), run_folder, from));
  ParameterStore store("embedded");
  LocalGroup group(LearnerCount(config));
  std::vector<std::unique_ptr<EmbeddedLearner>> learners;
  for (int32_t rank = 0; rank < LearnerCount(config); ++rank)
    learners.push_back(std::make_unique<EmbeddedLearner>(config, rank, trainers[rank],
                                                         experience.get(), &store, &group));

  std::vector<std::unique_ptr<ActorThread>> actors;
  for (int32_t i = 0; i < config.actors().count(); ++i) {
    ParameterSource* source = learners[LearnerOf(config, i)]->acting();
    CADRE_ASSIGN_OR_RETURN(auto actor, ActorThread::Create(config, i, *experience, source));
    actors.push_back(std::move(actor));
  }
  CADRE_RETURN_IF_ERROR(begin());
  CADRE_RETURN_IF_ERROR(AbandonTables(run_folder));
  const StopLink stop(shutdown, [&] {
    for (const auto& learner : learners) learner->RequestStop();
  });
  for (const auto& actor : actors) actor->Start(experience.get());
  for (size_t rank = 1; rank < learners.size(); ++rank) learners[rank]->Start();

  absl::Status status = learners[0]->Run();
  for (const auto& learner : learners) learner->RequestStop();
  for (const auto& actor : actors) actor->RequestStop();
  store.Close();
  experience->Close();
  const auto add = [&status](const absl::Status& other) {
    if (IsOwnFailure(other)) status = other;
  };
  for (const auto& learner : learners) add(learner->Join());
  for (const auto& actor : actors) add(actor->Join());
  CADRE_RETURN_IF_ERROR(status);
  // All that was learned is saved already: that is no failure of the run.
  const absl::Status saved = SaveExperience(*experience, run_folder, trainers[0]->env_steps());
  if (!saved.ok()) spdlog::error("the replay table is not saved: {}", std::string(saved.message()));
  return absl::OkStatus();
}

}  // namespace cadre
