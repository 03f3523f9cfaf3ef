#include "replay_server/service/replay_work_service.h"

namespace cadre {

v1::ReplayWork ReplayWorkOf(const ExperienceDirectory& directory) {
  v1::ReplayWork work;
  const auto add = [&work](double blocked, double waiting, int64_t arrived) {
    work.set_blocked_writers_seconds(work.blocked_writers_seconds() + blocked);
    work.set_waiting_readers_seconds(work.waiting_readers_seconds() + waiting);
    work.set_arrived_steps(work.arrived_steps() + arrived);
  };
  for (const Queue* queue : directory.queues()) {
    const v1::QueueInfo info = queue->Info();
    const Queue::Waits waits = queue->waits();
    add(waits.blocked_writers_seconds, waits.waiting_consumers_seconds, info.appended_steps());
    work.set_held_rollouts_seconds(work.held_rollouts_seconds() + waits.held_rollouts_seconds);
    work.set_dropped_stale_steps(work.dropped_stale_steps() + info.dropped_stale_steps());
  }
  for (const Table* table : directory.tables()) {
    const v1::TableInfo info = table->Info();
    add(info.blocked_writers_seconds(), info.waiting_samplers_seconds(), info.inserted_steps());
    work.set_sampling_seconds(work.sampling_seconds() + table->sampling_seconds());
    work.set_filling(work.filling() || info.items() < info.min_size());
  }
  return work;
}

grpc::ServerUnaryReactor* ReplayWorkService::GetReplayWork(grpc::CallbackServerContext* context,
                                                           const v1::ReplayWorkRequest* /*request*/,
                                                           v1::ReplayWork* response) {
  *response = ReplayWorkOf(directory_);
  grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
  reactor->Finish(grpc::Status::OK);
  return reactor;
}

}  // namespace cadre
