#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/synchronization/notification.h"
#include "common/check.h"
#include "common/status_macros.h"
#include "replay_server/storage/table_impl.h"

namespace cadre {
namespace {

// Larger rows are sent from where they stand, if nobody needs them meanwhile: below, a
// piece of a message of its own costs more than copying it.
constexpr int64_t kMostCopiedBytes = 8192;

using OwnedBoth = std::pair<std::shared_ptr<const void>, std::shared_ptr<const void>>;

// Updates whose rows are on their way while others are set.
constexpr size_t kAhead = 16;

bool IsPriority(float priority) { return std::isfinite(priority) && priority >= 0; }

}  // namespace

absl::StatusOr<BatchInPlace> Table::Impl::Sample(uint64_t sampler, const SampleOptions& options,
                                                 bool in_place) {
  while (true) {
    absl::StatusOr<std::optional<BatchInPlace>> sampled = TrySample(sampler, options, in_place);
    if (!sampled.ok()) return sampled.status();
    if (sampled->has_value()) return **std::move(sampled);
    absl::Notification ready;
    WhenSampleable(sampler, options, [&ready] { ready.Notify(); });
    ready.WaitForNotification();
  }
}

absl::StatusOr<std::optional<BatchInPlace>> Table::Impl::TrySample(uint64_t sampler_id,
                                                                   const SampleOptions& options,
                                                                   bool in_place) {
  std::shared_ptr<Sampler> sampler;
  std::shared_ptr<const Layout> layout;
  {
    absl::MutexLock lock(&mutex_);
    const auto it = samplers_.find(sampler_id);
    if (closed_) return ClosedError();
    if (it == samplers_.end()) return absl::CancelledError("the sampler was closed");
    CADRE_RETURN_IF_ERROR(CheckSample(options));
    sampler = it->second;
    layout = layout_;
    const bool may = MaySample(*sampler, options);
    Unpromise(*sampler);
    if (!may) return std::nullopt;
    Promise(*sampler, options.items);  // While the batch gets its memory.
    in_place = in_place && MayPin(options);
  }
  BatchInMaking made =
      AllocateBatch(batch_memory_, layout->batch_columns, options.items,
                    in_place ? kMostCopiedBytes : std::numeric_limits<int64_t>::max());
  BatchInPlace sampled;
  uint64_t gather;
  {
    absl::MutexLock lock(&mutex_);
    const bool may = MaySample(*sampler, options);
    Unpromise(*sampler);
    if (closed_) return ClosedError();
    if (sampler->closed) return absl::CancelledError("the sampler was closed");
    if (!may) return std::nullopt;
    TellNews(*sampler, made.batch);
    if (options.items == 0) return BatchInPlace{std::move(made.batch), {}};
    gather = Choose(*sampler, made);
    if (in_place)
      made.batch.owner = pins_->Pin(
          gather, std::make_shared<OwnedBoth>(made.batch.owner, layout),
          sampler->overdue != nullptr ? sampler->overdue : [] {});
  }
  const Clock::time_point gathering = Clock::now();
  layout->gather.Gather(layout->storage, sampler->items, &made);
  if (in_place)
    sampled.rows = layout->gather.Refer(layout->storage, sampler->items, made);
  else
    EndGathers({gather});
  ImportanceWeights(made.batch.probabilities, options.importance_exponent,
                    absl::MakeSpan(made.weights, options.items));
  gathering_nanoseconds_.fetch_add((Clock::now() - gathering) / std::chrono::nanoseconds(1),
                                   std::memory_order_relaxed);
  sampled.batch = std::move(made.batch);
  return sampled;
}

absl::StatusOr<std::unique_ptr<RowPins>> Table::Impl::StartPins(const Layout& layout) {
  // What may have to come from a disk is not to be waited for while sending.
  if (!options_.storage_path.empty() || !layout.gather.refers()) return nullptr;
  const std::vector<RowStorage::Column>& columns = layout.storage.columns();
  if (std::none_of(columns.begin(), columns.end(), [](const RowStorage::Column& column) {
        return column.row_bytes > kMostCopiedBytes;
      }))
    return nullptr;
  return RowPins::Create([this](const std::vector<uint64_t>& gathers) { EndGathers(gathers); });
}

bool Table::Impl::MayPin(const SampleOptions& options) {
  // When rows become free again must not show in which are taken next: a learner in lockstep
  // asks for steps.
  if (pins_ == nullptr || options.items == 0 || options.min_inserted_steps > 0) return false;
  if (unpinned_batches_ == 0) return true;
  --unpinned_batches_;
  return false;
}

void Table::Impl::EndGathers(const std::vector<uint64_t>& gathers) {
  Effects effects;
  {
    absl::MutexLock lock(&mutex_);
    for (const uint64_t gather : gathers) items_->segments().EndGather(gather);
    Advance(effects);
  }
  Finish(std::move(effects));
}

absl::Status Table::Impl::CheckSample(const SampleOptions& options) const {
  const int64_t most = std::max<int64_t>(1, kLargestBatchBytes / layout_->item_bytes);
  if (options.items < 0 || options.items > most)
    return absl::InvalidArgumentError(
        absl::StrCat(Where(), "sample of ", options.items, " items; wanted 0 to ", most));
  if (!std::isfinite(options.importance_exponent) || options.importance_exponent < 0)
    return absl::InvalidArgumentError(absl::StrCat(Where(), "importance exponent is ",
                                                   options.importance_exponent,
                                                   "; wanted a finite number >= 0"));
  const int64_t times = options_.config.max_times_sampled();
  const int64_t rows = items_->segments().capacity();
  if (times > 0 && options.items / times >= rows)
    return absl::InvalidArgumentError(
        absl::StrCat(Where(), "sample of ", options.items, " items; it has ", rows,
                     " rows, each sampled at most ", times, " times"));
  return limiter_.CheckSample(options.items);
}

bool Table::Impl::MaySample(const Sampler& sampler, const SampleOptions& options) const {
  if (closed_ || sampler.closed) return true;
  if (counts_.inserted_steps < options.min_inserted_steps) return false;
  if (options.items == 0) return true;
  // Sampling that removes items would change what is being saved.
  if (saving_ && options_.config.max_times_sampled() > 0) return false;
  const int64_t items = options.items + promised_items_ - sampler.promised;
  return items_->Has(items) && limiter_.MaySample(items, items_->size());
}

void Table::Impl::WhenSampleable(uint64_t sampler, const SampleOptions& options,
                                 absl::AnyInvocable<void()> ready) {
  Effects effects;
  {
    absl::MutexLock lock(&mutex_);
    const auto it = samplers_.find(sampler);
    if (closed_ || it == samplers_.end())
      effects.callbacks.push_back(std::move(ready));  // To hear why.
    else
      waiting_samplers_.push_back({it->second, options, Clock::now(), std::move(ready)});
    LetSamplersGoOn(effects);
  }
  Finish(std::move(effects));
}

void Table::Impl::LetSamplersGoOn(Effects& effects) {
  for (auto waiting = waiting_samplers_.begin(); waiting != waiting_samplers_.end();) {
    Sampler& sampler = *waiting->sampler;
    if (!MaySample(sampler, waiting->options)) {
      ++waiting;
      continue;
    }
    if (!sampler.closed) Promise(sampler, waiting->options.items);
    samplers_waited_ += Clock::now() - waiting->since;
    effects.callbacks.push_back(std::move(waiting->ready));
    waiting = waiting_samplers_.erase(waiting);
  }
}

void Table::Impl::Promise(Sampler& sampler, int64_t items) {
  Unpromise(sampler);
  sampler.promised = items;
  promised_items_ += items;
}

void Table::Impl::Unpromise(Sampler& sampler) {
  promised_items_ -= sampler.promised;
  sampler.promised = 0;
}

void Table::Impl::TellNews(Sampler& sampler, ReplayBatch& batch) {
  batch.table_items = items_->size();
  batch.table_mass = items_->mass();
  batch.inserted_steps = counts_.inserted_steps;
  batch.episodes = episodes_.ReadFrom(&sampler.next_episode);
}

uint64_t Table::Impl::Choose(Sampler& sampler, BatchInMaking& made) {
  ReplayBatch& batch = made.batch;
  const uint64_t gather = items_->segments().BeginGather();
  SampledItems& items = sampler.items;
  items.keys = {made.keys, static_cast<size_t>(batch.items)};
  items.probabilities = {made.probabilities, static_cast<size_t>(batch.items)};
  items.ages = {made.ages, static_cast<size_t>(batch.items)};
  items_->Select(random_, counts_.inserted_steps, &items);
  limiter_.Sample(batch.items);
  counts_.sampled_items += batch.items;
  ++counts_.sampled_batches;
  return gather;
}

void Table::Impl::SetPriority(uint64_t key, float priority) {
  if (items_ != nullptr && items_->SetPriority(key, priority))
    ++counts_.updated_priorities;
  else
    ++counts_.stale_priorities;
}

absl::Status Table::Impl::UpdatePriorities(absl::Span<const uint64_t> keys,
                                           absl::Span<const float> priorities) {
  if (keys.size() != priorities.size())
    return absl::InvalidArgumentError(
        absl::StrCat(Where(), "got ", keys.size(), " keys and ", priorities.size(), " priorities"));
  absl::MutexLock lock(&mutex_);
  if (closed_) return ClosedError();
  size_t first_bad = keys.size();
  for (size_t i = 0; i < keys.size(); ++i) {
    if (!IsPriority(priorities[i])) {
      first_bad = std::min(first_bad, i);
      continue;
    }
    if (items_ != nullptr && i + kAhead < keys.size()) items_->Prefetch(keys[i + kAhead]);
    if (updates_deferred_)
      deferred_updates_.emplace_back(keys[i], priorities[i]);
    else
      SetPriority(keys[i], priorities[i]);
  }
  if (first_bad == keys.size()) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat(Where(), "priority of item ", absl::Hex(keys[first_bad]), " is ",
                   priorities[first_bad], "; wanted a finite number >= 0"));
}

}  // namespace cadre
