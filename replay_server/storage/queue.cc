#include "replay_server/storage/queue.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/check.h"
#include "common/experience/experience_spec.h"
#include "common/status_macros.h"

namespace cadre {

void Queue::Effects::AnswerAppend(AppendDone done, absl::Status status) {
  callbacks.push_back(
      [done = std::move(done), status = std::move(status)]() mutable { done(std::move(status)); });
}

void Queue::Effects::AnswerTake(TakeDone done, absl::StatusOr<Lease> lease) {
  callbacks.push_back(
      [done = std::move(done), lease = std::move(lease)]() mutable { done(std::move(lease)); });
}

void Queue::Effects::Run() {
  for (absl::AnyInvocable<void()>& callback : callbacks) callback();
}

Queue::Queue(QueueOptions options)
    : options_(std::move(options)),
      run_id_(options_.run_id),
      agreement_(options_.agreed),
      sequences_(options_.max_idle_writers) {
  CADRE_CHECK(options_.capacity_steps > 0 && options_.capacity_bytes > 0 &&
              options_.max_version_lag >= 0);
}

Queue::~Queue() { Close(); }

absl::StatusOr<Queue::WriterStream> Queue::OpenWriter(absl::string_view run_id, uint64_t writer_id,
                                                      const v1::ExperienceSpec& spec,
                                                      SettledListener listener) {
  absl::MutexLock lock(&mutex_);
  CADRE_RETURN_IF_ERROR(CheckOpen(run_id, spec));
  const uint64_t stream = ++last_id_;
  sequences_.Open(writer_id);
  const uint64_t settled = sequences_.settled(writer_id);
  streams_.Open(stream, writer_id, settled, std::move(listener));
  agreement_.Open(stream, spec);
  return WriterStream{stream, settled};
}

void Queue::CloseWriter(uint64_t stream) {
  Effects effects;
  {
    absl::MutexLock lock(&mutex_);
    const std::optional<uint64_t> writer = streams_.Close(stream);
    if (!writer.has_value()) return;
    const auto parked =
        std::find_if(parked_.begin(), parked_.end(),
                     [stream](const ParkedAppend& append) { return append.stream == stream; });
    if (parked != parked_.end()) {
      effects.AnswerAppend(std::move(parked->done), absl::CancelledError("the stream was closed"));
      parked_.erase(parked);
    }
    sequences_.Close(*writer);
    agreement_.Close(stream);
    Advance(effects);
    TellListeners(effects);
  }
  effects.Run();
}

void Queue::Append(uint64_t stream, v1::Rollout rollout, AppendDone done) {
  const v1::ExperienceSpec* spec;
  {
    absl::MutexLock lock(&mutex_);
    spec = spec_ ? &*spec_ : nullptr;
  }
  // A stream has opened with a spec, or else there is nothing to check for.
  absl::Status valid = spec == nullptr ? absl::OkStatus() : ValidateRollout(*spec, rollout);
  const int64_t steps = RolloutSteps(rollout);
  const int64_t bytes = static_cast<int64_t>(rollout.ByteSizeLong());
  Effects effects;
  {
    absl::MutexLock lock(&mutex_);
    const std::optional<uint64_t> writer = streams_.WriterOf(stream);
    if (closed_ || !writer.has_value()) {
      effects.AnswerAppend(std::move(done),
                           closed_ ? ClosedError() : absl::CancelledError("the stream was closed"));
    } else {
      parked_.push_back(
          {stream, *writer, std::move(rollout), steps, bytes, std::move(valid), std::move(done)});
      // What needs no room is answered even behind others that are parked.
      if (std::optional<absl::Status> answer = TryAdmit(parked_.back(), effects)) {
        effects.AnswerAppend(std::move(parked_.back().done), *std::move(answer));
        parked_.pop_back();
      }
      Advance(effects);
    }
    TellListeners(effects);
  }
  effects.Run();
}

absl::StatusOr<uint64_t> Queue::OpenConsumer(absl::string_view run_id,
                                             const v1::ExperienceSpec& spec) {
  absl::MutexLock lock(&mutex_);
  CADRE_RETURN_IF_ERROR(CheckOpen(run_id, spec));
  const uint64_t consumer = ++last_id_;
  consumers_.insert(consumer);
  agreement_.Open(consumer, spec);
  return consumer;
}

void Queue::CloseConsumer(uint64_t consumer) {
  Effects effects;
  {
    absl::MutexLock lock(&mutex_);
    consumers_.erase(consumer);
    agreement_.Close(consumer);
    const auto cancelled = std::stable_partition(
        takes_.begin(), takes_.end(),
        [consumer](const PendingTake& take) { return take.consumer != consumer; });
    for (auto take = cancelled; take != takes_.end(); ++take)
      effects.AnswerTake(std::move(take->done), absl::CancelledError("the stream was closed"));
    takes_.erase(cancelled, takes_.end());
    Advance(effects);
    TellListeners(effects);
  }
  effects.Run();
}

void Queue::Take(uint64_t consumer, int64_t steps, int64_t version, TakeDone done) {
  Effects effects;
  {
    absl::MutexLock lock(&mutex_);
    if (absl::Status status = CheckTake(consumer, steps, version); !status.ok()) {
      effects.AnswerTake(std::move(done), std::move(status));
    } else {
      newest_version_ = std::max(newest_version_, version);
      DropStale(effects);
      takes_.push_back({consumer, steps, std::move(done)});
      Advance(effects);
    }
    TellListeners(effects);
  }
  effects.Run();
}

absl::Status Queue::Acknowledge(uint64_t lease_id) {
  Effects effects;
  {
    absl::MutexLock lock(&mutex_);
    const auto it = leases_.find(lease_id);
    if (it == leases_.end())
      return absl::NotFoundError(
          absl::StrCat("queue '", options_.name, "' has no open lease ", lease_id));
    for (const QueuedRollout& entry : it->second) {
      ++counts_.acknowledged_rollouts;
      counts_.acknowledged_steps += entry.steps;
      --counts_.leased_rollouts;
      Settle(entry.writer, entry.sequence, effects);
    }
    leases_.erase(it);
    TellListeners(effects);
  }
  effects.Run();
  return absl::OkStatus();
}

void Queue::Return(Lease lease) {
  Effects effects;
  {
    absl::MutexLock lock(&mutex_);
    const auto it = leases_.find(lease.id);
    CADRE_CHECK(it != leases_.end() && it->second.size() == lease.rollouts.size());
    std::vector<QueuedRollout> entries = std::move(it->second);
    leases_.erase(it);
    for (size_t i = 0; i < entries.size(); ++i) {
      entries[i].rollout = std::move(lease.rollouts[i]);
      --counts_.leased_rollouts;
      ++counts_.returned_rollouts;
      waiting_.Insert(std::move(entries[i]));
    }
    DropStale(effects);
    Advance(effects);
    TellListeners(effects);
  }
  effects.Run();
}

void Queue::Close() {
  Effects effects;
  {
    absl::MutexLock lock(&mutex_);
    closed_ = true;
    for (ParkedAppend& append : parked_)
      effects.AnswerAppend(std::move(append.done), ClosedError());
    parked_.clear();
    for (PendingTake& take : takes_) effects.AnswerTake(std::move(take.done), ClosedError());
    takes_.clear();
    TellListeners(effects);
  }
  effects.Run();
}

v1::QueueInfo Queue::Info() const {
  v1::QueueInfo info;
  info.set_name(options_.name);
  info.set_capacity_steps(options_.capacity_steps);
  info.set_capacity_bytes(options_.capacity_bytes);
  info.set_max_version_lag(options_.max_version_lag);
  absl::MutexLock lock(&mutex_);
  info.set_run_id(run_id_);
  info.set_waiting_rollouts(static_cast<int64_t>(waiting_.size()));
  info.set_waiting_steps(waiting_.steps());
  info.set_waiting_bytes(waiting_.bytes());
  info.set_leased_rollouts(counts_.leased_rollouts);
  info.set_appended_rollouts(counts_.appended_rollouts);
  info.set_appended_steps(counts_.appended_steps);
  info.set_acknowledged_rollouts(counts_.acknowledged_rollouts);
  info.set_acknowledged_steps(counts_.acknowledged_steps);
  info.set_dropped_stale_rollouts(counts_.dropped_stale_rollouts);
  info.set_dropped_stale_steps(counts_.dropped_stale_steps);
  info.set_refused_rollouts(counts_.refused_rollouts);
  info.set_duplicate_rollouts(counts_.duplicate_rollouts);
  info.set_returned_rollouts(counts_.returned_rollouts);
  info.set_newest_version(newest_version_);
  info.set_blocked_writers(static_cast<int64_t>(parked_.size()));
  info.set_waiting_consumers(static_cast<int64_t>(takes_.size()));
  return info;
}

Queue::Waits Queue::waits() const {
  absl::MutexLock lock(&mutex_);
  const TimeIntegral::Clock::time_point now = TimeIntegral::Clock::now();
  return {blocked_.seconds(now), lacking_.seconds(now), held_.seconds(now)};
}

absl::Status Queue::CheckOpen(absl::string_view run_id, const v1::ExperienceSpec& spec) {
  if (closed_) return ClosedError();
  const std::string where = absl::StrCat("queue '", options_.name, "': ");
  if (run_id.empty())
    return absl::InvalidArgumentError(absl::StrCat(where, "the stream opened without a run id"));
  if (!run_id_.empty() && run_id != run_id_)
    return absl::FailedPreconditionError(
        absl::StrCat(where, "got run id '", run_id, "'; wanted '", run_id_, "'"));
  absl::Status status = spec_ ? CheckSameSpec(*spec_, spec) : ValidateSpec(spec);
  status.Update(agreement_.Check(spec));
  if (!status.ok()) return absl::Status(status.code(), absl::StrCat(where, status.message()));
  run_id_ = std::string(run_id);
  if (!spec_) {
    spec_ = spec;
    spec_->clear_agreed();
  }
  return absl::OkStatus();
}

absl::Status Queue::CheckRollout(const ParkedAppend& append) const {
  const v1::Rollout& rollout = append.rollout;
  if (rollout.run_id() != run_id_)
    return absl::InvalidArgumentError(
        absl::StrCat("rollout has run id '", rollout.run_id(), "'; wanted '", run_id_, "'"));
  if (rollout.writer_id() != append.writer)
    return absl::InvalidArgumentError(absl::StrCat("rollout has writer id ",
                                                   absl::Hex(rollout.writer_id()), "; wanted ",
                                                   absl::Hex(append.writer), ", the stream's"));
  if (rollout.version() < 0)
    return absl::InvalidArgumentError(
        absl::StrCat("rollout has version ", rollout.version(), "; wanted 0 or more"));
  if (rollout.actor() < 0)
    return absl::InvalidArgumentError(
        absl::StrCat("rollout has actor ", rollout.actor(), "; wanted 0 or more"));
  CADRE_RETURN_IF_ERROR(append.valid);
  int64_t environment = 0;
  for (const v1::Segment& segment : rollout.segments())
    environment = std::max<int64_t>(environment, segment.environment());
  return agreement_.CheckEnvironment(append.stream, environment);
}

absl::Status Queue::CheckTake(uint64_t consumer, int64_t steps, int64_t version) const {
  if (closed_) return ClosedError();
  if (!consumers_.contains(consumer)) return absl::CancelledError("the stream was closed");
  if (steps < 1 || steps > options_.capacity_steps)
    return absl::InvalidArgumentError(absl::StrCat("queue '", options_.name, "': take of ", steps,
                                                   " steps; wanted 1 to its capacity of ",
                                                   options_.capacity_steps));
  if (version < 0)
    return absl::InvalidArgumentError(absl::StrCat(
        "queue '", options_.name, "': take with version ", version, "; wanted 0 or more"));
  return absl::OkStatus();
}

std::optional<absl::Status> Queue::TryAdmit(ParkedAppend& append, Effects& effects) {
  const uint64_t sequence = append.rollout.sequence();
  switch (sequences_.Check(append.writer, sequence)) {
    case WriterSequences::Verdict::kNext:
      break;
    case WriterSequences::Verdict::kDuplicate:
      ++counts_.duplicate_rollouts;
      return absl::OkStatus();
    case WriterSequences::Verdict::kGap:
      return absl::AbortedError(
          absl::StrCat("writer ", absl::Hex(append.writer), " sent sequence ", sequence,
                       "; wanted ", std::max<uint64_t>(1, sequences_.next(append.writer))));
  }
  if (absl::Status status = CheckRollout(append); !status.ok()) {
    ++counts_.refused_rollouts;
    sequences_.Accept(append.writer, sequence);
    Settle(append.writer, sequence, effects);
    return status;
  }
  const bool stale = append.rollout.version() < OldestVersion();
  if (!stale && (&append != &parked_.front() || !HasRoom(append))) return std::nullopt;
  sequences_.Accept(append.writer, sequence);
  ++counts_.appended_rollouts;
  counts_.appended_steps += append.steps;
  if (stale) {
    ++counts_.dropped_stale_rollouts;
    counts_.dropped_stale_steps += append.steps;
    Settle(append.writer, sequence, effects);
    return absl::OkStatus();
  }
  const int64_t version = append.rollout.version();
  waiting_.Insert({std::move(append.rollout), append.writer, sequence, version, append.steps,
                   append.bytes, ++last_id_});
  return absl::OkStatus();
}

bool Queue::HasRoom(const ParkedAppend& append) const {
  if (waiting_.empty()) return true;
  const bool steps_fit = waiting_.steps() + append.steps <= options_.capacity_steps ||
                         (!takes_.empty() && waiting_.steps() < takes_.front().steps);
  return steps_fit && waiting_.bytes() + append.bytes <= options_.capacity_bytes;
}

int64_t Queue::OldestVersion() const { return newest_version_ - options_.max_version_lag; }

void Queue::DropStale(Effects& effects) {
  for (const QueuedRollout& stale : waiting_.RemoveBelow(OldestVersion())) {
    ++counts_.dropped_stale_rollouts;
    counts_.dropped_stale_steps += stale.steps;
    Settle(stale.writer, stale.sequence, effects);
  }
}

void Queue::HandOut(Effects& effects) {
  PendingTake take = std::move(takes_.front());
  takes_.pop_front();
  std::vector<QueuedRollout> oldest = waiting_.RemoveOldest(take.steps);
  Lease lease;
  lease.id = ++last_id_;
  lease.rollouts.reserve(oldest.size());
  for (QueuedRollout& entry : oldest) lease.rollouts.push_back(std::move(entry.rollout));
  counts_.leased_rollouts += static_cast<int64_t>(oldest.size());
  leases_[lease.id] = std::move(oldest);
  effects.AnswerTake(std::move(take.done), std::move(lease));
}

void Queue::Advance(Effects& effects) {
  while (true) {
    if (!takes_.empty() && waiting_.steps() >= takes_.front().steps) {
      HandOut(effects);
      continue;
    }
    if (parked_.empty()) return;
    if (std::optional<absl::Status> answer = TryAdmit(parked_.front(), effects)) {
      effects.AnswerAppend(std::move(parked_.front().done), *std::move(answer));
      parked_.pop_front();
      continue;
    }
    if (takes_.empty()) return;
    // For a take that lacks steps HasRoom minds bytes alone: it would wait for ever.
    effects.AnswerTake(std::move(takes_.front().done),
                       absl::ResourceExhaustedError(absl::StrCat(
                           "queue '", options_.name, "': take of ", takes_.front().steps,
                           " steps; ", waiting_.steps(), " steps fill ", waiting_.bytes(), " of ",
                           options_.capacity_bytes, " bytes, and the next rollout has ",
                           parked_.front().bytes, ": capacity_bytes is too small for it")));
    takes_.pop_front();
  }
}

void Queue::Settle(uint64_t writer, uint64_t sequence, Effects& effects) {
  sequences_.Settle(writer, sequence);
  effects.settled_writers.insert(writer);
}

void Queue::TellListeners(Effects& effects) {
  for (uint64_t writer : effects.settled_writers) {
    const uint64_t settled = sequences_.settled(writer);
    if (auto listener = streams_.Settled(writer, settled))
      effects.callbacks.push_back([call = std::move(listener), settled] { (*call)(settled); });
  }
  const TimeIntegral::Clock::time_point now = TimeIntegral::Clock::now();
  blocked_.Set(static_cast<int64_t>(parked_.size()), now);
  lacking_.Set(static_cast<int64_t>(takes_.size()), now);
  held_.Set(static_cast<int64_t>(waiting_.size()) + counts_.leased_rollouts, now);
}

absl::Status Queue::ClosedError() const {
  return absl::CancelledError(absl::StrCat("queue '", options_.name, "' is closed"));
}

}  // namespace cadre
