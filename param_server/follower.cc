#include "param_server/follower.h"

#include <utility>

#include "absl/time/time.h"
#include "common/process/start_thread.h"
#include "common/status_macros.h"
#include "rpc/call_timeout.h"
#include "rpc/channel.h"
#include "spdlog/spdlog.h"

namespace cadre {
namespace {

// A run starts its models at its beginning, so nobody waits long for a new one.
constexpr absl::Duration kDiscoverPeriod = absl::Milliseconds(500);
constexpr absl::Duration kAnswerWithin = absl::Seconds(5);

}  // namespace

absl::StatusOr<std::unique_ptr<Follower>> Follower::Create(const std::string& upstream,
                                                           ParameterStore* store,
                                                           ParameterMetrics* metrics) {
  CADRE_ASSIGN_OR_RETURN(const std::shared_ptr<grpc::Channel> channel, MakeChannel(upstream));
  auto follower = std::unique_ptr<Follower>(new Follower(upstream, channel, store, metrics));
  CADRE_ASSIGN_OR_RETURN(follower->thread_,
                         StartThread("param-discover", [f = follower.get()] { f->Discover(); }));
  return follower;
}

Follower::Follower(const std::string& upstream, const std::shared_ptr<grpc::Channel>& channel,
                   ParameterStore* store, ParameterMetrics* metrics)
    : upstream_(upstream),
      store_(store),
      metrics_(metrics),
      stub_(v1::ParameterService::NewStub(channel)) {}

Follower::~Follower() {
  calls_.Close();
  if (thread_.joinable()) thread_.join();
}

void Follower::Discover() {
  Follow("");  // The run's state, whatever models there are.
  do {
    grpc::ClientContext context;
    SetTimeout(context, kAnswerWithin);
    const CallGroup::Member member(calls_, context);
    v1::ParameterInfoResponse info;
    if (!stub_->ParameterInfo(&context, {}, &info).ok()) continue;  // It is away.
    for (const v1::ModelInfo& model : info.models()) Follow(model.model());
  } while (calls_.Sleep(kDiscoverPeriod));
}

void Follower::Follow(const std::string& model) {
  if (sources_.contains(model)) return;
  ParameterClientOptions options;
  options.address = upstream_;
  options.run_id = store_->run_id();
  options.model = model;
  options.on_message = [this](const ParametersPtr& parameters, v1::RunState run_state) {
    Take(parameters, run_state);
  };
  auto source = RemoteParameterSource::Create(options);
  if (source.ok())
    sources_.emplace(model, *std::move(source));
  else
    spdlog::error("cannot follow {}: {}", upstream_, std::string(source.status().message()));
}

void Follower::Take(const ParametersPtr& parameters, v1::RunState run_state) {
  if (parameters != nullptr) {
    const absl::Status status = store_->Publish(parameters);
    if (status.ok())
      metrics_->version.Add({{"model", parameters->model()}}).Set(parameters->version());
    else
      spdlog::warn("from {}: {}", upstream_, std::string(status.message()));
  }
  if (run_state == v1::RUN_STATE_UNSPECIFIED || store_->Read("").run_state == run_state) return;
  // FINISHED is final here, whatever a server that forgot it may say.
  static_cast<void>(store_->SetRunState(run_state));
}

}  // namespace cadre
