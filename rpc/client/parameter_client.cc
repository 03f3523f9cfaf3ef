#include "rpc/client/parameter_client.h"

#include <algorithm>
#include <limits>
#include <utility>

#include "absl/random/random.h"
#include "absl/strings/str_cat.h"
#include "common/process/monotonic_time.h"
#include "common/process/start_thread.h"
#include "common/status_macros.h"
#include "rpc/status.h"
#include "rpc/wire/value_encoding.h"
#include "spdlog/spdlog.h"

namespace cadre {
namespace {

// Of who follows, between two attempts.
constexpr absl::Duration kLongestPause = absl::Milliseconds(500);

std::string PeerName(const ParameterClientOptions& options) {
  return absl::StrCat("parameter server at ", options.address);
}

// A PublishRequest around parameters that somebody else owns: nothing is copied but
// into gRPC's buffer. The request only lends them, and is only read.
class LentPublishRequest {
 public:
  LentPublishRequest(const std::string& run_id, const v1::Parameters& parameters) {
    request_.set_run_id(run_id);
    request_.unsafe_arena_set_allocated_parameters(const_cast<v1::Parameters*>(&parameters));
  }
  ~LentPublishRequest() { static_cast<void>(request_.unsafe_arena_release_parameters()); }
  LentPublishRequest(const LentPublishRequest&) = delete;
  LentPublishRequest& operator=(const LentPublishRequest&) = delete;

  const v1::PublishRequest& get() const { return request_; }

 private:
  v1::PublishRequest request_;
};

// Runs `once` again and again, with growing pauses, until it fails for good or the
// group is closed; returns that last error. `once` resets the backoff when it got
// through to the server.
template <typename Once>
absl::Status RepeatUntilClosed(CallGroup& calls, const BackoffOptions& options, Once once) {
  Backoff backoff(options);
  absl::BitGen random;
  while (true) {
    const absl::Status status = once(&backoff);
    if (calls.closed() || !IsTransient(status)) return status;
    if (!calls.Sleep(backoff.Next(absl::Uniform(random, 0.0, 1.0)))) return status;
  }
}

// A stream that the server ended without an error ended all the same.
absl::Status StreamEnd(const grpc::Status& status, const std::string& peer) {
  if (!status.ok()) return FromGrpcStatus(status, peer);
  return absl::UnavailableError(absl::StrCat(peer, ": the stream ended"));
}

}  // namespace

absl::StatusOr<std::unique_ptr<RemoteParameterSource>> RemoteParameterSource::Create(
    const ParameterClientOptions& options) {
  CADRE_ASSIGN_OR_RETURN(std::shared_ptr<grpc::Channel> channel,
                         MakeChannel(options.address, options.channel));
  auto source = std::unique_ptr<RemoteParameterSource>(new RemoteParameterSource(options, channel));
  CADRE_ASSIGN_OR_RETURN(source->thread_,
                         StartThread("param-watch", [source = source.get()] { source->Follow(); }));
  return source;
}

RemoteParameterSource::RemoteParameterSource(const ParameterClientOptions& options,
                                             const std::shared_ptr<grpc::Channel>& channel)
    : options_(options),
      peer_(PeerName(options)),
      channel_(channel),
      stub_(v1::ParameterService::NewStub(channel_)) {}

RemoteParameterSource::~RemoteParameterSource() {
  Close();
  if (thread_.joinable()) thread_.join();
}

void RemoteParameterSource::Follow() {
  // Every moment without is one in which actors that wait for nobody make steps that are too old.
  BackoffOptions pauses = options_.retry.backoff;
  pauses.maximum = std::min(pauses.maximum, kLongestPause);
  const absl::Status status = RepeatUntilClosed(calls_, pauses, [this](Backoff* backoff) {
    absl::Status ended = WatchOnce(backoff);
    if (IsTransient(ended)) ConnectAnew();
    absl::MutexLock lock(&mutex_);
    if (IsTransient(ended) && last_error_.ok() && newest_ != nullptr && !calls_.closed())
      spdlog::warn("{}; following it again as soon as it is there", std::string(ended.message()));
    last_error_ = ended;
    return ended;
  });
  if (!calls_.closed()) spdlog::error("{}", std::string(status.message()));
  absl::MutexLock lock(&mutex_);
  ended_ = true;
}

// A channel waits longer and longer before it asks for a name again, up to two minutes, and
// would follow nobody so long after a network is whole again, while the actor goes on with old
// parameters. A new one asks at once.
void RemoteParameterSource::ConnectAnew() {
  if (auto channel = MakeChannel(options_.address, options_.channel); channel.ok())
    stub_ = v1::ParameterService::NewStub(*channel);
}

absl::Status RemoteParameterSource::WatchOnce(Backoff* backoff) {
  v1::WatchRequest request;
  request.set_run_id(options_.run_id);
  request.set_model(options_.model);
  request.set_encoding(options_.encoding);
  if (const ParametersPtr newest = Newest(); newest != nullptr) {
    request.set_known_version(newest->version());
  }
  grpc::ClientContext context;
  CallGroup::Member member(calls_, context);
  const std::unique_ptr<grpc::ClientReader<v1::WatchResponse>> reader =
      stub_->Watch(&context, request);
  auto response = std::make_shared<v1::WatchResponse>();
  while (reader->Read(response.get())) {
    backoff->Reset();
    const absl::Status taken = Take(std::exchange(response, std::make_shared<v1::WatchResponse>()));
    if (taken.ok()) continue;
    context.TryCancel();
    static_cast<void>(reader->Finish());
    return taken;
  }
  return StreamEnd(reader->Finish(), peer_);
}

absl::Status RemoteParameterSource::Take(std::shared_ptr<v1::WatchResponse> response) {
  const v1::RunState run_state = response->run_state();
  ParametersPtr newest;  // Null where only the run's state is news.
  if (response->has_parameters()) {
    CADRE_RETURN_IF_ERROR(WidenValues(response->mutable_parameters()));
    const v1::Parameters* parameters = &response->parameters();
    newest = ParametersPtr(std::move(response), parameters);
  }
  ParametersPtr previous;  // Freed after the lock.
  {
    absl::MutexLock lock(&mutex_);
    if (!last_error_.ok() && newest_ != nullptr)
      spdlog::info("follows the {} again, from version {} on", peer_, newest_->version());
    last_error_ = absl::OkStatus();
    run_state_ = run_state;
    if (newest != nullptr) previous = std::exchange(newest_, newest);
  }
  if (options_.on_message) options_.on_message(newest, run_state);
  return absl::OkStatus();
}

ParametersPtr RemoteParameterSource::Newest() {
  absl::MutexLock lock(&mutex_);
  return newest_;
}

v1::RunState RemoteParameterSource::run_state() {
  absl::MutexLock lock(&mutex_);
  return run_state_;
}

absl::StatusOr<ParametersPtr> RemoteParameterSource::WaitNewer(int64_t version,
                                                               absl::Duration timeout) {
  absl::MutexLock lock(&mutex_);
  const auto newer = [this, version] {
    mutex_.AssertReaderHeld();
    return newest_ != nullptr && newest_->version() > version && run_state_ != v1::RUN_STATE_PAUSED;
  };
  const auto ready = [this, &newer] {
    mutex_.AssertReaderHeld();
    return ended_ || run_state_ == v1::RUN_STATE_FINISHED || newer();
  };
  const bool in_time = AwaitFor(mutex_, absl::Condition(&ready), timeout);
  if (ended_ && calls_.closed()) return absl::CancelledError("the parameter source is closed");
  if (ended_) return last_error_;
  if (run_state_ == v1::RUN_STATE_FINISHED) {
    return absl::FailedPreconditionError("the run is FINISHED");
  }
  if (in_time) return newest_;
  return absl::DeadlineExceededError(
      last_error_.ok()
          ? absl::StrCat(peer_, ": no version of '", options_.model, "' newer than ", version,
                         " in time; the newest is ", newest_ ? newest_->version() : 0)
          : std::string(last_error_.message()));
}

void RemoteParameterSource::Close() {
  calls_.Close();
  absl::MutexLock lock(&mutex_);
  ended_ = true;
}

absl::StatusOr<std::unique_ptr<RemoteParameterSink>> RemoteParameterSink::Create(
    const ParameterClientOptions& options) {
  CADRE_ASSIGN_OR_RETURN(std::shared_ptr<grpc::Channel> channel,
                         MakeChannel(options.address, options.channel));
  auto sink = std::unique_ptr<RemoteParameterSink>(new RemoteParameterSink(options, channel));
  CADRE_ASSIGN_OR_RETURN(sink->thread_,
                         StartThread("param-guard", [sink = sink.get()] { sink->Guard(); }));
  return sink;
}

RemoteParameterSink::RemoteParameterSink(const ParameterClientOptions& options,
                                         const std::shared_ptr<grpc::Channel>& channel)
    : options_(options),
      peer_(PeerName(options)),
      channel_(channel),
      stub_(v1::ParameterService::NewStub(channel_)) {}

RemoteParameterSink::~RemoteParameterSink() {
  Close();
  if (thread_.joinable()) thread_.join();
}

absl::Status RemoteParameterSink::Publish(ParametersPtr parameters) {
  CADRE_RETURN_IF_ERROR(Send(*parameters));
  absl::MutexLock lock(&mutex_);
  ParametersPtr& stored = stored_[parameters->model()];
  std::swap(stored, parameters);  // The older one is freed after the lock.
  return absl::OkStatus();
}

absl::Status RemoteParameterSink::SetRunState(v1::RunState state) {
  CADRE_RETURN_IF_ERROR(SendRunState(state));
  absl::MutexLock lock(&mutex_);
  run_state_ = state;
  return absl::OkStatus();
}

void RemoteParameterSink::Close() {
  sends_.Close();
  calls_.Close();
}

absl::Status RemoteParameterSink::Send(const v1::Parameters& parameters) {
  const LentPublishRequest request(options_.run_id, parameters);
  return CallWithRetry(sends_, options_.retry, peer_, [&](grpc::ClientContext& context) {
    v1::PublishResponse response;
    return stub_->Publish(&context, request.get(), &response);
  });
}

absl::Status RemoteParameterSink::SendRunState(v1::RunState state) {
  v1::SetRunStateRequest request;
  request.set_run_id(options_.run_id);
  request.set_run_state(state);
  return CallWithRetry(sends_, options_.retry, peer_, [&](grpc::ClientContext& context) {
    v1::SetRunStateResponse response;
    return stub_->SetRunState(&context, request, &response);
  });
}

void RemoteParameterSink::Guard() {
  const absl::Status status = RepeatUntilClosed(
      calls_, options_.retry.backoff, [this](Backoff* backoff) { return GuardOnce(backoff); });
  if (!calls_.closed()) spdlog::error("{}", std::string(status.message()));
}

absl::Status RemoteParameterSink::GuardOnce(Backoff* backoff) {
  v1::WatchRequest request;
  request.set_run_id(options_.run_id);
  request.set_known_version(std::numeric_limits<int64_t>::max());  // Never any parameters.
  grpc::ClientContext context;
  CallGroup::Member member(calls_, context);
  const std::unique_ptr<grpc::ClientReader<v1::WatchResponse>> reader =
      stub_->Watch(&context, request);
  v1::WatchResponse response;
  if (reader->Read(&response)) {  // The server is there, maybe again.
    backoff->Reset();
    if (const absl::Status status = Restore(); !status.ok()) {
      context.TryCancel();
      static_cast<void>(reader->Finish());
      return status;
    }
    while (reader->Read(&response)) {
    }
  }
  return StreamEnd(reader->Finish(), peer_);
}

absl::Status RemoteParameterSink::Restore() {
  v1::ParameterInfoResponse info;
  CADRE_RETURN_IF_ERROR(
      CallWithRetry(calls_, options_.retry, peer_, [&](grpc::ClientContext& context) {
        return stub_->ParameterInfo(&context, v1::ParameterInfoRequest(), &info);
      }));
  absl::flat_hash_map<std::string, ParametersPtr> lost;
  v1::RunState run_state;
  {
    absl::MutexLock lock(&mutex_);
    lost = stored_;
    run_state = run_state_;
  }
  for (const v1::ModelInfo& model : info.models()) {
    const auto found = lost.find(model.model());
    if (found != lost.end() && model.version() >= found->second->version()) lost.erase(found);
  }
  for (const auto& [model, parameters] : lost) {
    spdlog::warn("{} lost version {} of '{}'; publishing it again", peer_, parameters->version(),
                 model);
    const absl::Status status = Send(*parameters);
    // FAILED_PRECONDITION: a newer version came in between.
    if (!status.ok() && !absl::IsFailedPrecondition(status)) return status;
  }
  const bool state_lost = !lost.empty() || run_state == v1::RUN_STATE_FINISHED;
  if (run_state == v1::RUN_STATE_UNSPECIFIED || !state_lost) return absl::OkStatus();
  const absl::Status status = SendRunState(run_state);
  return absl::IsFailedPrecondition(status) ? absl::OkStatus() : status;
}

}  // namespace cadre
