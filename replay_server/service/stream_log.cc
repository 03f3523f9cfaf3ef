#include "replay_server/service/stream_log.h"

#include <chrono>
#include <vector>

#include "absl/hash/hash.h"
#include "absl/strings/str_cat.h"
#include "spdlog/spdlog.h"

namespace cadre {
namespace {

using Clock = RepeatedEvents::Time::clock;

}  // namespace

std::string StreamLog::Line(absl::string_view client, absl::string_view event,
                            absl::string_view details) {
  int64_t count;
  {
    absl::MutexLock lock(&mutex_);
    count = events_.Count(absl::HashOf(client), event, Clock::now());
  }
  if (count == 0) return "";
  return absl::StrCat(client, " ", event, details, TimesText(count));
}

void StreamLog::Info(absl::string_view client, absl::string_view event, absl::string_view details) {
  if (const std::string line = Line(client, event, details); !line.empty())
    spdlog::info("{}", line);
}

void StreamLog::Warn(absl::string_view client, absl::string_view event, absl::string_view details) {
  if (const std::string line = Line(client, event, details); !line.empty())
    spdlog::warn("{}", line);
}

void StreamLog::Refused(uint64_t writer, absl::string_view name, absl::string_view reason) {
  int64_t count;
  {
    absl::MutexLock lock(&mutex_);
    count = refusals_.Count(writer, reason, Clock::now());
  }
  if (count > 0)
    spdlog::warn("refused a rollout of {} ({:x}): {}{}", std::string(name), writer,
                 std::string(reason), TimesText(count));
}

void StreamLog::StreamEnded(uint64_t writer, absl::string_view name) {
  std::vector<RepeatedEvents::Unlogged> unlogged;
  {
    absl::MutexLock lock(&mutex_);
    unlogged = refusals_.TakeUnlogged(writer, Clock::now());
  }
  for (const RepeatedEvents::Unlogged& event : unlogged)
    spdlog::warn("refused rollouts of {} ({:x}): {}{}", std::string(name), writer, event.kind,
                 TimesText(event.count));
}

}  // namespace cadre
