#include "replay_server/storage/table.h"

#include <algorithm>
#include <utility>

#include "absl/memory/memory.h"
#include "absl/strings/str_cat.h"
#include "common/check.h"
#include "common/experience/experience_spec.h"
#include "common/status_macros.h"
#include "replay_server/storage/table_capacity.h"
#include "replay_server/storage/table_impl.h"

namespace cadre {
namespace {

// Independent random numbers for what is drawn and what is removed.
enum RandomStream : uint64_t { kSampling = 1, kRemoving = 2 };

}  // namespace

Table::Impl::Impl(TableOptions options)
    : options_(std::move(options)),
      run_id_(options_.run_id),
      limiter_(options_.config.rate_limiter()),
      random_(Random::ForStream(options_.seed, kSampling)),
      agreement_(options_.agreed),
      sequences_(options_.max_idle_writers) {}

// Those who let go of rows later find nobody to tell.
Table::Impl::~Impl() {
  std::unique_ptr<RowPins> pins;
  absl::MutexLock lock(&mutex_);
  pins = std::move(pins_);
}

absl::StatusOr<Table::WriterStream> Table::Impl::OpenWriter(absl::string_view run_id,
                                                            uint64_t writer_id,
                                                            const v1::ExperienceSpec& spec,
                                                            uint64_t first_sequence,
                                                            SettledListener listener) {
  CADRE_RETURN_IF_ERROR(AllocateOnce(run_id, spec));
  absl::MutexLock lock(&mutex_);
  CADRE_RETURN_IF_ERROR(CheckOpen(run_id, spec));
  const uint64_t stream = ++last_id_;
  sequences_.Open(writer_id);
  uint64_t settled = sequences_.settled(writer_id);
  if (first_sequence > settled + 1 && sequences_.next(writer_id) == (settled ? settled + 1 : 0)) {
    counts_.lost_rollouts += static_cast<int64_t>(first_sequence - 1 - settled);
    sequences_.Skip(writer_id, first_sequence - 1);
    if (items_ != nullptr) items_->BreakEpisodes(writer_id);
    settled = first_sequence - 1;
  }
  streams_.Open(stream, writer_id, settled, std::move(listener));
  agreement_.Open(stream, spec);
  return WriterStream{stream, settled};
}

void Table::Impl::CloseWriter(uint64_t stream) {
  Effects effects;
  {
    absl::MutexLock lock(&mutex_);
    const std::optional<uint64_t> writer = streams_.Close(stream);
    if (!writer.has_value()) return;
    const auto parked =
        std::find_if(parked_.begin(), parked_.end(),
                     [stream](const ParkedAppend& append) { return append.stream == stream; });
    if (parked != parked_.end()) {
      LeavePark(*parked);
      effects.Answer(std::move(parked->done), absl::CancelledError("the stream was closed"));
      parked_.erase(parked);
    }
    sequences_.Close(*writer);
    agreement_.Close(stream);
    Advance(effects);
  }
  Finish(std::move(effects));
}

absl::StatusOr<uint64_t> Table::Impl::OpenSampler(absl::string_view run_id,
                                                  const v1::ExperienceSpec& spec,
                                                  std::function<void()> overdue) {
  CADRE_RETURN_IF_ERROR(AllocateOnce(run_id, spec));
  absl::MutexLock lock(&mutex_);
  CADRE_RETURN_IF_ERROR(CheckOpen(run_id, spec));
  const uint64_t id = ++last_id_;
  samplers_[id] = std::make_shared<Sampler>();
  samplers_[id]->next_episode = episodes_.unread();
  samplers_[id]->overdue = std::move(overdue);
  agreement_.Open(id, spec);
  return id;
}

void Table::Impl::CloseSampler(uint64_t sampler) {
  Effects effects;
  {
    absl::MutexLock lock(&mutex_);
    const auto it = samplers_.find(sampler);
    if (it == samplers_.end()) return;
    it->second->closed = true;
    agreement_.Close(sampler);
    Unpromise(*it->second);
    samplers_.erase(it);
    Advance(effects);
  }
  Finish(std::move(effects));
}

absl::StatusOr<std::vector<v1::ColumnSpec>> Table::Impl::batch_columns() const {
  absl::MutexLock lock(&mutex_);
  if (layout_ == nullptr)
    return absl::FailedPreconditionError(absl::StrCat(Where(), "nobody has shown it a spec yet"));
  return layout_->batch_columns;
}

bool Table::Impl::allocated() const {
  absl::MutexLock lock(&mutex_);
  return layout_ != nullptr;
}

void Table::Impl::Reset(absl::AnyInvocable<void(absl::Status)> done) {
  Effects effects;
  {
    absl::MutexLock lock(&mutex_);
    if (closed_) {
      effects.Answer(std::move(done), ClosedError());
    } else {
      resets_.push_back(std::move(done));
      if (!saving_) Empty(effects);
    }
    Advance(effects);
  }
  Finish(std::move(effects));
}

void Table::Impl::Empty(Effects& effects) {
  if (items_ != nullptr) items_->Clear();
  limiter_.set_state({.inserted = planned_items_});
  counts_ = {};
  for (auto& done : resets_) effects.Answer(std::move(done), absl::OkStatus());
  resets_.clear();
}

void Table::Impl::Close() {
  Effects effects;
  {
    absl::MutexLock lock(&mutex_);
    closed_ = true;
    for (ParkedAppend& append : parked_) {
      LeavePark(append);
      effects.Answer(std::move(append.done), ClosedError());
    }
    parked_.clear();
    for (auto& done : resets_) effects.Answer(std::move(done), ClosedError());
    resets_.clear();
    Advance(effects);
  }
  Finish(std::move(effects));
}

v1::TableInfo Table::Impl::Info() const {
  const TableConfig& config = options_.config;
  v1::TableInfo info;
  info.set_name(config.name());
  info.set_capacity_items(config.capacity_items());
  info.set_samples_per_insert(config.rate_limiter().samples_per_insert());
  info.set_min_size(config.rate_limiter().min_size());
  const auto seconds = [](Clock::duration d) { return std::chrono::duration<double>(d).count(); };
  absl::MutexLock lock(&mutex_);
  info.set_run_id(run_id_);
  if (items_ != nullptr) {
    info.set_items(items_->size());
    info.set_rows(items_->segments().used_rows());
    info.set_capacity_rows(items_->segments().capacity());
    info.set_allocated_bytes(layout_->storage.bytes() + items_->bytes());
    info.set_removed_items(items_->removed());
    info.set_mass(items_->mass());
  }
  info.set_inserted_items(counts_.inserted_items);
  info.set_inserted_steps(counts_.inserted_steps);
  info.set_inserted_rollouts(counts_.inserted_rollouts);
  info.set_sampled_items(counts_.sampled_items);
  info.set_sampled_batches(counts_.sampled_batches);
  info.set_refused_rollouts(counts_.refused_rollouts);
  info.set_duplicate_rollouts(counts_.duplicate_rollouts);
  info.set_lost_rollouts(counts_.lost_rollouts);
  info.set_updated_priorities(counts_.updated_priorities);
  info.set_stale_priorities(counts_.stale_priorities);
  info.set_observed_samples_per_insert(limiter_.observed());
  info.set_limiter(limiter_.Verdict(info.items()));
  info.set_blocked_writers(static_cast<int64_t>(parked_.size()));
  info.set_waiting_samplers(static_cast<int64_t>(waiting_samplers_.size()));
  const Clock::time_point now = Clock::now();
  Clock::duration blocked = writers_blocked_, waited = samplers_waited_;
  for (const ParkedAppend& append : parked_) blocked += now - append.since;
  for (const WaitingSampler& waiting : waiting_samplers_) waited += now - waiting.since;
  info.set_blocked_writers_seconds(seconds(blocked));
  info.set_waiting_samplers_seconds(seconds(waited));
  return info;
}

absl::Status Table::Impl::CheckOpen(absl::string_view run_id,
                                    const v1::ExperienceSpec& spec) const {
  if (closed_) return ClosedError();
  if (run_id.empty())
    return absl::InvalidArgumentError(absl::StrCat(Where(), "the stream opened without a run id"));
  if (!run_id_.empty() && run_id != run_id_)
    return absl::FailedPreconditionError(
        absl::StrCat(Where(), "got run id '", run_id, "'; wanted '", run_id_, "'"));
  absl::Status status = layout_ != nullptr ? CheckSameSpec(layout_->spec, spec) : absl::OkStatus();
  status.Update(agreement_.Check(spec));
  if (status.ok()) return status;
  return absl::Status(status.code(), absl::StrCat(Where(), status.message()));
}

absl::Status Table::Impl::AllocateOnce(absl::string_view run_id, const v1::ExperienceSpec& spec) {
  {
    absl::MutexLock lock(&mutex_);
    const auto decided = [this] {
      mutex_.AssertHeld();
      return !allocating_;
    };
    mutex_.Await(absl::Condition(&decided));
    if (layout_ != nullptr) return absl::OkStatus();
    CADRE_RETURN_IF_ERROR(CheckOpen(run_id, spec));
    allocating_ = true;
  }
  absl::StatusOr<Allocation> allocation = Allocate(spec);
  absl::MutexLock lock(&mutex_);
  allocating_ = false;
  if (!allocation.ok())
    return absl::Status(allocation.status().code(),
                        absl::StrCat(Where(), allocation.status().message()));
  Install(*std::move(allocation));
  run_id_ = std::string(run_id);
  return absl::OkStatus();
}

absl::StatusOr<Table::Impl::Allocation> Table::Impl::Allocate(v1::ExperienceSpec spec) {
  const TableConfig& config = options_.config;
  spec.clear_agreed();  // Of processes, not of the rows.
  CADRE_RETURN_IF_ERROR(ValidateSpec(spec));
  CADRE_ASSIGN_OR_RETURN(std::vector<v1::ColumnSpec> columns, BatchColumns(config, spec));
  CADRE_ASSIGN_OR_RETURN(const int64_t rows, TableRows(config, spec, options_.writers));
  CADRE_ASSIGN_OR_RETURN(RowStorage storage, RowStorage::Create(spec, rows, options_.storage_path));
  Allocation allocation;
  CADRE_ASSIGN_OR_RETURN(
      allocation.items,
      TableItems::Create(config, rows, Random::ForStream(options_.seed, kRemoving)()));
  const int64_t item_bytes = BatchItemBytes(columns);
  allocation.layout.reset(new Layout{spec, std::move(columns), item_bytes, std::move(storage),
                                     TableGather(config, spec)});
  CADRE_ASSIGN_OR_RETURN(allocation.pins, StartPins(*allocation.layout));
  return allocation;
}

void Table::Impl::Install(Allocation allocation) {
  layout_ = std::move(allocation.layout);
  items_ = std::move(allocation.items);
  pins_ = std::move(allocation.pins);
}

absl::Status Table::Impl::ClosedError() const {
  return absl::CancelledError(absl::StrCat("table '", options_.config.name(), "' is closed"));
}

std::string Table::Impl::Where() const {
  return absl::StrCat("table '", options_.config.name(), "': ");
}

absl::StatusOr<std::unique_ptr<Table>> Table::Create(TableOptions options) {
  return absl::WrapUnique(new Table(std::make_unique<Impl>(std::move(options))));
}

Table::Table(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Table::~Table() { Close(); }

absl::StatusOr<Table::WriterStream> Table::OpenWriter(absl::string_view run_id, uint64_t writer_id,
                                                      const v1::ExperienceSpec& spec,
                                                      uint64_t first_sequence,
                                                      SettledListener listener) {
  return impl_->OpenWriter(run_id, writer_id, spec, first_sequence, std::move(listener));
}
void Table::CloseWriter(uint64_t stream) { impl_->CloseWriter(stream); }
void Table::Append(uint64_t stream, RolloutView rollout, AppendDone done) {
  impl_->Append(stream, std::move(rollout), std::move(done));
}
absl::StatusOr<uint64_t> Table::OpenSampler(absl::string_view run_id,
                                            const v1::ExperienceSpec& spec,
                                            std::function<void()> overdue) {
  return impl_->OpenSampler(run_id, spec, std::move(overdue));
}
void Table::CloseSampler(uint64_t sampler) { impl_->CloseSampler(sampler); }
absl::StatusOr<ReplayBatch> Table::Sample(uint64_t sampler, const SampleOptions& options) {
  absl::StatusOr<BatchInPlace> sampled = impl_->Sample(sampler, options, /*in_place=*/false);
  if (!sampled.ok()) return sampled.status();
  return std::move(sampled->batch);
}
absl::StatusOr<BatchInPlace> Table::SampleInPlace(uint64_t sampler, const SampleOptions& options) {
  return impl_->Sample(sampler, options, /*in_place=*/true);
}
absl::StatusOr<std::optional<BatchInPlace>> Table::TrySampleInPlace(uint64_t sampler,
                                                                    const SampleOptions& options) {
  return impl_->TrySample(sampler, options, /*in_place=*/true);
}
void Table::WhenSampleable(uint64_t sampler, const SampleOptions& options,
                           absl::AnyInvocable<void()> ready) {
  impl_->WhenSampleable(sampler, options, std::move(ready));
}
absl::Status Table::UpdatePriorities(absl::Span<const uint64_t> keys,
                                     absl::Span<const float> priorities) {
  return impl_->UpdatePriorities(keys, priorities);
}
absl::StatusOr<std::vector<v1::ColumnSpec>> Table::batch_columns() const {
  return impl_->batch_columns();
}
bool Table::allocated() const { return impl_->allocated(); }
void Table::Reset(absl::AnyInvocable<void(absl::Status)> done) { impl_->Reset(std::move(done)); }
absl::Status Table::Save(const StateSink& write) const { return impl_->Save(write); }
absl::Status Table::CheckSaved(const StateSource& read) const { return impl_->CheckSaved(read); }
absl::Status Table::Restore(const StateSource& read) { return impl_->Restore(read); }
void Table::Close() { impl_->Close(); }
v1::TableInfo Table::Info() const { return impl_->Info(); }
double Table::sampling_seconds() const { return impl_->sampling_seconds(); }
const TableOptions& Table::options() const { return impl_->options(); }

}  // namespace cadre
