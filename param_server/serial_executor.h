// Runs tasks one after the other on a thread of its own: what would keep one of gRPC's
// threads too long. Each call or stream has at most one task in it, so it is as long as
// they are many. Thread-safe.
#pragma once

#include <string>
#include <utility>

#include "common/process/thread_pool.h"

namespace cadre {

class SerialExecutor : public ThreadPool {
 public:
  explicit SerialExecutor(std::string thread_name) : ThreadPool(std::move(thread_name), 1) {}
};

}  // namespace cadre
