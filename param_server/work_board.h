// What the workers of a run said of their work in the last seconds, and what follows from
// it: shares of each, and the bottleneck. It knows no gRPC and no clock. Thread-safe.
//
// Workers count since they began, so a window is the difference of two of their reports,
// by their own clocks.
#pragma once

#include <cstdint>
#include <deque>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/container/btree_map.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "common/metrics/bottleneck.h"
#include "common/process/monotonic_time.h"
#include "proto/work.pb.h"

namespace cadre {

class WorkBoard {
 public:
  // What lies further back does not count.
  static constexpr absl::Duration kWindow = absl::Seconds(10);
  // Whoever has not reported for so long is gone.
  static constexpr absl::Duration kExpiry = absl::Seconds(20);
  // Shares of less time than this say little.
  static constexpr absl::Duration kShortestWindow = absl::Seconds(1);

  void Report(v1::WorkReport report, MonotonicTime now);

  // Over the window that ends with each worker's newest report.
  RunShares Shares(v1::RunState state, MonotonicTime now) const;

  // By role and name.
  std::vector<v1::WorkerInfo> Workers(MonotonicTime now) const;

 private:
  struct Reading {
    MonotonicTime at;
    double seconds = 0;  // Of the worker, all its stages.
    v1::WorkReport report;
  };
  struct Worker {
    std::deque<Reading> readings;  // Oldest first; never empty.
  };

  // Null where the worker is gone, or has not reported for long enough.
  static const Reading* Begin(const Worker& worker, MonotonicTime now);
  void Forget(MonotonicTime now) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  static void AddReplay(const Worker& worker, RunShares::Replay* replay);

  mutable absl::Mutex mutex_;
  absl::btree_map<uint64_t, Worker> workers_ ABSL_GUARDED_BY(mutex_);  // By worker id.
};

}  // namespace cadre
