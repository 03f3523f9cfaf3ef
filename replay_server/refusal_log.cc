#include "replay_server/refusal_log.h"

#include <chrono>
#include <vector>

#include "spdlog/spdlog.h"

namespace cadre {

void RefusalLog::Refused(uint64_t writer, absl::string_view name, absl::string_view reason) {
  int64_t count;
  {
    absl::MutexLock lock(&mutex_);
    count = events_.Count(writer, reason, std::chrono::steady_clock::now());
  }
  if (count > 0)
    spdlog::warn("refused a rollout of {} ({:x}): {}{}", std::string(name), writer,
                 std::string(reason), TimesText(count));
}

void RefusalLog::StreamEnded(uint64_t writer, absl::string_view name) {
  std::vector<RepeatedEvents::Unlogged> unlogged;
  {
    absl::MutexLock lock(&mutex_);
    unlogged = events_.TakeUnlogged(writer);
  }
  for (const RepeatedEvents::Unlogged& event : unlogged)
    spdlog::warn("refused rollouts of {} ({:x}): {}{}", std::string(name), writer, event.kind,
                 TimesText(event.count));
}

}  // namespace cadre
