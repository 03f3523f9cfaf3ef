#include "cli/embedded.h"

#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "actor/act_loop.h"
#include "common/status_macros.h"
#include "common/stop_link.h"
#include "param_server/local_ports.h"
#include "param_server/parameter_store.h"
#include "replay_server/local_ports.h"
#include "replay_server/queue.h"

namespace cadre {
namespace {

// One actor: its sink, its loop and its thread.
class ActorThread {
 public:
  static absl::StatusOr<std::unique_ptr<ActorThread>> Create(const ExperimentConfig& config,
                                                             int32_t index,
                                                             const v1::ExperienceSpec& spec,
                                                             Queue* queue, StoreSource* source) {
    std::unique_ptr<ActorThread> actor(new ActorThread);
    const uint64_t writer = static_cast<uint64_t>(index) + 1;
    CADRE_ASSIGN_OR_RETURN(actor->sink_,
                           QueueSink::Create(queue, queue->options().run_id, spec, writer));
    CADRE_ASSIGN_OR_RETURN(actor->loop_,
                           ActLoop::Create(config, index, source, actor->sink_.get()));
    return actor;
  }

  ~ActorThread() {
    if (thread_.joinable()) thread_.join();
  }

  // An actor that fails closes the queue, so that the learner does not wait for it.
  void Start(Queue* queue) {
    thread_ = std::thread([this, queue] {
      absl::Status status = loop_->Run();
      if (!status.ok()) queue->Close();
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

  std::unique_ptr<QueueSink> sink_;
  std::unique_ptr<ActLoop> loop_;
  absl::Mutex mutex_;
  absl::Status status_ ABSL_GUARDED_BY(mutex_);
  std::thread thread_;
};

}  // namespace

absl::Status TrainEmbedded(const ExperimentConfig& config, Trainer& trainer,
                           ShutdownSignal& shutdown) {
  const std::string run_id = "embedded";
  Queue queue({.name = "on_policy",
               .run_id = run_id,
               .capacity_steps = config.queue().capacity_steps(),
               .capacity_bytes = config.queue().capacity_bytes(),
               .max_version_lag = config.queue().max_version_lag()});
  ParameterStore store(run_id);
  StoreSource parameter_source(&store, config.name());
  StoreSink parameter_sink(&store);
  CADRE_ASSIGN_OR_RETURN(auto source,
                         QueueSource::Create(&queue, run_id, trainer.experience_spec()));

  std::vector<std::unique_ptr<ActorThread>> actors;
  for (int32_t i = 0; i < config.actors().count(); ++i) {
    CADRE_ASSIGN_OR_RETURN(auto actor, ActorThread::Create(config, i, trainer.experience_spec(),
                                                           &queue, &parameter_source));
    actors.push_back(std::move(actor));
  }
  const StopLink stop(shutdown, [&] {
    trainer.RequestStop();
    source->Close();
  });
  for (const auto& actor : actors) actor->Start(&queue);

  absl::Status status = trainer.Run({.queue = source.get()}, parameter_sink);
  store.Close();
  queue.Close();
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
