// The limit of threads, as a test wants it: while a NoThreads lives, threads of a given name
// cannot start others, or only so many. Defines pthread_create for the whole test, libraries
// included, so one source file of a test includes this.
#pragma once

#include <dlfcn.h>
#include <errno.h>
#include <pthread.h>

#include <atomic>
#include <cstring>
#include <string>

namespace cadre {

class NoThreads {
 public:
  // Of all threads.
  NoThreads() : NoThreads("") {}
  // Of those named so, which may start `allowed` more.
  explicit NoThreads(const std::string& starters, int allowed = 0) {
    left_ = allowed;
    std::strncpy(starters_, starters.c_str(), sizeof(starters_) - 1);
    refused_ = 0;
    active_ = true;
  }
  ~NoThreads() { active_ = false; }
  NoThreads(const NoThreads&) = delete;
  NoThreads& operator=(const NoThreads&) = delete;

  // So many threads were not started.
  int refused() const { return refused_; }

  static bool Refuses() {
    if (!active_) return false;
    char name[16] = {};
    pthread_getname_np(pthread_self(), name, sizeof(name));
    if (starters_[0] != '\0' && std::strcmp(name, starters_) != 0) return false;
    if (left_-- > 0) return false;
    ++refused_;
    return true;
  }

 private:
  static inline std::atomic<bool> active_{false};
  static inline std::atomic<int> left_{0};
  static inline std::atomic<int> refused_{0};
  static inline char starters_[16] = {};  // Constant while active.
};

}  // namespace cadre

extern "C" int pthread_create(pthread_t* thread, const pthread_attr_t* attributes,
                              void* (*run)(void*), void* argument) noexcept {
  using Function = int (*)(pthread_t*, const pthread_attr_t*, void* (*)(void*), void*);
  static const auto libc = reinterpret_cast<Function>(dlsym(RTLD_NEXT, "pthread_create"));
  return cadre::NoThreads::Refuses() ? EAGAIN : libc(thread, attributes, run, argument);
}
