// Asks a parameter server every few seconds what holds its run back, while it lives.
#pragma once

#include <functional>
#include <string>
#include <thread>
#include <utility>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "common/metrics/bottleneck.h"
#include "common/process/start_thread.h"
#include "rpc/client/call_group.h"
#include "rpc/server/server_info.h"
#include "spdlog/spdlog.h"

namespace cadre {

class VerdictWatch {
 public:
  // `on_verdict` is called on a thread of this object's; with an empty text if nothing does.
  VerdictWatch(std::string address, std::function<void(const std::string&)> on_verdict)
      : address_(std::move(address)), on_verdict_(std::move(on_verdict)) {
    absl::StatusOr<std::thread> thread = StartThread("verdict", [this] {
      while (calls_.Sleep(kInterval)) Ask();
    });
    if (thread.ok())
      thread_ = *std::move(thread);
    else
      spdlog::warn("{}; what holds the run back is not shown",
                   std::string(thread.status().message()));
  }
  ~VerdictWatch() {
    calls_.Close();
    if (thread_.joinable()) thread_.join();
  }

 private:
  static constexpr absl::Duration kInterval = absl::Seconds(5);

  void Ask() {
    const absl::StatusOr<v1::WorkInfoResponse> work = FetchWorkInfo(address_, &calls_);
    if (!work.ok()) return;
    const bool bound = work->bottleneck().verdict() != VerdictName(Verdict::kNone);
    on_verdict_(bound ? work->bottleneck().text() : "");
  }

  const std::string address_;
  const std::function<void(const std::string&)> on_verdict_;
  CallGroup calls_;
  std::thread thread_;
};

}  // namespace cadre
