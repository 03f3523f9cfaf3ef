// Learners as threads, for tests: each runs the same code with its own member of a group.
#pragma once

#include <functional>
#include <memory>
#include <thread>
#include <vector>

#include "learner/algorithms/optimization/collective.h"
#include "learner/parallel/local_collective.h"

namespace cadre {

// Runs `learner` once for each rank, at the same time, and waits for all. A member is gone
// when its learner returns.
inline void RunLearners(int size, const std::function<std::unique_ptr<Collective>(int)>& join,
                        const std::function<void(Collective&)>& learner) {
  std::vector<std::thread> threads;
  for (int rank = 0; rank < size; ++rank)
    threads.emplace_back([&, rank] {
      if (const std::unique_ptr<Collective> member = join(rank)) learner(*member);
    });
  for (std::thread& thread : threads) thread.join();
}

inline void RunLearners(int size, const std::function<void(Collective&)>& learner) {
  LocalGroup group(size);
  RunLearners(
      size, [&](int rank) { return group.Join(rank); }, learner);
}

}  // namespace cadre
