#include "cli/interval_times.h"

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <ctime>
#include <numeric>
#include <utility>

namespace cadre {
namespace {

double Seconds(clockid_t clock) {
  timespec time{};
  clock_gettime(clock, &time);
  return static_cast<double>(time.tv_sec) + 1e-9 * static_cast<double>(time.tv_nsec);
}

// Seconds that this thread was ready to run and had no core; 0 where the kernel does not say.
double KeptOffSeconds() {
  unsigned long long ran = 0, waited = 0;
  std::FILE* const file = std::fopen("/proc/thread-self/schedstat", "r");
  if (file == nullptr) return 0;
  const int fields = std::fscanf(file, "%llu %llu", &ran, &waited);
  std::fclose(file);
  return fields == 2 ? 1e-9 * static_cast<double>(waited) : 0;
}

}  // namespace

double ThreadSeconds() { return Seconds(CLOCK_THREAD_CPUTIME_ID); }
double OwnProcessSeconds() { return Seconds(CLOCK_PROCESS_CPUTIME_ID); }

IntervalTimes::Moment IntervalTimes::Now() {
  return {.wall = Seconds(CLOCK_MONOTONIC), .cpu = ThreadSeconds(), .kept_off = KeptOffSeconds()};
}

void IntervalTimes::Mark() {
  const Moment now = Now();
  if (begun_) {
    const double wall = now.wall - last_.wall, cpu = now.cpu - last_.cpu;
    waits_.push_back(std::max(0.0, wall - cpu));
    elapsed_ += wall;
    working_ += cpu;
    kept_off_ += now.kept_off - last_.kept_off;
  }
  begun_ = true;
  // What marking costs belongs to no interval.
  last_ = Now();
}

double IntervalTimes::waiting() const {
  const double middle = MiddleMean(waits_) * static_cast<double>(waits_.size());
  return std::clamp(elapsed_ - working_ - kept_off_, 0.0, middle);
}

double MiddleMean(std::vector<double> values) {
  if (values.empty()) return 0;
  std::sort(values.begin(), values.end());
  const size_t cut = values.size() / 4;
  const double sum = std::accumulate(values.begin() + static_cast<std::ptrdiff_t>(cut),
                                     values.end() - static_cast<std::ptrdiff_t>(cut), 0.0);
  return sum / static_cast<double>(values.size() - 2 * cut);
}

}  // namespace cadre
