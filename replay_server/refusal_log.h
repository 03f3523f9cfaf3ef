// Logs refused rollouts: each reason of each writer once a minute, with how often. Thread-safe.
#pragma once

#include <cstdint>

#include "absl/base/thread_annotations.h"
#include "absl/strings/string_view.h"
#include "absl/synchronization/mutex.h"
#include "common/repeated_events.h"

namespace cadre {

class RefusalLog {
 public:
  // `name`: of the writer, for the log.
  void Refused(uint64_t writer, absl::string_view name, absl::string_view reason);
  // The writer's stream ends: what was not logged yet is.
  void StreamEnded(uint64_t writer, absl::string_view name);

 private:
  absl::Mutex mutex_;
  RepeatedEvents events_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace cadre
