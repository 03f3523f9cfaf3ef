// How many threads this process has.
#pragma once

#include <fstream>
#include <string>

namespace cadre {

// 0 if /proc cannot be read.
inline int ProcessThreads() {
  std::ifstream status("/proc/self/status");
  std::string word;
  int threads = 0;
  while (status >> word)
    if (word == "Threads:") status >> threads;
  return threads;
}

}  // namespace cadre
