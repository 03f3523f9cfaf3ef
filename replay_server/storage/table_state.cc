// What a checkpoint has of a table, in this order: whose it is, counts and random
// numbers, who has written what, the bookkeeping of rows, the rows themselves.
#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/experience/experience_spec.h"
#include "common/status_macros.h"
#include "replay_server/storage/table_impl.h"

namespace cadre {
namespace {

constexpr uint64_t kFormat = 0x3230'656C'6261'7463;  // "ctable02".
constexpr int64_t kMostText = 1 << 20;               // Of a config, a spec, an episode.

// An upper bound that no real table comes near: a larger number is damage.
constexpr int64_t kMostWriters = 1 << 28;

}  // namespace

absl::Status Table::Impl::Save(const StateSink& write) {
  StateWriter writer(write);
  const TableItems* items;
  const Layout* layout;
  {
    absl::MutexLock lock(&mutex_);
    AwaitNoSave();
    saving_ = updates_deferred_ = true;
    const auto quiet = [this] {
      mutex_.AssertHeld();
      return insertions_ == 0;
    };
    mutex_.Await(absl::Condition(&quiet));
  }
  // From here on nobody changes rows: not even the lock is needed to read them.
  {
    std::string head;
    StateWriter in_memory([&head](absl::Span<const std::byte> bytes) {
      head.append(reinterpret_cast<const char*>(bytes.data()), bytes.size());
      return absl::OkStatus();
    });
    absl::MutexLock lock(&mutex_);
    SaveHead(in_memory);
    (void)in_memory.Flush();
    writer.PutArray(head.data(), static_cast<int64_t>(head.size()));
    items = items_.get();
    layout = layout_.get();
  }
  absl::Status status = writer.Flush();
  if (items != nullptr) {
    items->SaveRows(writer);
    status = writer.Flush();
  }
  {
    absl::MutexLock lock(&mutex_);
    ResumeUpdates();
  }
  if (layout != nullptr && status.ok()) {
    for (const RowStorage::Column& column : layout->storage.columns())
      writer.PutArray(column.data, items->segments().touched_rows() * column.row_bytes);
    status = writer.Flush();
  }
  Effects effects;
  {
    absl::MutexLock lock(&mutex_);
    saving_ = false;
    if (!resets_.empty()) Empty(effects);
    Advance(effects);
  }
  Finish(std::move(effects));
  return status;
}

void Table::Impl::SaveHead(StateWriter& writer) const {
  writer.Put(kFormat);
  writer.PutString(options_.config.SerializeAsString());
  writer.PutString(run_id_);
  writer.PutString(layout_ == nullptr ? std::string() : layout_->spec.SerializeAsString());
  writer.Put(counts_);
  writer.Put(limiter_.state());
  writer.Put(random_.state());
  writer.PutVector(sequences_.LastAccepted());
  const std::vector<v1::Episode> episodes = episodes_.Unread();
  writer.Put<int64_t>(static_cast<int64_t>(episodes.size()));
  for (const v1::Episode& episode : episodes) writer.PutString(episode.SerializeAsString());
  if (items_ != nullptr) items_->SaveScalars(writer);
}

absl::Status Table::Impl::CheckSaved(const StateSource& read) const {
  StateReader reader(read);
  absl::MutexLock lock(&mutex_);
  (void)ReadIdentity(reader);
  if (reader.status().ok()) return absl::OkStatus();
  return absl::Status(reader.status().code(), absl::StrCat(Where(), reader.status().message()));
}

absl::Status Table::Impl::Restore(const StateSource& read) {
  StateReader reader(read);
  absl::MutexLock lock(&mutex_);
  RestoreHead(reader);
  if (reader.status().ok() && items_ != nullptr) {
    items_->Restore(reader);
    for (const RowStorage::Column& column : layout_->storage.columns())
      reader.GetArray(column.data, items_->segments().touched_rows() * column.row_bytes);
    items_->segments().SkipGenerations(options_.skipped_keys);
  }
  if (reader.status().ok()) return absl::OkStatus();
  return absl::Status(reader.status().code(), absl::StrCat(Where(), reader.status().message()));
}

void Table::Impl::RestoreHead(StateReader& reader) {
  const Identity saved = RestoreIdentity(reader);
  counts_ = reader.Get<Counts>();
  const auto limiter = reader.Get<RateLimiter::State>();
  limiter_.set_state(saved.same_limiter ? limiter : limiter_.Balanced(limiter.inserted));
  random_.set_state(reader.Get<Random::State>());
  for (const WriterSequences::Last& last : reader.GetVector<WriterSequences::Last>(kMostWriters))
    sequences_.Skip(last.writer, last.sequence);
  const int64_t episodes = reader.GetCount(kMostText);
  for (int64_t i = 0; i < episodes && reader.status().ok(); ++i) {
    v1::Episode episode;
    reader.Check(episode.ParseFromString(reader.GetString(kMostText)));
    episodes_.Add(episode);
  }
}

Table::Impl::Identity Table::Impl::ReadIdentity(StateReader& reader) const {
  Identity saved;
  reader.Check(reader.Get<uint64_t>() == kFormat);
  TableConfig config;
  reader.Check(config.ParseFromString(reader.GetString(kMostText)));
  saved.run_id = reader.GetString(kMostText);
  reader.Check(saved.spec.ParseFromString(reader.GetString(kMostText)));
  if (!reader.status().ok()) return saved;
  TableConfig wanted = options_.config;
  saved.same_limiter =
      config.rate_limiter().SerializeAsString() == wanted.rate_limiter().SerializeAsString();
  config.clear_rate_limiter();
  wanted.clear_rate_limiter();
  if (config.SerializeAsString() != wanted.SerializeAsString())
    reader.Fail(absl::FailedPreconditionError(absl::StrCat("the saved table has config {",
                                                           config.ShortDebugString(), "}; wanted {",
                                                           wanted.ShortDebugString(), "}")));
  else if (!run_id_.empty() && !saved.run_id.empty() && saved.run_id != run_id_)
    reader.Fail(absl::FailedPreconditionError(
        absl::StrCat("the saved table is of run id '", saved.run_id, "'; wanted '", run_id_, "'")));
  return saved;
}

Table::Impl::Identity Table::Impl::RestoreIdentity(StateReader& reader) {
  Identity saved = ReadIdentity(reader);
  if (!reader.status().ok()) return saved;
  if (layout_ != nullptr)
    reader.Fail(absl::FailedPreconditionError("the table is in use; wanted one without streams"));
  else if (saved.spec.columns_size() > 0) {
    if (absl::StatusOr<Allocation> allocation = Allocate(saved.spec); allocation.ok())
      Install(*std::move(allocation));
    else
      reader.Fail(allocation.status());
  }
  if (reader.status().ok() && !saved.run_id.empty()) run_id_ = saved.run_id;
  return saved;
}

void Table::Impl::AwaitNoSave() {
  const auto unsaved = [this] {
    mutex_.AssertHeld();
    return !saving_;
  };
  mutex_.Await(absl::Condition(&unsaved));
}

void Table::Impl::ResumeUpdates() {
  updates_deferred_ = false;
  for (const auto& [key, priority] : deferred_updates_) SetPriority(key, priority);
  deferred_updates_ = {};
}

}  // namespace cadre
