// Stands for a full disk: while it lives, no file of this process can grow larger.
#pragma once

#include <sys/resource.h>

#include <csignal>

#include "common/check.h"

namespace cadre {

class FileSizeLimit {
 public:
  explicit FileSizeLimit(rlim_t bytes) : former_handler_(std::signal(SIGXFSZ, SIG_IGN)) {
    CADRE_CHECK(getrlimit(RLIMIT_FSIZE, &former_) == 0);
    const rlimit limit = {bytes, former_.rlim_max};
    CADRE_CHECK(setrlimit(RLIMIT_FSIZE, &limit) == 0);
  }
  ~FileSizeLimit() {
    CADRE_CHECK(setrlimit(RLIMIT_FSIZE, &former_) == 0);
    std::signal(SIGXFSZ, former_handler_);
  }
  FileSizeLimit(const FileSizeLimit&) = delete;
  FileSizeLimit& operator=(const FileSizeLimit&) = delete;

 private:
  void (*const former_handler_)(int);
  rlimit former_;
};

}  // namespace cadre
