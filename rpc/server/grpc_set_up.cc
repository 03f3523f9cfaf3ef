#include "rpc/server/grpc_set_up.h"

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "common/process/event.h"
#include "common/process/repeated_events.h"
#include "common/process/start_thread.h"
#include "common/status_macros.h"
#include "grpc/support/log.h"
#include "rpc/wire/freed_memory.h"
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

// Whether the process may have so many threads more. They are all there before the first ends.
absl::Status TryThreads(int count) {
  Event all_started;
  std::vector<std::thread> threads;
  absl::Status status;
  while (status.ok() && static_cast<int>(threads.size()) < count) {
    absl::StatusOr<std::thread> thread = StartThread("gRPC", [&] { all_started.Wait(); });
    if (thread.ok())
      threads.push_back(*std::move(thread));
    else
      status =
          absl::Status(thread.status().code(),
                       absl::StrCat("gRPC needs up to ", count, " threads, and there is room for ",
                                    threads.size(), ": ", thread.status().message()));
  }
  all_started.Notify();
  for (std::thread& thread : threads) thread.join();
  return status;
}

void ConfigureGrpc() {
  setenv("GRPC_CLIENT_CHANNEL_BACKUP_POLL_INTERVAL_MS", "200", /*overwrite=*/0);
  if (std::getenv("GRPC_VERBOSITY") == nullptr) {
    gpr_set_log_function(&ToOurLog);
    gpr_set_log_verbosity(GPR_LOG_SEVERITY_ERROR);  // Its default depends on how it was built.
  }
  KeepFreedMemory();
}

}  // namespace

int GrpcThreads() {
  return 10 + std::clamp(static_cast<int>(std::thread::hardware_concurrency()), 2, 32);
}

absl::Status SetUpGrpc() {
  static absl::Mutex mutex(absl::kConstInit);
  static bool set_up = false;
  absl::MutexLock lock(&mutex);
  if (set_up) return absl::OkStatus();
  CADRE_RETURN_IF_ERROR(TryThreads(GrpcThreads()));
  ConfigureGrpc();
  set_up = true;
  return absl::OkStatus();
}

}  // namespace cadre
