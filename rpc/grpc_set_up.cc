#include "rpc/grpc_set_up.h"

#include <cstdlib>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "common/repeated_events.h"
#include "grpc/support/log.h"
#include "rpc/freed_memory.h"
#include "spdlog/spdlog.h"

namespace cadre {
namespace {

struct LoggedErrors {
  absl::Mutex mutex;
  RepeatedEvents events ABSL_GUARDED_BY(mutex);

  // Of an error from a line of gRPC's sources, as RepeatedEvents::Count.
  int64_t Count(const gpr_log_func_args& line) {
    absl::MutexLock lock(&mutex);
    return events.Count(static_cast<uint64_t>(line.line), line.file,
                        std::chrono::steady_clock::now());
  }
};

// May be called with locks of gRPC held, so it calls nothing of gRPC.
void ToOurLog(gpr_log_func_args* line) {
  static auto* const errors = new LoggedErrors;  // gRPC's threads may outlive statics.
  if (const int64_t times = errors->Count(*line); times > 0)
    spdlog::warn("gRPC: {}{}", line->message, TimesText(times));
}

bool SetUp() {
  setenv("GRPC_CLIENT_CHANNEL_BACKUP_POLL_INTERVAL_MS", "200", /*overwrite=*/0);
  if (std::getenv("GRPC_VERBOSITY") == nullptr) {
    gpr_set_log_function(&ToOurLog);
    gpr_set_log_verbosity(GPR_LOG_SEVERITY_ERROR);  // Its default depends on how it was built.
  }
  KeepFreedMemory();
  return true;
}

}  // namespace

void SetUpGrpc() {
  static const bool set_up = SetUp();
  static_cast<void>(set_up);
}

}  // namespace cadre
