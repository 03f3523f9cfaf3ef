#include "common/thread_pool.h"

#include <pthread.h>

#include <system_error>
#include <utility>

#include "common/check.h"

namespace cadre {

ThreadPool::ThreadPool(std::string thread_name, int threads)
    : thread_name_(std::move(thread_name)) {
  CADRE_CHECK(threads >= 1);
  threads_.reserve(static_cast<size_t>(threads));
  try {
    for (int i = 0; i < threads; ++i) threads_.emplace_back([this] { Work(); });
  } catch (const std::system_error&) {
    if (threads_.empty()) throw;
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
  pthread_setname_np(pthread_self(), thread_name_.c_str());
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
