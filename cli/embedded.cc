#include "cli/embedded.h"

#include <memory>
#include <thread>
#include <utility>
#include <vector>

#include "absl/synchronization/mutex.h"
#include "actor/act_loop.h"
#include "cli/embedded_experience.h"
#include "common/status_macros.h"
#include "common/stop_link.h"
#include "param_server/local_ports.h"
#include "param_server/parameter_store.h"

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
    thread_ = std::thread([this, experience] {
      absl::Status status = loop_->Run();
      if (!status.ok()) experience->Close();
      absl::MutexLock lock(&mutex_);
      status_ = std::move(status);
    });
  }

  absl::Status Join() {
    if (thread_.joinable()) thread_.join();
    absl::MutexLock lock(&mutex_);
    return status_;
  }

 private:
  ActorThread() = default;

  std::unique_ptr<ExperienceSink> sink_;
  std::unique_ptr<ActLoop> loop_;
  absl::Mutex mutex_;
  absl::Status status_ ABSL_GUARDED_BY(mutex_);
  std::thread thread_;
};

}  // namespace

absl::Status TrainEmbedded(const ExperimentConfig& config, Trainer& trainer,
                           ShutdownSignal& shutdown) {
  CADRE_ASSIGN_OR_RETURN(auto experience, MakeEmbeddedExperience(config, trainer.experience_spec(),
                                                                 trainer.env_steps()));
  ParameterStore store("embedded");
  StoreSource parameter_source(&store, config.name());
  StoreSink parameter_sink(&store);

  std::vector<std::unique_ptr<ActorThread>> actors;
  for (int32_t i = 0; i < config.actors().count(); ++i) {
    CADRE_ASSIGN_OR_RETURN(auto actor,
                           ActorThread::Create(config, i, *experience, &parameter_source));
    actors.push_back(std::move(actor));
  }
  const StopLink stop(shutdown, [&] {
    trainer.RequestStop();
    experience->ports().Close();
  });
  for (const auto& actor : actors) actor->Start(experience.get());

  absl::Status status = trainer.Run(experience->ports(), parameter_sink);
  store.Close();
  experience->Close();
  for (const auto& actor : actors) {
    const absl::Status actor_status = actor->Join();
    // The others are CANCELLED by the one that failed.
    if (!actor_status.ok() && !absl::IsCancelled(actor_status) &&
        !absl::IsUnavailable(actor_status))
      status = actor_status;
  }
  return status;
}

}  // namespace cadre
