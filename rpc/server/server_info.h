// What the servers say of themselves: one Info call each, for status displays and
// the account at the end of a run.
#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "proto/experience.pb.h"
#include "proto/parameters.pb.h"
#include "proto/work.pb.h"
#include "rpc/client/call_group.h"

namespace cadre {

// Somebody waits for the answer: no long patience.
inline constexpr absl::Duration kInfoPatience = absl::Seconds(3);

// `address` is host:port. UNAVAILABLE, with the address, where nobody answers within `patience`.
// CANCELLED as soon as `calls`, where given, is closed.
absl::StatusOr<v1::InfoResponse> FetchReplayInfo(const std::string& address,
                                                 absl::Duration patience = kInfoPatience,
                                                 CallGroup* calls = nullptr);
absl::StatusOr<v1::ParameterInfoResponse> FetchParameterInfo(
    const std::string& address, absl::Duration patience = kInfoPatience,
    CallGroup* calls = nullptr);
// Of a parameter server: what its workers do. UNIMPLEMENTED: it is of an older version.
absl::StatusOr<v1::WorkInfoResponse> FetchWorkInfo(const std::string& address,
                                                   CallGroup* calls = nullptr);
// Of a replay server. UNIMPLEMENTED likewise.
absl::StatusOr<v1::ReplayWork> FetchReplayWork(const std::string& address);

}  // namespace cadre
