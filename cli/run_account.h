// What the servers of a run say at its end of its rollouts and gradients. One thread.
#pragma once

#include <functional>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "proto/config.pb.h"
#include "rpc/client/call_group.h"

namespace cadre {

class RunAccount {
 public:
  struct Servers {
    std::string replay_address, parameter_address;
    absl::Duration patience;  // For each answer, as a server may just have been started again.
    // The same once a stop is requested, before or while it is waited for.
    absl::Duration stop_patience;
    CallGroup* calls = nullptr;      // A stop closes it.
    std::function<bool()> stopping;  // Whether one is requested.
  };

  RunAccount(const ExperimentConfig& config, std::string run_folder, Servers servers)
      : config_(config), run_folder_(std::move(run_folder)), servers_(std::move(servers)) {}

  // Writes queue.json or table.json, and gradients.json where learners pushed gradients. Returns
  // the same in a few lines for people (replay_account.h).
  absl::StatusOr<std::string> Write() const;

 private:
  absl::StatusOr<std::string> WriteGradients() const;
  // What a server answers to FetchReplayInfo or FetchParameterInfo.
  template <typename Info>
  absl::StatusOr<Info> Ask(absl::StatusOr<Info> (*fetch)(const std::string& address,
                                                         absl::Duration patience, CallGroup* calls),
                           const std::string& address) const;

  const ExperimentConfig& config_;
  const std::string run_folder_;
  const Servers servers_;
};

}  // namespace cadre
