#include <cstdio>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/strip.h"
#include "cli/commands.h"
#include "cli/server_text.h"
#include "common/status_macros.h"
#include "rpc/server_info.h"

namespace cadre {
namespace {

// Which of the two servers it is only its answer tells.
absl::StatusOr<std::string> Ask(const std::string& address) {
  const absl::StatusOr<v1::InfoResponse> replay = FetchReplayInfo(address);
  if (replay.ok()) return ReplayServerText(address, *replay);
  if (!absl::IsUnimplemented(replay.status()))
    return absl::Status(replay.status().code(),
                        absl::StripPrefix(replay.status().message(), "replay "));
  const absl::StatusOr<v1::ParameterInfoResponse> parameters = FetchParameterInfo(address);
  if (parameters.ok()) return ParameterServerText(address, *parameters);
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
