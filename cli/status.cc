#include <cstdio>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/strip.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "cli/commands.h"
#include "cli/server_text.h"
#include "common/process/monotonic_time.h"
#include "common/status_macros.h"
#include "rpc/server/server_info.h"

namespace cadre {
namespace {

constexpr absl::Duration kRateInterval = absl::Milliseconds(500);

// A table is asked a second time, to see how fast it moves.
absl::StatusOr<std::string> AskForRates(const std::string& address, const v1::InfoResponse& first) {
  if (first.tables().empty()) {
    const absl::StatusOr<v1::ReplayWork> work = FetchReplayWork(address);
    return absl::StrCat(ReplayServerText(address, first), work.ok() ? QueueDelays(*work) : "");
  }
  const MonotonicTime asked = MonotonicTime::Now();
  absl::SleepFor(kRateInterval);
  CADRE_ASSIGN_OR_RETURN(const v1::InfoResponse second, FetchReplayInfo(address));
  const EarlierInfo earlier{first, MonotonicTime::Now() - asked};
  return ReplayServerText(address, second, &earlier);
}

// Which of the two servers it is only its answer tells.
absl::StatusOr<std::string> Ask(const std::string& address) {
  const absl::StatusOr<v1::InfoResponse> replay = FetchReplayInfo(address);
  if (replay.ok()) return AskForRates(address, *replay);
  if (!absl::IsUnimplemented(replay.status()))
    return absl::Status(replay.status().code(),
                        absl::StripPrefix(replay.status().message(), "replay "));
  const absl::StatusOr<v1::ParameterInfoResponse> parameters = FetchParameterInfo(address);
  if (parameters.ok()) {
    const absl::StatusOr<v1::WorkInfoResponse> work = FetchWorkInfo(address);
    return absl::StrCat(ParameterServerText(address, *parameters),
                        work.ok() ? WorkText(*work) : "");
  }
  if (!absl::IsUnimplemented(parameters.status())) return parameters.status();
  return absl::FailedPreconditionError(
      absl::StrCat("server at ", address, " is neither a replay nor a parameter server"));
}

}  // namespace

absl::Status ShowStatus(const std::vector<std::string>& addresses) {
  absl::StatusCode code = absl::StatusCode::kOk;
  std::vector<std::string> errors;
  for (const std::string& address : addresses) {
    const absl::StatusOr<std::string> text = Ask(address);
    if (text.ok()) {
      std::fputs(text->c_str(), stdout);
    } else {
      code = text.status().code();
      errors.emplace_back(text.status().message());
    }
  }
  return absl::Status(code, absl::StrJoin(errors, "\n"));
}

}  // namespace cadre
