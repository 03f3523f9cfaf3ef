#include "rpc/wire/freed_memory.h"

#include <malloc.h>

#include <algorithm>
#include <thread>

namespace cadre {
namespace {

constexpr int kLargestReused = 32 << 20;  // As large as glibc allows.
constexpr int kKept = 256 << 20;          // At the end of each arena.

}  // namespace

void KeepFreedMemory() {
#ifdef __GLIBC__
  mallopt(M_MMAP_THRESHOLD, kLargestReused);
  mallopt(M_TRIM_THRESHOLD, kKept);
  mallopt(M_TOP_PAD, kLargestReused);
  // Each arena keeps its own peak; eight for each core would be beyond what a table promises.
  mallopt(M_ARENA_MAX, static_cast<int>(std::max(2u, std::thread::hardware_concurrency())));
#endif
}

}  // namespace cadre
