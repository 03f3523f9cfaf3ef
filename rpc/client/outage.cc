#include "rpc/client/outage.h"

#include <algorithm>
#include <string>

#include "absl/strings/str_cat.h"
#include "rpc/status.h"
#include "spdlog/spdlog.h"

namespace cadre {

void Outage::Over() {
  if (began_ != MonotonicTime::InfiniteFuture()) spdlog::info("connected again");
  backoff_.Reset();
  limit_ = options_.reconnect_timeout;
  began_ = MonotonicTime::InfiniteFuture();
}

absl::Status Outage::Pause(CallGroup& calls, const absl::Status& error) {
  if (calls.closed()) return absl::CancelledError("the client was closed");
  if (!IsTransient(error)) return error;
  const MonotonicTime now = MonotonicTime::Now();
  if (began_ == MonotonicTime::InfiniteFuture()) {
    began_ = now;
    spdlog::warn("{}; trying again for {}", std::string(error.message()),
                 absl::FormatDuration(limit_));
  }
  const absl::Duration left = began_ + limit_ - now;
  if (left <= absl::ZeroDuration())
    return absl::UnavailableError(
        absl::StrCat(error.message(), "; gave up after ", absl::FormatDuration(limit_)));
  const absl::Duration pause = backoff_.Next(absl::Uniform(random_, 0.0, 1.0));
  if (!calls.Sleep(std::min(pause, left))) return absl::CancelledError("the client was closed");
  return absl::OkStatus();
}

}  // namespace cadre
