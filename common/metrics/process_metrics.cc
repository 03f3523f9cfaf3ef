#include "common/metrics/process_metrics.h"

#include <sys/statvfs.h>
#include <unistd.h>

#include <cstdint>
#include <ctime>
#include <filesystem>
#include <fstream>
#include <optional>
#include <system_error>
#include <utility>

#include "absl/strings/str_cat.h"
#include "prometheus/client_metric.h"
#include "prometheus/metric_type.h"

namespace cadre {
namespace {

double UnixSeconds(absl::Time time) { return absl::ToDoubleSeconds(time - absl::UnixEpoch()); }

double CpuSeconds() {
  timespec used = {};
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used);
  return static_cast<double>(used.tv_sec) + 1e-9 * static_cast<double>(used.tv_nsec);
}

// 0 where /proc cannot be read.
double ResidentBytes() {
  std::ifstream file("/proc/self/statm");
  int64_t size = 0, resident = 0;
  file >> size >> resident;
  return static_cast<double>(resident) * static_cast<double>(sysconf(_SC_PAGESIZE));
}

struct Disk {
  double free_bytes = 0;  // For others than root.
  double size_bytes = 0;
};

// The file system of `folder`, or of the nearest folder above it that is there.
std::optional<Disk> DiskOf(const std::string& folder) {
  std::error_code error;
  std::filesystem::path path = std::filesystem::absolute(folder, error);
  struct statvfs disk = {};
  while (!path.empty() && statvfs(path.c_str(), &disk) != 0) {
    if (path == path.parent_path()) return std::nullopt;
    path = path.parent_path();
  }
  if (path.empty()) return std::nullopt;
  const auto bytes = [&disk](fsblkcnt_t blocks) {
    return static_cast<double>(blocks) * static_cast<double>(disk.f_frsize);
  };
  return Disk{.free_bytes = bytes(disk.f_bavail), .size_bytes = bytes(disk.f_blocks)};
}

}  // namespace

ProcessMetrics::ProcessMetrics(std::string process, absl::Time start)
    : prefix_(absl::StrCat("cadre_", process, "_")), start_(start), last_checkpoint_(start) {}

void ProcessMetrics::SavesTo(std::string folder, absl::Duration period) {
  absl::MutexLock lock(&mutex_);
  folder_ = std::move(folder);
  period_ = period;
}

void ProcessMetrics::CheckpointSaved(absl::Time when) {
  absl::MutexLock lock(&mutex_);
  last_checkpoint_ = when;
}

std::vector<prometheus::MetricFamily> ProcessMetrics::Collect() const {
  std::vector<prometheus::MetricFamily> families;
  const auto add = [&](const char* name, const char* help, prometheus::MetricType type,
                       double value) {
    prometheus::ClientMetric metric;
    (type == prometheus::MetricType::Counter ? metric.counter.value : metric.gauge.value) = value;
    families.push_back({absl::StrCat(prefix_, name), help, type, {std::move(metric)}});
  };
  constexpr auto kGauge = prometheus::MetricType::Gauge;
  add("start_time_seconds", "Unix time at which the process started", kGauge, UnixSeconds(start_));
  add("cpu_seconds_total", "Processor time of all its threads", prometheus::MetricType::Counter,
      CpuSeconds());
  add("resident_memory_bytes", "Memory that it holds", kGauge, ResidentBytes());

  absl::MutexLock lock(&mutex_);
  if (folder_.empty()) return families;
  add("last_checkpoint_time_seconds",
      "Unix time of its last checkpoint; before the first, that of its start", kGauge,
      UnixSeconds(last_checkpoint_));
  if (period_ != absl::InfiniteDuration())
    add("checkpoint_period_seconds", "From one checkpoint to the next, as configured", kGauge,
        absl::ToDoubleSeconds(period_));
  if (const std::optional<Disk> disk = DiskOf(folder_)) {
    add("disk_free_bytes", "Free on the disk that has its checkpoints", kGauge, disk->free_bytes);
    add("disk_size_bytes", "Size of the disk that has its checkpoints", kGauge, disk->size_bytes);
  }
  return families;
}

}  // namespace cadre
