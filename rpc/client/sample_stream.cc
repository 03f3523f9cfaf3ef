#include "rpc/client/sample_stream.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/check.h"
#include "common/experience/experience_spec.h"
#include "common/process/start_thread.h"
#include "common/status_macros.h"
#include "rpc/status.h"
#include "rpc/wire/raw_stream.h"

namespace cadre {
namespace {

constexpr char kSampleMethod[] = "/cadre.v1.ExperienceService/Sample";

// Requests that wait for a server which does not read: then priorities are dropped.
constexpr size_t kMostOutgoing = 1024;

// For `count` batches.
v1::SampleRequest WantRequest(const SampleOptions& options, size_t count) {
  v1::SampleRequest request;
  for (size_t i = 0; i < count; ++i)
    request.mutable_want()->add_items(static_cast<int32_t>(options.items));
  request.mutable_want()->set_importance_exponent(static_cast<float>(options.importance_exponent));
  request.mutable_want()->set_min_inserted_steps(options.min_inserted_steps);
  return request;
}

v1::ExperienceSpec SpecOf(const v1::SampleOpened& opened) {
  v1::ExperienceSpec spec;
  *spec.mutable_columns() = opened.columns();
  return spec;
}

}  // namespace

absl::StatusOr<std::unique_ptr<SampleStream>> SampleStream::Create(
    const ReplaySourceOptions& options, AfterBreak after_break, std::function<void()> on_change) {
  CADRE_RETURN_IF_ERROR(ValidateSpec(options.spec));
  CADRE_ASSIGN_OR_RETURN(std::shared_ptr<grpc::Channel> channel,
                         MakeChannel(options.address, options.channel));
  auto stream = std::unique_ptr<SampleStream>(
      new SampleStream(options, std::move(channel), after_break, std::move(on_change)));
  CADRE_ASSIGN_OR_RETURN(stream->thread_,
                         StartThread("sample-send", [stream = stream.get()] { stream->Run(); }));
  return stream;
}

SampleStream::SampleStream(const ReplaySourceOptions& options,
                           std::shared_ptr<grpc::Channel> channel, AfterBreak after_break,
                           std::function<void()> on_change)
    : options_(options),
      peer_(absl::StrCat("replay server at ", options.address)),
      channel_(std::move(channel)),
      after_break_(after_break),
      on_change_(std::move(on_change)),
      outage_(options.outage) {}

SampleStream::~SampleStream() {
  Close();
  if (thread_.joinable()) thread_.join();
}

void SampleStream::Close() {
  {
    absl::MutexLock lock(&mutex_);
    if (end_.ok()) end_ = absl::CancelledError("the replay source was closed");
  }
  calls_.Close();
}

uint64_t SampleStream::Want(const SampleOptions& options, size_t count) {
  absl::MutexLock lock(&mutex_);
  const uint64_t first = last_ticket_ + 1;
  SampleOptions wanted = options;
  ForgetLostSteps(&wanted);
  const bool lost = !connected_ && after_break_ == AfterBreak::kLose;
  for (size_t i = 0; i < count; ++i)
    wanted_.push_back({.ticket = ++last_ticket_, .options = wanted, .lost = lost});
  if (connected_) outgoing_.push_back(WantRequest(wanted, count));
  return first;
}

void SampleStream::Abandon() {
  absl::MutexLock lock(&mutex_);
  std::erase_if(wanted_,
                [](const Wanted& wanted) { return wanted.lost || wanted.batch.has_value(); });
  for (Wanted& wanted : wanted_) wanted.abandoned = true;
}

absl::StatusOr<BatchOnWire> SampleStream::Take(uint64_t ticket) {
  absl::MutexLock lock(&mutex_);
  CADRE_CHECK(Find(ticket) != wanted_.end());
  const auto ready = [this, ticket]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    const auto wanted = Find(ticket);
    return !end_.ok() || wanted->lost || wanted->batch.has_value();
  };
  mutex_.Await(absl::Condition(&ready));
  CADRE_RETURN_IF_ERROR(end_);
  const auto found = Find(ticket);
  Wanted taken = std::move(*found);
  wanted_.erase(found);
  if (taken.lost) return absl::UnavailableError(absl::StrCat(peer_, ": the stream broke"));
  return *std::move(taken.batch);
}

std::vector<v1::ColumnSpec> SampleStream::columns() const {
  absl::MutexLock lock(&mutex_);
  CADRE_CHECK(opened_.has_value());
  return {opened_->columns().begin(), opened_->columns().end()};
}

void SampleStream::Send(v1::PriorityUpdate update) {
  v1::SampleRequest request;
  *request.mutable_priorities() = std::move(update);
  absl::MutexLock lock(&mutex_);
  if (!connected_ || outgoing_.size() >= kMostOutgoing) return DropPriorities(request);
  outgoing_.push_back(std::move(request));
}

bool SampleStream::connected() const {
  absl::MutexLock lock(&mutex_);
  return connected_;
}

absl::Status SampleStream::end() const {
  absl::MutexLock lock(&mutex_);
  return end_;
}

SampleStream::Counts SampleStream::counts() const {
  absl::MutexLock lock(&mutex_);
  return counts_;
}

void SampleStream::Run() {
  absl::Status status;
  while (status.ok()) {
    status = outage_.Pause(calls_, StreamOnce());
  }
  {
    absl::MutexLock lock(&mutex_);
    if (end_.ok()) end_ = std::move(status);
  }
  on_change_();
}

absl::Status SampleStream::StreamOnce() {
  grpc::ClientContext context;
  CallGroup::Member member(calls_, context);
  const auto stream =
      OpenStream<v1::SampleRequest, grpc::ByteBuffer>(*channel_, kSampleMethod, &context);
  const absl::Status opened = Open(stream.get());
  absl::Status reading;
  if (opened.ok()) {
    SetContext(&context);
    on_change_();
    absl::StatusOr<std::thread> reader = StartThread(
        "sample-read", [this, &stream, &context] { ReadBatches(stream.get(), &context); });
    if (reader.ok()) {
      outage_.Over();
      SendRequests(stream.get());
      reader->join();
    } else {
      reading = PassingError(reader.status());
      context.TryCancel();
    }
    SetContext(nullptr);
    OnBroken();
    on_change_();
  } else if (!absl::IsUnavailable(opened)) {
    context.TryCancel();
  }
  const grpc::Status status = stream->Finish();
  if (!reading.ok()) return reading;
  if (!opened.ok() && !absl::IsUnavailable(opened))
    return absl::Status(opened.code(), absl::StrCat(peer_, ": ", opened.message()));
  absl::MutexLock lock(&mutex_);
  if (!bad_message_.ok()) return bad_message_;
  if (const std::string why = std::exchange(why_reconnecting_, ""); !why.empty())
    return absl::UnavailableError(absl::StrCat(peer_, ": ", why));
  return status.ok() ? absl::UnavailableError(absl::StrCat(peer_, ": the stream ended"))
                     : FromGrpcStatus(status, peer_);
}

void SampleStream::SetContext(grpc::ClientContext* context) {
  absl::MutexLock lock(&mutex_);
  context_ = context;
}

void SampleStream::ReconnectIfOwing(const std::string& why) {
  absl::MutexLock lock(&mutex_);
  const bool owing = std::any_of(wanted_.begin(), wanted_.end(), [](const Wanted& wanted) {
    return !wanted.lost && !wanted.abandoned && !wanted.batch.has_value();
  });
  if (context_ == nullptr || !owing) return;
  why_reconnecting_ = why;
  context_->TryCancel();
}

// UNAVAILABLE: the stream is over, and knows why.
absl::Status SampleStream::Open(Stream* stream) {
  v1::SampleRequest request;
  request.mutable_open()->set_run_id(options_.run_id);
  request.mutable_open()->set_table(options_.table);
  request.mutable_open()->set_name(options_.name);
  *request.mutable_open()->mutable_spec() = options_.spec;
  grpc::ByteBuffer answer;
  if (!stream->Write(request) || !stream->Read(&answer))
    return absl::UnavailableError("the stream did not open");
  CADRE_ASSIGN_OR_RETURN(const SampleMessage message, DecodeSample(std::move(answer)));
  const auto* const opened = std::get_if<v1::SampleOpened>(&message);
  if (opened == nullptr) return absl::InternalError("got a batch first; wanted `opened`");
  absl::MutexLock lock(&mutex_);
  CADRE_RETURN_IF_ERROR(SetColumns(*opened));
  OnConnected();
  return absl::OkStatus();
}

absl::Status SampleStream::SetColumns(const v1::SampleOpened& opened) {
  CADRE_RETURN_IF_ERROR(ValidateSpec(SpecOf(opened)));
  if (opened_.has_value()) return CheckSameSpec(SpecOf(*opened_), SpecOf(opened));
  opened_ = opened;
  return absl::OkStatus();
}

void SampleStream::OnConnected() {
  heard_ = ++counts_.connections == 1;
  connected_ = true;
  stream_over_ = false;
  for (auto wanted = FirstUnanswered(); wanted != wanted_.end(); ++wanted) {
    ForgetLostSteps(&wanted->options);
    if (!wanted->lost) outgoing_.push_back(WantRequest(wanted->options, /*count=*/1));
  }
}

void SampleStream::ForgetLostSteps(SampleOptions* options) const {
  if (options->items == 0 && !heard_) options->min_inserted_steps = 0;
}

void SampleStream::OnBroken() {
  absl::MutexLock lock(&mutex_);
  connected_ = false;
  for (const v1::SampleRequest& request : outgoing_) DropPriorities(request);
  outgoing_.clear();
  std::erase_if(wanted_, [](const Wanted& wanted) { return wanted.abandoned; });
  heard_ = false;
  if (after_break_ == AfterBreak::kAskAgain) return;
  for (auto wanted = FirstUnanswered(); wanted != wanted_.end(); ++wanted) wanted->lost = true;
}

std::deque<SampleStream::Wanted>::iterator SampleStream::Find(uint64_t ticket) {
  return std::find_if(wanted_.begin(), wanted_.end(),
                      [ticket](const Wanted& wanted) { return wanted.ticket == ticket; });
}

// Batches come in the order in which they were wanted.
std::deque<SampleStream::Wanted>::iterator SampleStream::FirstUnanswered() {
  return std::find_if(wanted_.begin(), wanted_.end(), [](const Wanted& wanted) {
    return !wanted.lost && !wanted.batch.has_value();
  });
}

void SampleStream::DropPriorities(const v1::SampleRequest& request) {
  counts_.dropped_priorities += request.priorities().keys_size();
}

// Ends when the stream is over; then the reader ends as well, and the other way round.
void SampleStream::SendRequests(Stream* stream) {
  while (const std::optional<v1::SampleRequest> request = NextToSend())
    if (!stream->Write(*request)) return;
}

std::optional<v1::SampleRequest> SampleStream::NextToSend() {
  absl::MutexLock lock(&mutex_);
  const auto ready = [this]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    return stream_over_ || !outgoing_.empty();
  };
  mutex_.Await(absl::Condition(&ready));
  if (stream_over_) return std::nullopt;
  v1::SampleRequest request = std::move(outgoing_.front());
  outgoing_.pop_front();
  return request;
}

void SampleStream::ReadBatches(Stream* stream, grpc::ClientContext* context) {
  grpc::ByteBuffer message;
  absl::Status status;
  while (status.ok() && stream->Read(&message)) status = OnMessage(message);
  if (!status.ok()) context->TryCancel();
  absl::MutexLock lock(&mutex_);
  bad_message_ = std::move(status);
  stream_over_ = true;
}

absl::Status SampleStream::OnMessage(const grpc::ByteBuffer& bytes) {
  absl::StatusOr<SampleMessage> message = DecodeSample(bytes);
  if (!message.ok())
    return absl::InternalError(absl::StrCat(peer_, ": ", message.status().message()));
  auto* const batch = std::get_if<BatchOnWire>(&*message);
  absl::MutexLock lock(&mutex_);
  const auto wanted = FirstUnanswered();
  if (batch == nullptr || wanted == wanted_.end())
    return absl::InternalError(absl::StrCat(peer_, ": got a message that nobody asked for"));
  if (wanted->abandoned) {
    wanted_.erase(wanted);
  } else {
    wanted->batch = std::move(*batch);
    heard_ = true;
  }
  return absl::OkStatus();
}

}  // namespace cadre
