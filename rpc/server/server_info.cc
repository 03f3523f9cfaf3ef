#include "rpc/server/server_info.h"

#include "absl/strings/str_cat.h"
#include "common/status_macros.h"
#include "proto/experience.grpc.pb.h"
#include "proto/parameters.grpc.pb.h"
#include "proto/work.grpc.pb.h"
#include "rpc/channel.h"
#include "rpc/client/call_group.h"
#include "rpc/retry.h"

namespace cadre {
namespace {

RetryPolicy Within(absl::Duration patience) {
  RetryPolicy policy;
  policy.backoff.maximum = absl::Milliseconds(200);
  policy.attempt_timeout = absl::Seconds(2);
  policy.give_up_after = patience;
  return policy;
}

}  // namespace

absl::StatusOr<v1::InfoResponse> FetchReplayInfo(const std::string& address,
                                                 absl::Duration patience, CallGroup* calls) {
  CADRE_ASSIGN_OR_RETURN(auto channel, MakeChannel(address));
  const auto stub = v1::ExperienceService::NewStub(channel);
  v1::InfoResponse response;
  CallGroup own;
  CADRE_RETURN_IF_ERROR(CallWithRetry(
      calls == nullptr ? own : *calls, Within(patience), absl::StrCat("replay server at ", address),
      [&](grpc::ClientContext& context) { return stub->Info(&context, {}, &response); }));
  return response;
}

absl::StatusOr<v1::ParameterInfoResponse> FetchParameterInfo(const std::string& address,
                                                             absl::Duration patience,
                                                             CallGroup* calls) {
  CADRE_ASSIGN_OR_RETURN(auto channel, MakeChannel(address));
  const auto stub = v1::ParameterService::NewStub(channel);
  v1::ParameterInfoResponse response;
  CallGroup own;
  CADRE_RETURN_IF_ERROR(CallWithRetry(
      calls == nullptr ? own : *calls, Within(patience),
      absl::StrCat("parameter server at ", address),
      [&](grpc::ClientContext& context) { return stub->ParameterInfo(&context, {}, &response); }));
  return response;
}

absl::StatusOr<v1::WorkInfoResponse> FetchWorkInfo(const std::string& address, CallGroup* calls) {
  CADRE_ASSIGN_OR_RETURN(auto channel, MakeChannel(address));
  const auto stub = v1::WorkService::NewStub(channel);
  v1::WorkInfoResponse response;
  CallGroup own;
  CADRE_RETURN_IF_ERROR(CallWithRetry(
      calls == nullptr ? own : *calls, Within(kInfoPatience),
      absl::StrCat("parameter server at ", address),
      [&](grpc::ClientContext& context) { return stub->WorkInfo(&context, {}, &response); }));
  return response;
}

absl::StatusOr<v1::ReplayWork> FetchReplayWork(const std::string& address) {
  CADRE_ASSIGN_OR_RETURN(auto channel, MakeChannel(address));
  const auto stub = v1::ReplayWorkService::NewStub(channel);
  v1::ReplayWork response;
  CallGroup calls;
  CADRE_RETURN_IF_ERROR(CallWithRetry(
      calls, Within(kInfoPatience), absl::StrCat("replay server at ", address),
      [&](grpc::ClientContext& context) { return stub->GetReplayWork(&context, {}, &response); }));
  return response;
}

}  // namespace cadre
