// Asks the replay servers of a run how long they, and those who come to them, wait.
// One thread.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "proto/work.grpc.pb.h"
#include "rpc/client/call_group.h"

namespace cadre {

class ReplayWatch {
 public:
  // INVALID_ARGUMENT for what is no address.
  static absl::StatusOr<std::unique_ptr<ReplayWatch>> Create(
      absl::Span<const std::string> addresses);

  // Adds what each server answers, and how many there are. Those that do not answer at once
  // are left out.
  void AddTo(v1::WorkReport& report, CallGroup& calls);

 private:
  struct Server {
    std::string address;
    std::unique_ptr<v1::ReplayWorkService::Stub> stub;
  };
  std::vector<Server> servers_;
};

}  // namespace cadre
