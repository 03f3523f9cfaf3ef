#include "common/process/exit_code.h"

#include <cstdio>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"

namespace cadre {

int ExitCode(const absl::Status& status) {
  switch (status.code()) {
    case absl::StatusCode::kOk:
      return 0;
    case absl::StatusCode::kInvalidArgument:
    case absl::StatusCode::kNotFound:
    case absl::StatusCode::kAlreadyExists:
      return 2;
    case absl::StatusCode::kUnavailable:
    case absl::StatusCode::kDeadlineExceeded:
      return 3;
    case absl::StatusCode::kFailedPrecondition:
      return 4;
    case absl::StatusCode::kDataLoss:
      return 5;
    case absl::StatusCode::kPermissionDenied:
    case absl::StatusCode::kResourceExhausted:
      return 6;
    case absl::StatusCode::kAborted:
      return 7;
    case absl::StatusCode::kCancelled:
      return 130;
    default:
      return 1;
  }
}

int ReportAndExitCode(const absl::Status& status, absl::string_view program) {
  if (status.ok()) return 0;
  // One write, so that lines of several processes on one terminal do not mix.
  std::string text;
  for (absl::string_view line : absl::StrSplit(status.message(), '\n', absl::SkipEmpty()))
    absl::StrAppend(&text, program, ": error: ", line, "\n");
  if (text.empty())
    text = absl::StrCat(program, ": error: ", absl::StatusCodeToString(status.code()), "\n");
  std::fwrite(text.data(), 1, text.size(), stderr);
  std::fflush(stderr);
  return ExitCode(status);
}

}  // namespace cadre
