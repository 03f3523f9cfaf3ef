// Wall time and CPU time of one thread, in intervals: how long it works, and how long it
// waits for others. On a machine that other work shares it tells waiting from being kept
// off the cores, as well as that can be told. One thread.
#pragma once

#include <cstdint>
#include <vector>

namespace cadre {

// CPU seconds of the calling thread, and of this process.
double ThreadSeconds();
double OwnProcessSeconds();

class IntervalTimes {
 public:
  // An interval ends, and the next one begins.
  void Mark();

  int64_t intervals() const { return static_cast<int64_t>(waits_.size()); }
  // Since the first mark: CPU seconds, and those waited for others. The wait of an interval
  // is taken as the mean of the middle half of all.
  double working() const { return working_; }
  double waiting() const;
  // Wall seconds.
  double elapsed() const { return elapsed_; }

 private:
  struct Moment {
    double wall = 0, cpu = 0, kept_off = 0;
  };
  static Moment Now();

  bool begun_ = false;
  Moment last_;
  double elapsed_ = 0, working_ = 0, kept_off_ = 0;
  std::vector<double> waits_;  // Of each interval: wall time less CPU time.
};

// Mean of the middle half: neither of those that other work disturbed nor of lucky ones.
// 0 where there are none.
double MiddleMean(std::vector<double> values);

}  // namespace cadre
