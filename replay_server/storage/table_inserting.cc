#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/check.h"
#include "common/status_macros.h"
#include "replay_server/storage/table_capacity.h"
#include "replay_server/storage/table_impl.h"

namespace cadre {
namespace {

// Batches that are copied after an insert had to wait for rows that were being sent.
constexpr int64_t kBatchesWithoutPins = 64;

int64_t DividedUp(int64_t a, int64_t b) { return (a + b - 1) / b; }

}  // namespace

void Table::Impl::Effects::Answer(AppendDone done, absl::Status status) {
  callbacks.push_back(
      [done = std::move(done), status = std::move(status)]() mutable { done(std::move(status)); });
}

void Table::Impl::Append(uint64_t stream, RolloutView rollout, AppendDone done) {
  const Layout* layout;
  {
    absl::MutexLock lock(&mutex_);
    layout = layout_.get();
  }
  // A stream has opened with a spec, or else there is nothing to check for.
  absl::Status valid =
      layout == nullptr ? absl::OkStatus() : ValidateRolloutView(layout->spec, rollout);
  const int64_t steps = valid.ok() ? rollout.steps() : 0;
  Effects effects;
  {
    absl::MutexLock lock(&mutex_);
    const std::optional<uint64_t> writer = streams_.WriterOf(stream);
    if (closed_ || !writer.has_value()) {
      effects.Answer(std::move(done),
                     closed_ ? ClosedError() : absl::CancelledError("the stream was closed"));
    } else {
      parked_.push_back({stream, *writer, std::move(rollout), steps, std::move(valid),
                         std::move(done), Clock::now()});
      // What needs no room is answered even behind others that are parked.
      if (TryAdmit(parked_.back(), effects)) parked_.pop_back();
    }
    Advance(effects);
  }
  Finish(std::move(effects));
}

absl::Status Table::Impl::CheckRollout(const ParkedAppend& append) const {
  const RolloutView& rollout = append.rollout;
  if (rollout.run_id != run_id_)
    return absl::InvalidArgumentError(
        absl::StrCat("rollout has run id '", rollout.run_id, "'; wanted '", run_id_, "'"));
  if (rollout.writer_id != append.writer)
    return absl::InvalidArgumentError(absl::StrCat("rollout has writer id ",
                                                   absl::Hex(rollout.writer_id), "; wanted ",
                                                   absl::Hex(append.writer), ", the stream's"));
  if (rollout.version < 0)
    return absl::InvalidArgumentError(
        absl::StrCat("rollout has version ", rollout.version, "; wanted 0 or more"));
  if (rollout.actor < 0)
    return absl::InvalidArgumentError(
        absl::StrCat("rollout has actor ", rollout.actor, "; wanted 0 or more"));
  CADRE_RETURN_IF_ERROR(append.valid);
  int64_t environment = 0;
  for (const v1::Segment& segment : rollout.segments)
    environment = std::max<int64_t>(environment, segment.environment());
  CADRE_RETURN_IF_ERROR(agreement_.CheckEnvironment(append.stream, environment));
  const int64_t rows = append.steps + static_cast<int64_t>(rollout.segments.size());
  if (rows > items_->segments().capacity())
    return absl::InvalidArgumentError(absl::StrCat("rollout has ", rows, " observations; ", Where(),
                                                   "there is room for ",
                                                   items_->segments().capacity(), " in all"));
  const int64_t items = items_->CountItems(append.writer, rollout.segments);
  if (const int64_t most = options_.config.capacity_items(); most > 0 && items > most)
    return absl::InvalidArgumentError(
        absl::StrCat("rollout makes ", items, " items; ", Where(), "capacity_items is ", most));
  CADRE_RETURN_IF_ERROR(CheckWindowsFit(append, rows));
  return limiter_.CheckInsert(items);
}

absl::Status Table::Impl::CheckWindowsFit(const ParkedAppend& append, int64_t rows) const {
  if (rows <= items_->segments().free_rows()) return absl::OkStatus();  // There is room as yet.
  const int64_t capacity = items_->segments().capacity();
  // As if every segment were another environment's: most tables hold even these.
  const TableWriters most{.environments = items_->open_episodes() +
                                          static_cast<int64_t>(append.rollout.segments.size())};
  if (LeastRowsOfLongEpisodes(options_.config, most) +
          2 * (streams_.streams() + 1) * append.steps <=
      capacity)
    return absl::OkStatus();
  // Those whose windows go on; an episode's end completes all of its own.
  absl::flat_hash_map<int32_t, bool> goes_on;
  for (const v1::Segment& segment : append.rollout.segments)
    goes_on[segment.environment()] = segment.end() == v1::SEGMENT_END_CUT;
  const int64_t open = std::count_if(goes_on.begin(), goes_on.end(),
                                     [](const auto& environment) { return environment.second; });
  const int64_t segment_length = DividedUp(append.steps, static_cast<int64_t>(goes_on.size()));
  const TableWriters up_to_this = EarlierAnd(append.writer, open, segment_length);
  const TableWriters all{.count = streams_.writers(),
                         .environments = std::max(open, up_to_this.environments),
                         .segment_length = segment_length};
  const absl::Status status =
      CheckTableHolds(options_.config, layout_->spec, capacity, up_to_this, all);
  if (status.ok()) return status;
  std::string line = absl::StrCat(Where(), status.message());
  if (options_.writers.has_value())
    absl::StrAppend(&line, "; it was sized for the config's ",
                    options_.writers->all_environments());
  return absl::Status(status.code(), line);
}

TableWriters Table::Impl::EarlierAnd(uint64_t writer, int64_t environments,
                                     int64_t segment_length) const {
  // One of which nothing is held does not compete for room, such as one that died.
  const absl::flat_hash_set<uint64_t> earlier = streams_.WritersBefore(writer);
  TableWriters all{.count = 1, .environments = environments, .segment_length = segment_length};
  if (environments == 0) return all;
  for (const auto& [other, episodes] : items_->OpenEpisodesByWriter()) {
    if (!earlier.contains(other)) continue;
    ++all.count;
    all.environments += episodes;
  }
  all.environments /= all.count;  // Rounded down, as nobody is to be refused by mistake.
  return all;
}

bool Table::Impl::TryAdmit(ParkedAppend& append, Effects& effects) {
  const RolloutView& rollout = append.rollout;
  switch (sequences_.Check(append.writer, rollout.sequence)) {
    case WriterSequences::Verdict::kNext:
      break;
    case WriterSequences::Verdict::kDuplicate:
      ++counts_.duplicate_rollouts;
      effects.Answer(std::move(append.done), absl::OkStatus());
      return true;
    case WriterSequences::Verdict::kGap:
      effects.Answer(std::move(append.done),
                     absl::AbortedError(absl::StrCat(
                         "writer ", absl::Hex(append.writer), " sent sequence ", rollout.sequence,
                         "; wanted ", std::max<uint64_t>(1, sequences_.next(append.writer)))));
      return true;
  }
  // The one before, from an older stream, is still being copied: episodes go in order.
  if (sequences_.next(append.writer) != 0 &&
      sequences_.settled(append.writer) + 1 != rollout.sequence)
    return false;
  if (absl::Status status = CheckRollout(append); !status.ok()) {
    ++counts_.refused_rollouts;
    items_->BreakEpisodes(append.writer);
    sequences_.Accept(append.writer, rollout.sequence);
    Settle(append.writer, rollout.sequence, effects);
    effects.Answer(std::move(append.done), std::move(status));
    return true;
  }
  const int64_t items = items_->CountItems(append.writer, rollout.segments);
  const int64_t rows = append.steps + static_cast<int64_t>(rollout.segments.size());
  if (&append != &parked_.front() || saving_ ||
      !limiter_.MayInsert(items, items_->size() + planned_items_))
    return false;
  if (!items_->MakeRoom(rows)) {
    // Who inserts much is not to wait for each batch to be sent.
    if (pins_ != nullptr && pins_->Wanted()) unpinned_batches_ = kBatchesWithoutPins;
    return false;
  }
  sequences_.Accept(append.writer, rollout.sequence);
  limiter_.Insert(items);
  planned_items_ += items;
  ++insertions_;
  TakenRows taken = items_->TakeRows(rollout.segments);
  effects.insertions.push_back({append.writer, std::move(append.rollout), append.steps, items,
                                std::move(taken), std::move(append.done)});
  return true;
}

void Table::Impl::Commit(Insertion insertion, Effects& effects) {
  const RolloutView& rollout = insertion.rollout;
  const int64_t added = items_->Commit(insertion.rows, insertion.writer, rollout.segments,
                                       rollout.priorities, counts_.inserted_steps);
  --insertions_;
  planned_items_ -= insertion.planned_items;
  // Items that were open when it was admitted may have been removed since.
  limiter_.Insert(added - insertion.planned_items);
  counts_.inserted_items += added;
  counts_.inserted_steps += insertion.steps;
  ++counts_.inserted_rollouts;
  for (const v1::Episode& episode : rollout.episodes) episodes_.Add(episode);
  Settle(insertion.writer, rollout.sequence, effects);
  effects.Answer(std::move(insertion.done), absl::OkStatus());
}

void Table::Impl::Advance(Effects& effects) {
  while (!parked_.empty() && TryAdmit(parked_.front(), effects)) {
    LeavePark(parked_.front());
    parked_.pop_front();
  }
  LetSamplersGoOn(effects);
  for (const uint64_t writer : effects.settled_writers) {
    const uint64_t settled = sequences_.settled(writer);
    if (auto listener = streams_.Settled(writer, settled))
      effects.callbacks.push_back([call = std::move(listener), settled] { (*call)(settled); });
  }
  effects.settled_writers.clear();
}

void Table::Impl::Settle(uint64_t writer, uint64_t sequence, Effects& effects) {
  sequences_.Settle(writer, sequence);
  effects.settled_writers.insert(writer);
}

void Table::Impl::LeavePark(ParkedAppend& append) {
  writers_blocked_ += Clock::now() - append.since;
}

void Table::Impl::Finish(Effects effects) {
  while (true) {
    for (absl::AnyInvocable<void()>& callback : effects.callbacks) callback();
    if (effects.insertions.empty()) return;
    Effects next;
    for (Insertion& insertion : effects.insertions) {
      Layout* layout;
      {
        absl::MutexLock lock(&mutex_);
        layout = layout_.get();
      }
      layout->storage.Write(insertion.rollout.columns, insertion.rows.segments);
      absl::MutexLock lock(&mutex_);
      Commit(std::move(insertion), next);
      Advance(next);
    }
    effects = std::move(next);
  }
}

}  // namespace cadre
