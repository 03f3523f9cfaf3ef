// Logs what the streams of a server do, so that no client can flood the log, whatever names it
// gives and however often it comes: each event of each client once a minute, with how often.
// Bounded in memory. Thread-safe.
#pragma once

#include <cstdint>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/strings/string_view.h"
#include "absl/synchronization/mutex.h"
#include "common/process/repeated_events.h"

namespace cadre {

class StreamLog {
 public:
  // "<client> <event><details>". Lines with the same client and event are one kind.
  void Info(absl::string_view client, absl::string_view event, absl::string_view details = "");
  void Warn(absl::string_view client, absl::string_view event, absl::string_view details = "");

  // A rollout was refused. `name`: of the writer, for the log.
  void Refused(uint64_t writer, absl::string_view name, absl::string_view reason);
  // The writer's stream ends: its refusals that were not logged yet are.
  void StreamEnded(uint64_t writer, absl::string_view name);

 private:
  // The line, or nothing if it is not to be logged.
  std::string Line(absl::string_view client, absl::string_view event, absl::string_view details);

  absl::Mutex mutex_;
  RepeatedEvents events_ ABSL_GUARDED_BY(mutex_);    // By client.
  RepeatedEvents refusals_ ABSL_GUARDED_BY(mutex_);  // By writer.
};

}  // namespace cadre
