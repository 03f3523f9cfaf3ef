#include "learner/run_folder/divergence.h"

#include <cstdint>
#include <optional>
#include <string>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "learner/run_folder/checkpoint.h"
#include "learner/run_folder/run_folder.h"
#include "policy/acting/acted.h"

namespace cadre {
namespace {

constexpr char kWay[] = ": the newest of these is resumed by: ";
constexpr char kNoWay[] = ", of which there is none here: begin anew";

}  // namespace

absl::Status WithWayBack(const absl::Status& status, absl::string_view run_folder) {
  const std::optional<int64_t> env_steps = DivergedAt(status.message());
  if (!absl::IsDataLoss(status) || !env_steps || absl::StrContains(status.message(), kWay) ||
      absl::StrContains(status.message(), kNoWay))
    return status;
  const std::string before = NewestBefore(run_folder, *env_steps);
  return absl::Status(
      status.code(),
      absl::StrCat(status.message(), before.empty()
                                         ? kNoWay
                                         : absl::StrCat(kWay, ResumeCommand(run_folder, before))));
}

}  // namespace cadre
