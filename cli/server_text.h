// What a server says of itself, for people: a few lines about what it does and what
// it waits for. Pure.
#pragma once

#include <string>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "proto/experience.pb.h"
#include "proto/parameters.pb.h"
#include "proto/work.pb.h"

namespace cadre {

// What a replay server said some time before, so that its rates can be told.
struct EarlierInfo {
  v1::InfoResponse info;
  absl::Duration ago;
};

// Each line ends with '\n'. `address` is where it was asked.
std::string ReplayServerText(absl::string_view address, const v1::InfoResponse& info,
                             const EarlierInfo* earlier = nullptr);
std::string ParameterServerText(absl::string_view address, const v1::ParameterInfoResponse& info);

// Of a server with queues: how long actors and learners waited so far.
std::string QueueDelays(const v1::ReplayWork& work);

// What each worker spends its time on, and what holds the run back.
std::string WorkText(const v1::WorkInfoResponse& work);

}  // namespace cadre
