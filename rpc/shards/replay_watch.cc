#include "rpc/shards/replay_watch.h"

#include "absl/time/time.h"
#include "common/status_macros.h"
#include "rpc/call_timeout.h"
#include "rpc/channel.h"

namespace cadre {
namespace {

constexpr absl::Duration kPatience = absl::Seconds(1);

}  // namespace

absl::StatusOr<std::unique_ptr<ReplayWatch>> ReplayWatch::Create(
    absl::Span<const std::string> addresses) {
  auto watch = std::make_unique<ReplayWatch>();
  for (const std::string& address : addresses) {
    CADRE_ASSIGN_OR_RETURN(const auto channel, MakeChannel(address));
    watch->servers_.push_back({address, v1::ReplayWorkService::NewStub(channel)});
  }
  return watch;
}

void ReplayWatch::AddTo(v1::WorkReport& report, CallGroup& calls) {
  report.set_replay_servers(static_cast<int32_t>(servers_.size()));
  for (const Server& server : servers_) {
    grpc::ClientContext context;
    SetTimeout(context, kPatience);
    const CallGroup::Member member(calls, context);
    v1::ReplayWork work;
    if (!server.stub->GetReplayWork(&context, {}, &work).ok()) continue;
    work.set_address(server.address);
    *report.add_replay() = std::move(work);
  }
}

}  // namespace cadre
