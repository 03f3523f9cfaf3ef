#include "common/process/descriptors.h"

#include <fcntl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <climits>

#include "absl/strings/str_cat.h"

namespace cadre {
namespace {

constexpr int kSmallestReserve = 8;
constexpr int kLargestReserve = 64;

}  // namespace

void RaiseDescriptorLimit() {
  rlimit limit = {};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur == limit.rlim_max) return;
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);  // If it fails, the soft limit stands as it did.
}

DescriptorLimits CurrentDescriptorLimits() {
  rlimit limit = {};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) limit.rlim_cur = RLIM_INFINITY;
  const auto soft = static_cast<int>(std::min<rlim_t>(limit.rlim_cur, INT_MAX));
  return {.limit = soft, .reserve = std::clamp(soft / 4, kSmallestReserve, kLargestReserve)};
}

absl::Status CheckDescriptors() {
  const DescriptorLimits limits = CurrentDescriptorLimits();
  // Duplicates whatever is there. Standard error always is, or else so is its number.
  const int next = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 0);
  if (next >= 0) close(next);
  const bool exhausted = next < 0 && errno == EMFILE;
  if (!exhausted && next < limits.first_reserved()) return absl::OkStatus();
  return absl::ResourceExhaustedError(
      absl::StrCat("out of file descriptors: the limit is ", limits.limit, ", of which ",
                   limits.reserve, " are kept for files and metrics; raise it (ulimit -n)"));
}

}  // namespace cadre
