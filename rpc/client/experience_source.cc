#include <utility>

#include "absl/strings/str_cat.h"
#include "common/experience/experience_spec.h"
#include "common/process/monotonic_time.h"
#include "common/process/start_thread.h"
#include "common/process/timer.h"
#include "common/status_macros.h"
#include "rpc/client/experience_client.h"
#include "rpc/status.h"

namespace cadre {

// One Consume stream. A thread of its own reads it all the time, also while nobody
// takes, so that gRPC has a thread to answer the server's pings with.
class RemoteExperienceSource::Connection {
 public:
  // A transient error where there is no thread for it.
  static absl::StatusOr<std::unique_ptr<Connection>> Create(CallGroup& calls,
                                                            v1::ExperienceService::Stub* stub) {
    std::unique_ptr<Connection> connection(new Connection(calls, stub));
    absl::StatusOr<std::thread> reader =
        StartThread("consume-read", [connection = connection.get()] { connection->Run(); });
    if (reader.ok()) {
      connection->reader_ = *std::move(reader);
      return connection;
    }
    connection->context_.TryCancel();
    connection->stream_->Finish();
    return PassingError(reader.status());
  }
  ~Connection() {
    if (reader_.joinable()) Finish(absl::ZeroDuration());
  }

  // One writer at a time, one reader at a time. False once the stream is over.
  bool Write(const v1::ConsumeRequest& request) { return stream_->Write(request); }
  bool Read(v1::ConsumeResponse* response) {
    absl::MutexLock lock(&mutex_);
    const auto ready = [this]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
      return over_ || !responses_.empty();
    };
    mutex_.Await(absl::Condition(&ready));
    if (responses_.empty()) return false;
    *response = std::move(responses_.front());
    responses_.pop_front();
    return true;
  }

  // Ends the stream, and gives the server `grace` to read what was written. Returns
  // why it had ended before, if it had. Once, when nobody reads or writes any more.
  grpc::Status Finish(absl::Duration grace) {
    stream_->WritesDone();
    {
      absl::MutexLock lock(&mutex_);
      if (!AwaitFor(mutex_, absl::Condition(&over_), grace)) context_.TryCancel();
    }
    reader_.join();
    return stream_->Finish();
  }

 private:
  Connection(CallGroup& calls, v1::ExperienceService::Stub* stub)
      : member_(calls, context_), stream_(stub->Consume(&context_)) {}

  void Run() {
    v1::ConsumeResponse response;
    while (stream_->Read(&response)) {
      absl::MutexLock lock(&mutex_);
      responses_.push_back(std::move(response));
      response.Clear();
    }
    absl::MutexLock lock(&mutex_);
    over_ = true;
  }

  grpc::ClientContext context_;
  CallGroup::Member member_;
  const std::unique_ptr<grpc::ClientReaderWriter<v1::ConsumeRequest, v1::ConsumeResponse>> stream_;

  absl::Mutex mutex_;
  bool over_ ABSL_GUARDED_BY(mutex_) = false;
  std::deque<v1::ConsumeResponse> responses_ ABSL_GUARDED_BY(mutex_);

  std::thread reader_;
};

namespace {

// How long an end waits for a server that does not answer.
constexpr absl::Duration kGrace = absl::Milliseconds(1500);

}  // namespace

absl::StatusOr<std::unique_ptr<RemoteExperienceSource>> RemoteExperienceSource::Create(
    ExperienceClientOptions options) {
  CADRE_RETURN_IF_ERROR(ValidateSpec(options.spec));
  CADRE_ASSIGN_OR_RETURN(std::shared_ptr<grpc::Channel> channel,
                         MakeChannel(options.address, options.channel));
  return std::unique_ptr<RemoteExperienceSource>(
      new RemoteExperienceSource(std::move(options), std::move(channel)));
}

RemoteExperienceSource::RemoteExperienceSource(ExperienceClientOptions options,
                                               std::shared_ptr<grpc::Channel> channel)
    : options_(std::move(options)),
      peer_(absl::StrCat("replay server at ", options_.address)),
      stub_(v1::ExperienceService::NewStub(channel)),
      outage_(options_.outage) {}

RemoteExperienceSource::~RemoteExperienceSource() { Close(); }

absl::StatusOr<Lease> RemoteExperienceSource::Take(int64_t steps, int64_t version) {
  absl::MutexLock lock(&take_mutex_);
  while (partial_.rollouts.empty() || partial_steps_ < steps) {
    const absl::Status status = TakeMore(steps - partial_steps_, version);
    if (!status.ok()) CADRE_RETURN_IF_ERROR(outage_.Pause(calls_, status));
  }
  partial_steps_ = 0;
  return std::exchange(partial_, Lease());
}

// One exchange with the server. Afterwards there is a connection only if it is good.
absl::Status RemoteExperienceSource::TakeMore(int64_t steps, int64_t version) {
  Connection* connection;
  {
    absl::MutexLock lock(&mutex_);
    connection = connection_.get();
  }
  if (connection == nullptr) {
    CADRE_ASSIGN_OR_RETURN(connection, Connect());
  }
  v1::ConsumeRequest request;
  request.mutable_take()->set_steps(steps);
  request.mutable_take()->set_version(version);
  v1::ConsumeResponse response;
  bool good;
  {
    absl::MutexLock lock(&mutex_);
    good = connection->Write(request);
  }
  if (!good || !connection->Read(&response)) return Disconnect();

  absl::MutexLock lock(&mutex_);
  if (partial_.id == 0) partial_.id = ledger_.NewLease();
  const size_t before = partial_.rollouts.size();
  AcknowledgeToServer(
      ledger_.Receive(response.lease_id(), response, partial_.id, &partial_.rollouts));
  for (size_t i = before; i < partial_.rollouts.size(); ++i)
    partial_steps_ += RolloutSteps(partial_.rollouts[i]);
  return absl::OkStatus();
}

absl::StatusOr<RemoteExperienceSource::Connection*> RemoteExperienceSource::Connect() {
  CADRE_ASSIGN_OR_RETURN(std::unique_ptr<Connection> connection,
                         Connection::Create(calls_, stub_.get()));
  v1::ConsumeRequest request;
  request.mutable_open()->set_run_id(options_.run_id);
  request.mutable_open()->set_queue(options_.target);
  request.mutable_open()->set_name(options_.name);
  *request.mutable_open()->mutable_spec() = options_.spec;
  v1::ConsumeResponse answer;
  if (!connection->Write(request) || !connection->Read(&answer))
    return WhyEnded(connection->Finish(kGrace));
  outage_.Over();
  absl::MutexLock lock(&mutex_);
  connection_ = std::move(connection);
  return connection_.get();
}

absl::Status RemoteExperienceSource::Disconnect() {
  std::unique_ptr<Connection> connection;
  {
    absl::MutexLock lock(&mutex_);
    connection = std::move(connection_);
    ledger_.Disconnect();
  }
  return WhyEnded(connection->Finish(kGrace));
}

absl::Status RemoteExperienceSource::WhyEnded(const grpc::Status& status) const {
  return status.ok() ? absl::UnavailableError(absl::StrCat(peer_, ": the stream ended"))
                     : FromGrpcStatus(status, peer_);
}

absl::Status RemoteExperienceSource::Acknowledge(uint64_t lease_id) {
  absl::MutexLock lock(&mutex_);
  CADRE_ASSIGN_OR_RETURN(const std::vector<uint64_t> server_leases, ledger_.Acknowledge(lease_id));
  AcknowledgeToServer(server_leases);
  return absl::OkStatus();
}

// Where it does not get through, the connection is gone, as the next Take will find.
void RemoteExperienceSource::AcknowledgeToServer(const std::vector<uint64_t>& server_leases) {
  if (connection_ == nullptr) return;
  for (uint64_t server_lease : server_leases) {
    v1::ConsumeRequest request;
    request.mutable_acknowledge()->set_lease_id(server_lease);
    connection_->Write(request);
  }
}

void RemoteExperienceSource::Close() {
  if (!calls_.closed() && take_mutex_.TryLock()) {
    // Whatever writes to a server that reads nothing any more.
    const auto patience = Timer::StartOrCall(kGrace, [this] { calls_.Close(); });
    std::unique_ptr<Connection> connection;
    {
      absl::MutexLock lock(&mutex_);
      connection = std::move(connection_);
      ledger_.Disconnect();
    }
    if (connection != nullptr) connection->Finish(kGrace);
    take_mutex_.Unlock();
  }
  calls_.Close();
}

int64_t RemoteExperienceSource::duplicates() const {
  absl::MutexLock lock(&mutex_);
  return ledger_.duplicates();
}

}  // namespace cadre
