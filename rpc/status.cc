#include "rpc/status.h"

#include <string>

#include "absl/strings/cord.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"

namespace cadre {
namespace {

// As google.rpc.RetryInfo is carried: in a google.rpc.Status in the details of the status
// (https://cloud.google.com/apis/design/errors). We have no code for these messages.
constexpr absl::string_view kRetryInfo = "type.googleapis.com/google.rpc.RetryInfo";
constexpr absl::string_view kRetryInfoValue("\x0a\x02\x08\x01", 4);  // retry_delay: 1 s

// One field of a message: a string or a message within it.
std::string Field(int number, absl::string_view content) {
  std::string field(1, static_cast<char>(number << 3 | 2));
  size_t length = content.size();
  for (; length >= 0x80; length >>= 7) field += static_cast<char>(length | 0x80);
  field += static_cast<char>(length);
  return absl::StrCat(field, content);
}

}  // namespace

grpc::Status RefusedForNow(const absl::Status& why) {
  const std::string code = {8, static_cast<char>(why.raw_code())};  // Field 1, a varint.
  const std::string retry = absl::StrCat(Field(1, kRetryInfo), Field(2, kRetryInfoValue));
  return grpc::Status(static_cast<grpc::StatusCode>(why.raw_code()), std::string(why.message()),
                      absl::StrCat(code, Field(2, why.message()), Field(3, retry)));
}

grpc::Status ToGrpcStatus(const absl::Status& status) {
  if (status.ok()) return grpc::Status::OK;
  return grpc::Status(static_cast<grpc::StatusCode>(status.raw_code()),
                      std::string(status.message()));
}

absl::Status PassingError(absl::Status error) {
  error.SetPayload(kRetryInfo, absl::Cord(kRetryInfoValue));
  return error;
}

absl::Status FromGrpcStatus(const grpc::Status& status, absl::string_view peer) {
  if (status.ok()) return absl::OkStatus();
  absl::Status converted(static_cast<absl::StatusCode>(status.error_code()),
                         absl::StrCat(peer, ": ", status.error_message()));
  if (absl::StrContains(status.error_details(), kRetryInfo))
    converted.SetPayload(kRetryInfo, absl::Cord(kRetryInfoValue));
  return converted;
}

bool IsTransient(const absl::Status& status) {
  if (status.GetPayload(kRetryInfo).has_value()) return true;
  switch (status.code()) {
    case absl::StatusCode::kUnavailable:
    case absl::StatusCode::kDeadlineExceeded:
    case absl::StatusCode::kCancelled:
    case absl::StatusCode::kAborted:
    case absl::StatusCode::kInternal:
    case absl::StatusCode::kUnknown:
      return true;
    default:
      return false;
  }
}

}  // namespace cadre
