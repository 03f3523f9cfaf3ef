// Buffers of versions that nobody reads any more, for the next ones: a model that moves
// with every gradient would allocate and free megabytes for each. Thread-safe.
#pragma once

#include <memory>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "proto/parameters.pb.h"

namespace cadre {

class VersionPool : public std::enable_shared_from_this<VersionPool> {
 public:
  // Its contents are those of an earlier version, or none. It comes back by itself when
  // its last reader lets it go.
  std::shared_ptr<v1::Parameters> Take() {
    std::unique_ptr<v1::Parameters> version;
    {
      absl::MutexLock lock(&mutex_);
      if (!spare_.empty()) {
        version = std::move(spare_.back());
        spare_.pop_back();
      }
    }
    if (version == nullptr) version = std::make_unique<v1::Parameters>();
    return {version.release(), [pool = shared_from_this()](v1::Parameters* unused) {
              pool->Return(std::unique_ptr<v1::Parameters>(unused));
            }};
  }

 private:
  static constexpr size_t kMostSpare = 4;

  void Return(std::unique_ptr<v1::Parameters> version) {
    absl::MutexLock lock(&mutex_);
    if (spare_.size() < kMostSpare) spare_.push_back(std::move(version));
  }  // Or it is freed, after the lock: arguments outlive locals.

  absl::Mutex mutex_;
  std::vector<std::unique_ptr<v1::Parameters>> spare_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace cadre
