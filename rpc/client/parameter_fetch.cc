#include "rpc/client/parameter_fetch.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "common/status_macros.h"
#include "proto/parameters.grpc.pb.h"
#include "rpc/channel.h"
#include "rpc/client/call_group.h"
#include "rpc/retry.h"

namespace cadre {

absl::StatusOr<int64_t> FetchNewestVersion(const ParameterClientOptions& options,
                                           absl::Duration patience, CallGroup& calls) {
  CADRE_ASSIGN_OR_RETURN(auto channel, MakeChannel(options.address, options.channel));
  const auto stub = v1::ParameterService::NewStub(channel);
  v1::FetchRequest request;
  request.set_run_id(options.run_id);
  request.set_model(options.model);
  v1::FetchResponse response;
  RetryPolicy retry = options.retry;
  retry.attempt_timeout = std::min(retry.attempt_timeout, patience);
  retry.give_up_after = patience;
  CADRE_RETURN_IF_ERROR(CallWithRetry(
      calls, retry, absl::StrCat("parameter server at ", options.address),
      [&](grpc::ClientContext& context) { return stub->Fetch(&context, request, &response); }));
  return response.parameters().version();
}

}  // namespace cadre
