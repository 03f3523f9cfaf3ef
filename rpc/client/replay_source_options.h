// How a learner samples tables of other processes, and the checks that all sources make.
#pragma once

#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "absl/types/span.h"
#include "common/ports.h"
#include "proto/experience.pb.h"
#include "rpc/channel.h"
#include "rpc/client/outage.h"

namespace cadre {

struct ReplaySourceOptions {
  std::string address;  // Of the replay server, host:port.
  std::string run_id;
  std::string table = "replay";
  v1::ExperienceSpec spec;  // Of what actors append.
  std::string name;         // Who this is, for the server's log: "learner".
  // Batches asked for ahead of their use, 1 to 64; asked for anew once half are used up.
  int prefetch = 4;
  // Of several servers: one that keeps samplers waiting and has got nothing from any actor
  // for so long is left out until it does.
  absl::Duration unfed_after = absl::Seconds(2);
  OutageOptions outage;
  ChannelOptions channel;
};

// All INVALID_ARGUMENT. The address and the channel are checked where they are used.
absl::Status ValidateReplaySourceOptions(const ReplaySourceOptions& options);
absl::Status ValidateSampleOptions(const SampleOptions& options);
// As many of either; finite and >= 0.
absl::Status ValidatePriorities(absl::Span<const uint64_t> keys,
                                absl::Span<const float> priorities);

}  // namespace cadre
