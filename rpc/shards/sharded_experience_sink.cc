#include "rpc/shards/sharded_experience_sink.h"

#include <algorithm>
#include <utility>

#include "absl/memory/memory.h"
#include "absl/random/random.h"
#include "absl/strings/str_cat.h"
#include "common/process/monotonic_time.h"
#include "common/process/start_thread.h"
#include "common/status_macros.h"
#include "rpc/call_timeout.h"
#include "spdlog/spdlog.h"

namespace cadre {
namespace {

constexpr absl::Duration kAnswerWithin = absl::Seconds(2);

// An actor that is held back asks the servers after so long, then after twice as long, and so
// on up to `ask_every`: it may be that all of them have enough.
constexpr absl::Duration kFirstPatience = absl::Milliseconds(10);

void Add(const PlaceSink::Counts& more, PlaceSink::Counts& counts) {
  counts.appended += more.appended;
  counts.unsettled += more.unsettled;
  counts.resent += more.resent;
  counts.refused += more.refused;
  counts.connections += more.connections;
  counts.unsettled_seconds += more.unsettled_seconds;
}

std::string NameOf(const ExperiencePlace& place) {
  return absl::StrCat("'", place.target, "' of the replay server at ", place.address);
}

}  // namespace

absl::StatusOr<std::unique_ptr<ShardedExperienceSink>> ShardedExperienceSink::Create(
    const ShardedSinkOptions& options) {
  if (options.first >= options.places.size())
    return absl::InvalidArgumentError(
        absl::StrCat("place ", options.first, " of ", options.places.size(), ": there is none"));
  auto sharded = absl::WrapUnique(new ShardedExperienceSink(options));
  for (const ExperiencePlace& place : options.places) {
    CADRE_ASSIGN_OR_RETURN(auto channel, MakeChannel(place.address, options.sink.channel));
    sharded->stubs_[place.address] = v1::ExperienceService::NewStub(channel);
  }
  CADRE_ASSIGN_OR_RETURN(SinkPtr sink, sharded->MakeSink(options.first));
  {
    absl::MutexLock lock(&sharded->mutex_);
    sharded->current_ = options.first;
    sharded->sink_ = std::move(sink);
  }
  if (options.places.size() > 1) {
    CADRE_ASSIGN_OR_RETURN(sharded->thread_,
                           StartThread("shard-choice", [s = sharded.get()] { s->Watch(); }));
  }
  return sharded;
}

ShardedExperienceSink::ShardedExperienceSink(const ShardedSinkOptions& options)
    : options_(options) {}

ShardedExperienceSink::~ShardedExperienceSink() {
  Close();
  if (thread_.joinable()) thread_.join();
}

void ShardedExperienceSink::Close() {
  calls_.Close();
  absl::MutexLock lock(&mutex_);
  closed_ = true;
  if (sink_ != nullptr) sink_->Close();
  for (const SinkPtr& leaving : leaving_) leaving->Close();
}

absl::StatusOr<ShardedExperienceSink::SinkPtr> ShardedExperienceSink::MakeSink(size_t shard) const {
  ExperienceSinkOptions options = options_.sink;
  options.address = options_.places[shard].address;
  options.target = options_.places[shard].target;
  if (options_.make_sink) return options_.make_sink(options);
  return RemoteExperienceSink::Create(std::move(options));
}

ShardedExperienceSink::SinkPtr ShardedExperienceSink::sink() const {
  absl::MutexLock lock(&mutex_);
  return sink_;
}

size_t ShardedExperienceSink::current() const {
  absl::MutexLock lock(&mutex_);
  return current_;
}

PlaceSink::Counts ShardedExperienceSink::counts() const {
  absl::MutexLock lock(&mutex_);
  PlaceSink::Counts counts = gone_;
  Add(sink_->counts(), counts);
  for (const SinkPtr& leaving : leaving_) Add(leaving->counts(), counts);
  return counts;
}

absl::Status ShardedExperienceSink::Append(v1::Rollout rollout) {
  const auto bytes = static_cast<int64_t>(rollout.ByteSizeLong());
  while (true) {
    moved_ = false;
    const SinkPtr to = sink();
    if (!to->HasRoom(bytes)) {
      waits_ = true;
      SetHeldBack(true);
      to->WaitForRoom(bytes, moved_);
      SetHeldBack(false);
      waits_ = false;
    }
    if (moved_) continue;
    appended_ = true;
    return to->Append(std::move(rollout));
  }
}

void ShardedExperienceSink::SetHeldBack(bool held_back) {
  absl::MutexLock lock(&mutex_);
  held_back_ = held_back;
  patience_ = kFirstPatience;
}

absl::Status ShardedExperienceSink::WaitConnected() {
  while (true) {
    moved_ = false;
    waits_ = true;
    const absl::Status status = sink()->WaitConnected(moved_);
    waits_ = false;
    if (!moved_) return status;
  }
}

absl::Status ShardedExperienceSink::Flush(absl::Duration timeout) {
  const MonotonicTime end = MonotonicTime::Now() + timeout;
  std::vector<SinkPtr> all;
  {
    absl::MutexLock lock(&mutex_);
    all = leaving_;
    all.push_back(sink_);
  }
  for (const SinkPtr& each : all) CADRE_RETURN_IF_ERROR(each->Flush(end - MonotonicTime::Now()));
  return absl::OkStatus();
}

bool ShardedExperienceSink::held_back() const {
  absl::MutexLock lock(&mutex_);
  return held_back_;
}

void ShardedExperienceSink::Watch() {
  ShardChoice choice(options_.places.size(), options_.first);
  absl::BitGen random;
  MonotonicTime next_round;
  do {
    const std::vector<ShardNews> news = AskAll();
    const size_t before = choice.current();
    size_t next = before;
    if (const MonotonicTime now = MonotonicTime::Now(); now >= next_round) {
      const bool busy = appended_.exchange(false) || waits_;
      next = choice.Next(news, busy, absl::Uniform(random, 0.0, 1.0));
      next_round = now + options_.ask_every * absl::Uniform(random, 0.75, 1.25);
    }
    if (next == before && held_back())
      next = choice.NextIfHeldBack(news, absl::Uniform(random, 0.0, 1.0));
    if (next != before && !calls_.closed()) MoveTo(next);
    LetGo();
  } while (AwaitRound(next_round));
}

bool ShardedExperienceSink::AwaitRound(MonotonicTime next_round) {
  const auto closed_or_held_back = [this]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    return closed_ || held_back_;
  };
  const auto closed_or_let_in = [this]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    return closed_ || !held_back_;
  };
  const auto left = [&] { return next_round - MonotonicTime::Now(); };
  absl::MutexLock lock(&mutex_);
  while (AwaitFor(mutex_, absl::Condition(&closed_or_held_back), left())) {
    if (closed_) return false;
    if (AwaitFor(mutex_, absl::Condition(&closed_or_let_in), std::min(patience_, left()))) continue;
    patience_ = std::min(2 * patience_, options_.ask_every);
    return true;
  }
  return true;
}

v1::InfoResponse ShardedExperienceSink::Ask(v1::ExperienceService::Stub& stub) {
  grpc::ClientContext context;
  const CallGroup::Member member(calls_, context);
  SetTimeout(context, kAnswerWithin);
  v1::InfoResponse response;
  return stub.Info(&context, v1::InfoRequest(), &response).ok() ? response : v1::InfoResponse();
}

std::vector<ShardNews> ShardedExperienceSink::AskAll() {
  absl::flat_hash_map<std::string, v1::InfoResponse> answers;
  for (const auto& [address, stub] : stubs_) answers[address] = Ask(*stub);
  std::vector<ShardNews> all;
  for (const ExperiencePlace& place : options_.places) {
    ShardNews& news = all.emplace_back();
    const v1::InfoResponse& answer = answers[place.address];
    for (const v1::TableInfo& table : answer.tables())
      if (table.name() == place.target)
        news = {true, table.inserted_steps(), table.blocked_writers() == 0};
    // Writers of a queue are held back by what they may have on the way: ask its consumer.
    for (const v1::QueueInfo& queue : answer.queues()) {
      if (queue.name() != place.target) continue;
      const bool waited_for = queue.waiting_consumers() > 0;
      news = {true, queue.appended_steps(), /*wants=*/waited_for, /*starves=*/waited_for};
      of_queues_ = true;
    }
  }
  return all;
}

void ShardedExperienceSink::MoveTo(size_t shard) {
  absl::StatusOr<SinkPtr> next = MakeSink(shard);
  if (!next.ok()) {
    spdlog::error("{}", std::string(next.status().message()));
    return;
  }
  SinkPtr left;
  {
    absl::MutexLock lock(&mutex_);
    if (closed_) return;
    spdlog::info("appends to {} from now on, no longer to {}", NameOf(options_.places[shard]),
                 NameOf(options_.places[current_]));
    left = std::exchange(sink_, *std::move(next));
    current_ = shard;
    leaving_.push_back(left);
  }
  moved_ = true;
  left->Wake();
}

void ShardedExperienceSink::LetGo() {
  std::vector<SinkPtr> gone;  // Joined without the lock.
  absl::MutexLock lock(&mutex_);
  const auto first =
      std::stable_partition(leaving_.begin(), leaving_.end(), [](const SinkPtr& leaving) {
        // An Append that began before the move may still be on its way into it.
        const bool in_use = leaving.use_count() > 1;
        return in_use || (leaving->end().ok() && leaving->counts().unsettled > 0);
      });
  for (auto each = first; each != leaving_.end(); ++each) {
    PlaceSink::Counts counts = (*each)->counts();
    if (const int64_t lost = std::exchange(counts.unsettled, 0); lost > 0)
      spdlog::warn("{} rollouts were lost with a replay server: {}", lost,
                   std::string((*each)->end().message()));
    Add(counts, gone_);
    gone.push_back(std::move(*each));
  }
  leaving_.erase(first, leaving_.end());
}

}  // namespace cadre
