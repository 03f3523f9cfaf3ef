#include "common/process/thread_pool.h"

#include <utility>

#include "common/check.h"
#include "common/process/start_thread.h"

namespace cadre {

ThreadPool::ThreadPool(const std::string& thread_name, int threads) {
  CADRE_CHECK(threads >= 1);
  threads_.reserve(static_cast<size_t>(threads));
  threads_.push_back(StartThreadOrExit(thread_name, [this] { Work(); }));
  while (threads_.size() < static_cast<size_t>(threads)) {
    absl::StatusOr<std::thread> thread = StartThread(thread_name, [this] { Work(); });
    if (!thread.ok()) return;
    threads_.push_back(*std::move(thread));
  }
}

ThreadPool::~ThreadPool() {
  {
    absl::MutexLock lock(&mutex_);
    ending_ = true;
  }
  for (std::thread& thread : threads_) thread.join();
}

void ThreadPool::Run(Task task) {
  absl::MutexLock lock(&mutex_);
  tasks_.push_back(std::move(task));
}

void ThreadPool::Work() {
  while (true) {
    Task task;
    {
      absl::MutexLock lock(&mutex_);
      mutex_.Await(absl::Condition(this, &ThreadPool::HasWork));
      if (tasks_.empty()) return;
      task = std::move(tasks_.front());
      tasks_.pop_front();
    }
    std::move(task)();
  }
}

}  // namespace cadre
