#include "rpc/shards/replay_shard.h"

#include <algorithm>
#include <utility>

#include "common/process/monotonic_time.h"
#include "common/process/start_thread.h"
#include "common/status_macros.h"
#include "rpc/call_timeout.h"
#include "spdlog/spdlog.h"

namespace cadre {
namespace {

constexpr absl::Duration kAskEvery = absl::Milliseconds(250);
constexpr absl::Duration kAskEveryInHurry = absl::Milliseconds(10);
constexpr absl::Duration kAnswerWithin = absl::Seconds(5);

}  // namespace

absl::StatusOr<std::unique_ptr<ReplayShard>> ReplayShard::Create(const ReplaySourceOptions& options,
                                                                 std::function<void()> on_change) {
  CADRE_ASSIGN_OR_RETURN(std::shared_ptr<grpc::Channel> channel,
                         MakeChannel(options.address, options.channel));
  ReplaySourceOptions patient = options;
  patient.outage.connect_timeout = absl::InfiniteDuration();
  patient.outage.reconnect_timeout = absl::InfiniteDuration();
  auto shard =
      std::unique_ptr<ReplayShard>(new ReplayShard(patient, std::move(channel), on_change));
  CADRE_ASSIGN_OR_RETURN(
      shard->stream_,
      SampleStream::Create(patient, SampleStream::AfterBreak::kLose, std::move(on_change)));
  CADRE_ASSIGN_OR_RETURN(shard->thread_,
                         StartThread("shard-watch", [shard = shard.get()] { shard->Watch(); }));
  return shard;
}

ReplayShard::ReplayShard(const ReplaySourceOptions& options, std::shared_ptr<grpc::Channel> channel,
                         std::function<void()> on_change)
    : options_(options),
      stub_(v1::ExperienceService::NewStub(channel)),
      on_change_(std::move(on_change)),
      feeding_(absl::ToChronoNanoseconds(options.unfed_after)) {}

ReplayShard::~ReplayShard() {
  Close();
  if (thread_.joinable()) thread_.join();
}

void ReplayShard::Close() {
  {
    absl::MutexLock lock(&mutex_);
    closed_ = true;
  }
  calls_.Close();
  if (stream_ != nullptr) stream_->Close();
}

ReplayShard::State ReplayShard::state() const {
  const bool connected = stream_->connected();
  absl::MutexLock lock(&mutex_);
  State state = state_;
  state.heard = steps_.heard();
  state.inserted_steps = steps_.count();
  state.live = state.live && connected;
  return state;
}

void ReplayShard::BeginWithoutUnheard() {
  absl::MutexLock lock(&mutex_);
  if (!steps_.heard()) steps_.BeginWithout();
}

void ReplayShard::CountOn(const TableCount* before) {
  absl::MutexLock lock(&mutex_);
  if (before != nullptr)
    steps_.CountOn(*before);
  else
    steps_.BeginWithout();
}

std::optional<TableCount> ReplayShard::Counted() const {
  absl::MutexLock lock(&mutex_);
  if (!steps_.counted()) return std::nullopt;
  return steps_.Counted(options_.address);
}

void ReplayShard::set_hurried(bool hurried) {
  absl::MutexLock lock(&mutex_);
  hurried_ = hurried;
}

void ReplayShard::LeaveOut() {
  {
    absl::MutexLock lock(&mutex_);
    if (!state_.unfed) return;
    left_out_ = true;
  }
  stream_->ReconnectIfOwing("no actor appends to it, so that others give what it owes");
}

void ReplayShard::Watch() {
  while (!calls_.closed()) {
    AskOnce();
    on_change_();
    const MonotonicTime asked = MonotonicTime::Now();
    absl::MutexLock lock(&mutex_);
    const auto woken = [this]()
                           ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) { return closed_ || hurried_; };
    if (!AwaitFor(mutex_, absl::Condition(&woken), kAskEvery)) continue;
    const auto closed = [this]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) { return closed_; };
    AwaitFor(mutex_, absl::Condition(&closed), asked + kAskEveryInHurry - MonotonicTime::Now());
  }
}

void ReplayShard::AskOnce() {
  grpc::ClientContext context;
  CallGroup::Member member(calls_, context);
  SetTimeout(context, kAnswerWithin);
  v1::InfoResponse response;
  const grpc::Status status = stub_->Info(&context, v1::InfoRequest(), &response);
  const auto& tables = response.tables();
  const auto table = std::find_if(tables.begin(), tables.end(), [this](const v1::TableInfo& info) {
    return info.name() == options_.table;
  });
  const bool found = status.ok() && table != tables.end();
  const bool connected = stream_->connected();
  absl::MutexLock lock(&mutex_);
  state_.live = found;
  if (found) {
    state_.items = table->items();
    // A table below its minimum size would keep whoever samples it waiting.
    state_.mass = table->items() < table->min_size() ? 0 : table->mass();
    steps_.Note(table->inserted_steps());
    state_.unfed = feeding_.Note(table->inserted_steps(), table->waiting_samplers() > 0,
                                 ShardFeeding::Clock::now());
    left_out_ = left_out_ && state_.unfed;
  }
  const bool live = found && connected && !left_out_;
  if (live != was_live_ && !closed_)
    live ? spdlog::info("replay server at {} is sampled", options_.address)
         : spdlog::warn("replay server at {} is left out until it answers{}", options_.address,
                        left_out_ ? " and an actor appends to it" : "");
  was_live_ = live;
}

}  // namespace cadre
