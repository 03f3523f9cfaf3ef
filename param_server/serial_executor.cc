#include "param_server/serial_executor.h"

#include <pthread.h>

#include <utility>

namespace cadre {

SerialExecutor::SerialExecutor(std::string thread_name)
    : thread_([this, name = std::move(thread_name)] { Work(name); }) {}

SerialExecutor::~SerialExecutor() {
  {
    absl::MutexLock lock(&mutex_);
    ending_ = true;
  }
  thread_.join();
}

void SerialExecutor::Run(Task task) {
  absl::MutexLock lock(&mutex_);
  tasks_.push_back(std::move(task));
}

void SerialExecutor::Work(const std::string& name) {
  pthread_setname_np(pthread_self(), name.c_str());
  while (true) {
    Task task;
    {
      absl::MutexLock lock(&mutex_);
      mutex_.Await(absl::Condition(this, &SerialExecutor::HasWork));
      if (tasks_.empty()) return;
      task = std::move(tasks_.front());
      tasks_.pop_front();
    }
    std::move(task)();
  }
}

}  // namespace cadre
