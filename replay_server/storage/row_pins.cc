#include "replay_server/storage/row_pins.h"

#include <map>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/memory/memory.h"
#include "absl/synchronization/mutex.h"
#include "common/process/monotonic_time.h"
#include "common/process/start_thread.h"
#include "common/status_macros.h"

namespace cadre {

struct RowPins::State {
  explicit State(absl::Duration wait) : longest_wait(wait) {}

  const absl::Duration longest_wait;
  absl::Mutex mutex;
  std::map<uint64_t, Overdue> pinned ABSL_GUARDED_BY(mutex);  // By gather.
  std::vector<uint64_t> returned ABSL_GUARDED_BY(mutex);
  uint64_t wanted_up_to ABSL_GUARDED_BY(mutex) = 0;  // Gathers that somebody waits for.
  MonotonicTime deadline ABSL_GUARDED_BY(mutex) = MonotonicTime::InfiniteFuture();
  bool changed ABSL_GUARDED_BY(mutex) = false;  // The thread is to look again.
  bool ended ABSL_GUARDED_BY(mutex) = false;

  std::vector<uint64_t> TakeReturned() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex) {
    for (const uint64_t gather : returned) pinned.erase(gather);
    if (pinned.empty() || pinned.begin()->first > wanted_up_to)
      deadline = MonotonicTime::InfiniteFuture();
    return std::exchange(returned, {});
  }
  std::vector<Overdue> TakeOverdue() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex) {
    std::vector<Overdue> overdue;
    if (MonotonicTime::Now() < deadline) return overdue;
    for (const auto& [gather, call] : pinned)
      if (gather <= wanted_up_to) overdue.push_back(call);
    deadline = MonotonicTime::InfiniteFuture();
    return overdue;
  }
};

struct RowPins::Owner {
  const std::shared_ptr<State> state;
  const std::shared_ptr<const void> memory;
  const uint64_t gather;

  ~Owner() {
    absl::MutexLock lock(&state->mutex);
    state->returned.push_back(gather);
    state->changed = true;
  }
};

absl::StatusOr<std::unique_ptr<RowPins>> RowPins::Create(Returned returned,
                                                         absl::Duration longest_wait) {
  auto state = std::make_shared<State>(longest_wait);
  CADRE_ASSIGN_OR_RETURN(
      std::thread thread,
      StartThread("row-pins", [state, returned = std::move(returned)] { Run(*state, returned); }));
  return absl::WrapUnique(new RowPins(std::move(state), std::move(thread)));
}

RowPins::RowPins(std::shared_ptr<State> state, std::thread thread)
    : state_(std::move(state)), thread_(std::move(thread)) {}

RowPins::~RowPins() {
  {
    absl::MutexLock lock(&state_->mutex);
    state_->ended = true;
    state_->changed = true;
  }
  thread_.join();
}

std::shared_ptr<const void> RowPins::Pin(uint64_t gather, std::shared_ptr<const void> memory,
                                         Overdue overdue) {
  absl::MutexLock lock(&state_->mutex);
  state_->pinned[gather] = std::move(overdue);
  return std::shared_ptr<const Owner>(new Owner{state_, std::move(memory), gather});
}

bool RowPins::Wanted() {
  absl::MutexLock lock(&state_->mutex);
  if (state_->pinned.empty()) return false;
  if (state_->deadline == MonotonicTime::InfiniteFuture()) {
    state_->deadline = MonotonicTime::Now() + state_->longest_wait;
    state_->wanted_up_to = state_->pinned.rbegin()->first;
    state_->changed = true;
  }
  return true;
}

void RowPins::Run(State& state, const Returned& returned) {
  while (true) {
    std::vector<uint64_t> gathers;
    std::vector<Overdue> overdue;
    {
      absl::MutexLock lock(&state.mutex);
      AwaitFor(state.mutex, absl::Condition(&state.changed), state.deadline - MonotonicTime::Now());
      if (state.ended) return;
      state.changed = false;
      gathers = state.TakeReturned();
      overdue = state.TakeOverdue();
    }
    if (!gathers.empty()) returned(gathers);
    for (const Overdue& call : overdue) call();
  }
}

}  // namespace cadre
