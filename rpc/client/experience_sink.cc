#include <algorithm>
#include <limits>
#include <utility>

#include "absl/random/random.h"
#include "absl/strings/str_cat.h"
#include "common/experience/experience_spec.h"
#include "common/process/monotonic_time.h"
#include "common/process/start_thread.h"
#include "common/status_macros.h"
#include "rpc/client/experience_client.h"
#include "rpc/status.h"
#include "rpc/wire/message_bytes.h"
#include "rpc/wire/raw_stream.h"
#include "rpc/wire/replay_codec.h"
#include "spdlog/spdlog.h"

namespace cadre {
namespace {

constexpr char kAppendMethod[] = "/cadre.v1.ExperienceService/Append";

// A consumer remembers more than this of each writer (lease_ledger.cc).
constexpr int64_t kLargestWindow = 1024;

// Protobuf cannot write a larger message; the rest is for the envelope.
constexpr int64_t kMostRolloutBytes = std::numeric_limits<int32_t>::max() - 1024;

uint64_t RandomWriterId() {
  absl::BitGen random;
  return absl::Uniform<uint64_t>(absl::IntervalClosed, random, 1,
                                 std::numeric_limits<uint64_t>::max());
}

}  // namespace

absl::StatusOr<std::unique_ptr<RemoteExperienceSink>> RemoteExperienceSink::Create(
    ExperienceSinkOptions options) {
  CADRE_RETURN_IF_ERROR(ValidateSpec(options.spec));
  if (options.max_unsettled_rollouts < 1 || options.max_unsettled_rollouts > kLargestWindow)
    return absl::InvalidArgumentError(absl::StrCat("max_unsettled_rollouts: got ",
                                                   options.max_unsettled_rollouts, "; wanted 1 to ",
                                                   kLargestWindow));
  CADRE_ASSIGN_OR_RETURN(std::shared_ptr<grpc::Channel> channel,
                         MakeChannel(options.address, options.channel));
  auto sink = std::unique_ptr<RemoteExperienceSink>(
      new RemoteExperienceSink(std::move(options), std::move(channel)));
  CADRE_ASSIGN_OR_RETURN(sink->thread_,
                         StartThread("append-send", [sink = sink.get()] { sink->Run(); }));
  return sink;
}

RemoteExperienceSink::RemoteExperienceSink(ExperienceSinkOptions options,
                                           std::shared_ptr<grpc::Channel> channel)
    : options_(std::move(options)),
      peer_(absl::StrCat("replay server at ", options_.address)),
      writer_id_(RandomWriterId()),
      channel_(std::move(channel)),
      outage_(options_.outage),
      refused_in_a_row_(options_.max_refusals) {}

RemoteExperienceSink::~RemoteExperienceSink() {
  Close();
  if (thread_.joinable()) thread_.join();
}

absl::Status RemoteExperienceSink::Append(v1::Rollout rollout) {
  CADRE_RETURN_IF_ERROR(ValidateRolloutShape(options_.spec, rollout));
  // The server refuses it as well, and so knows that its steps are missing.
  absl::Status values;
  if (options_.max_refusals == 1) values = CheckFiniteRollout(options_.spec, rollout);
  rollout.set_run_id(options_.run_id);
  rollout.set_writer_id(writer_id_);
  const auto bytes = static_cast<int64_t>(rollout.ByteSizeLong());
  if (bytes > kMostRolloutBytes)
    return absl::InvalidArgumentError(
        absl::StrCat("rollout has ", bytes, " bytes; wanted at most ", kMostRolloutBytes));
  auto request = std::make_shared<v1::AppendRequest>();
  *request->mutable_rollout() = std::move(rollout);

  absl::MutexLock lock(&mutex_);
  const auto may_go_on = [this, bytes]()
                             ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) { return MayAppend(bytes); };
  mutex_.Await(absl::Condition(&may_go_on));
  CADRE_RETURN_IF_ERROR(end_);
  request->mutable_rollout()->set_sequence(first_sequence_ + window_.size());
  window_.push_back({std::move(request), bytes, /*sent=*/false, /*refused=*/!values.ok()});
  window_bytes_ += bytes;
  ++counts_.appended;
  unsettled_.Set(static_cast<int64_t>(window_.size()), TimeIntegral::Clock::now());
  return values;
}

bool RemoteExperienceSink::HasRoom(int64_t bytes) const {
  absl::MutexLock lock(&mutex_);
  return MayAppend(bytes);
}

bool RemoteExperienceSink::MayAppend(int64_t bytes) const {
  return !end_.ok() || window_.empty() ||
         (static_cast<int64_t>(window_.size()) < options_.max_unsettled_rollouts &&
          window_bytes_ + bytes <= options_.max_unsettled_bytes);
}

void RemoteExperienceSink::Close() {
  {
    absl::MutexLock lock(&mutex_);
    if (end_.ok()) end_ = absl::CancelledError("the experience sink was closed");
  }
  calls_.Close();
}

absl::Status RemoteExperienceSink::WaitConnected() {
  const std::atomic<bool> never = false;
  return WaitConnected(never);
}

absl::Status RemoteExperienceSink::WaitConnected(const std::atomic<bool>& interrupted) {
  absl::MutexLock lock(&mutex_);
  const auto connected = [this, &interrupted]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    return !end_.ok() || counts_.connections > 0 || interrupted;
  };
  mutex_.Await(absl::Condition(&connected));
  return end_;
}

void RemoteExperienceSink::WaitForRoom(int64_t bytes, const std::atomic<bool>& interrupted) {
  absl::MutexLock lock(&mutex_);
  const auto room = [this, bytes, &interrupted]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    return MayAppend(bytes) || interrupted;
  };
  mutex_.Await(absl::Condition(&room));
}

void RemoteExperienceSink::Wake() {
  absl::MutexLock lock(&mutex_);  // Whoever unlocks evaluates the conditions of those who wait.
}

absl::Status RemoteExperienceSink::end() const {
  absl::MutexLock lock(&mutex_);
  return end_;
}

absl::Status RemoteExperienceSink::Flush(absl::Duration timeout) {
  absl::MutexLock lock(&mutex_);
  const auto settled = [this]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    return !end_.ok() || window_.empty();
  };
  const bool in_time = AwaitFor(mutex_, absl::Condition(&settled), timeout);
  CADRE_RETURN_IF_ERROR(end_);
  if (!in_time)
    return absl::DeadlineExceededError(
        absl::StrCat(peer_, ": ", window_.size(), " rollouts are not settled yet"));
  return std::exchange(refusal_, absl::OkStatus());
}

RemoteExperienceSink::Counts RemoteExperienceSink::counts() const {
  absl::MutexLock lock(&mutex_);
  Counts counts = counts_;
  counts.unsettled = static_cast<int64_t>(window_.size());
  counts.unsettled_seconds = unsettled_.seconds(TimeIntegral::Clock::now());
  return counts;
}

void RemoteExperienceSink::Run() {
  absl::Status status;
  while (status.ok()) {
    status = outage_.Pause(calls_, StreamOnce());
  }
  bool closed;
  {
    absl::MutexLock lock(&mutex_);
    closed = absl::IsCancelled(end_);
    if (end_.ok()) end_ = std::move(status);
  }
  if (!closed && options_.on_end) options_.on_end();
}

absl::Status RemoteExperienceSink::StreamOnce() {
  grpc::ClientContext context;
  CallGroup::Member member(calls_, context);
  const std::unique_ptr<Stream> stream =
      OpenStream<grpc::ByteBuffer, v1::AppendResponse>(*channel_, kAppendMethod, &context);
  v1::AppendResponse answer;
  absl::Status reading;
  if (stream->Write(SerializeMessage(OpenRequest())) && stream->Read(&answer)) {
    {
      absl::MutexLock lock(&mutex_);
      ++counts_.connections;
      stream_over_ = false;
      next_to_send_ = 0;
      OnResponse(answer);
    }
    absl::StatusOr<std::thread> reader =
        StartThread("append-read", [this, &stream] { ReadResponses(stream.get()); });
    if (reader.ok()) {
      outage_.Over();
      SendRollouts(stream.get());
      reader->join();
    } else {
      reading = PassingError(reader.status());
      context.TryCancel();
    }
  }
  const grpc::Status status = stream->Finish();
  if (!reading.ok()) return reading;
  return status.ok() ? absl::UnavailableError(absl::StrCat(peer_, ": the stream ended"))
                     : FromGrpcStatus(status, peer_);
}

v1::AppendRequest RemoteExperienceSink::OpenRequest() const {
  v1::AppendRequest request;
  v1::AppendOpen& open = *request.mutable_open();
  open.set_run_id(options_.run_id);
  open.set_writer_id(writer_id_);
  open.set_target(options_.target);
  open.set_name(options_.name);
  *open.mutable_spec() = options_.spec;
  absl::MutexLock lock(&mutex_);
  open.set_first_sequence(first_sequence_);
  return request;
}

// Ends when the stream is over; then the reader ends as well, and the other way round.
void RemoteExperienceSink::SendRollouts(Stream* stream) {
  while (const RequestPtr request = NextToSend())
    if (!stream->Write(EncodeRollout(request))) return;
}

RemoteExperienceSink::RequestPtr RemoteExperienceSink::NextToSend() {
  absl::MutexLock lock(&mutex_);
  const auto ready = [this]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    return stream_over_ || next_to_send_ < window_.size();
  };
  mutex_.Await(absl::Condition(&ready));
  if (stream_over_) return nullptr;
  Unsettled& next = window_[next_to_send_++];
  if (next.sent) ++counts_.resent;
  next.sent = true;
  return next.request;
}

void RemoteExperienceSink::ReadResponses(Stream* stream) {
  v1::AppendResponse response;
  while (stream->Read(&response)) {
    {
      absl::MutexLock lock(&mutex_);
      OnResponse(response);
    }
    // Everything was refused: the stream ends, and no other follows.
    if (ended()) calls_.Close();
  }
  absl::MutexLock lock(&mutex_);
  stream_over_ = true;
}

void RemoteExperienceSink::OnResponse(const v1::AppendResponse& response) {
  if (response.refused_sequence() != 0)
    Refuse(response.refused_sequence(), response.refused_reason());
  while (!window_.empty() && first_sequence_ <= response.settled_sequence()) {
    window_bytes_ -= window_.front().bytes;
    window_.pop_front();
    ++first_sequence_;
    if (next_to_send_ > 0) --next_to_send_;
  }
  unsettled_.Set(static_cast<int64_t>(window_.size()), TimeIntegral::Clock::now());
}

void RemoteExperienceSink::Refuse(uint64_t sequence, const std::string& reason) {
  const uint64_t index = sequence - first_sequence_;
  if (sequence >= first_sequence_ && index < window_.size()) {
    if (window_[index].refused) return;  // Known here, or again after a break.
    window_[index].refused = true;
  }
  ++counts_.refused;
  refusal_ =
      absl::InvalidArgumentError(absl::StrCat(peer_, " refused rollout ", sequence, ": ", reason));
  if (const int64_t count = refusals_.Count(0, reason, RepeatedEvents::Time::clock::now());
      count > 0)
    spdlog::error("{}{}", std::string(refusal_.message()), TimesText(count));
  if (refused_in_a_row_.Refused(sequence) && end_.ok())
    end_ = absl::FailedPreconditionError(absl::StrCat(peer_, " refused ", refused_in_a_row_.count(),
                                                      " rollouts in a row: ", reason));
}

}  // namespace cadre
