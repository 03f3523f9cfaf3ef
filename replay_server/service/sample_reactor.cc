#include "replay_server/service/sample_reactor.h"

#include <limits>
#include <new>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/experience/batch_memory.h"
#include "common/status_macros.h"
#include "grpcpp/server_context.h"
#include "rpc/wire/message_bytes.h"
#include "rpc/wire/replay_codec.h"

namespace cadre {
namespace {

// A larger message has no length that protobuf and gRPC can write; the rest is for
// what is not the items.
constexpr int64_t kMostBatchBytes = std::numeric_limits<int32_t>::max() - (int64_t{1} << 20);

grpc::Status InvalidRequest(absl::string_view what) {
  return {grpc::StatusCode::INVALID_ARGUMENT, absl::StrCat("Sample: ", what)};
}

std::shared_ptr<const grpc::ByteBuffer> Opened(const std::vector<v1::ColumnSpec>& columns) {
  v1::SampleResponse response;
  response.mutable_opened()->mutable_columns()->Assign(columns.begin(), columns.end());
  return std::make_shared<const grpc::ByteBuffer>(SerializeMessage(response));
}

}  // namespace

void SampleReactor::OnRequest(grpc::ByteBuffer& request) {
  v1::SampleRequest parsed;
  if (const absl::Status status = ParseMessage(request, &parsed); !status.ok())
    return End(InvalidRequest(status.message()));
  if (parsed.has_open() != (table_ == nullptr))
    return End(InvalidRequest("wanted `open` in the first request and in no other"));
  if (parsed.has_open()) return Open(parsed.open());
  if (parsed.has_want()) return Want(parsed.want());
  if (parsed.has_priorities()) return UpdatePriorities(parsed.priorities());
  End(InvalidRequest("got a request without `want` or `priorities`"));
}

void SampleReactor::Open(const v1::SampleOpen& open) {
  const absl::StatusOr<Table*> table = directory_->FindTable(open.table());
  if (!table.ok()) return End(ToGrpcStatus(table.status()));
  if ((*table)->allocated()) return OpenTable(open, *table);
  openers_->Run([self = shared_from_this(), open, table = *table] {
    static_cast<SampleReactor&>(*self).OpenTable(open, table);
  });
}

void SampleReactor::OpenTable(const v1::SampleOpen& open, Table* table) {
  const absl::StatusOr<uint64_t> sampler =
      table->OpenSampler(open.run_id(), open.spec(), [weak = weak_from_this()] {
        if (const auto self = weak.lock()) static_cast<SampleReactor&>(*self).LetGo();
      });
  if (!sampler.ok()) return End(ToGrpcStatus(sampler.status()));
  // There by now, as `open` carries the spec.
  const absl::StatusOr<std::vector<v1::ColumnSpec>> columns = table->batch_columns();
  if (!columns.ok()) {
    table->CloseSampler(*sampler);
    return End(ToGrpcStatus(columns.status()));
  }
  log_->Info(open.name().empty() ? "a learner" : open.name(),
             absl::StrCat("samples table '", open.table(), "'"));
  table_ = table;
  sampler_ = *sampler;
  item_bytes_ = BatchItemBytes(*columns);
  bool ended;
  {
    absl::MutexLock lock(&mutex_);
    ended = ending();
    opened_ = true;
    ready_.push_back(Opened(*columns));
    Wake();
  }
  if (ended) return table_->CloseSampler(sampler_);
  ReadNext();
}

void SampleReactor::Want(const v1::SampleWant& want) {
  if (const absl::Status status = CheckWant(want); !status.ok())
    return End(InvalidRequest(status.message()));
  size_t outstanding;
  {
    absl::MutexLock lock(&mutex_);
    outstanding = wanted_.size() + static_cast<size_t>(want.items_size());
    if (outstanding <= kMostWantedBatches)
      for (const int32_t items : want.items())
        wanted_.push_back({items, want.importance_exponent(), want.min_inserted_steps()});
    BeginTurn();
  }
  if (outstanding > kMostWantedBatches)
    return End(
        InvalidRequest(absl::StrCat("got a `want` that makes ", outstanding,
                                    " batches outstanding; wanted at most ", kMostWantedBatches)));
  ReadNext();
}

absl::Status SampleReactor::CheckWant(const v1::SampleWant& want) const {
  const int64_t most = kMostBatchBytes / item_bytes_;
  for (const int32_t items : want.items())
    if (items < 0 || items > most)
      return absl::InvalidArgumentError(absl::StrCat("got a `want` of ", items,
                                                     " items; wanted 0 to ", most, ", as each has ",
                                                     item_bytes_, " bytes"));
  return absl::OkStatus();
}

void SampleReactor::UpdatePriorities(const v1::PriorityUpdate& update) {
  if (update.keys_size() != update.priorities_size())
    return End(InvalidRequest(absl::StrCat("got ", update.priorities_size(),
                                           " priorities; wanted one for each of ",
                                           update.keys_size(), " keys")));
  const absl::Status status = table_->UpdatePriorities(update.keys(), update.priorities());
  if (!status.ok()) return End(ToGrpcStatus(status));
  ReadNext();
}

void SampleReactor::BeginTurn() {
  if (in_turn_ || !NextWanted().has_value()) return;
  in_turn_ = true;
  ContinueTurn();
}

void SampleReactor::ContinueTurn() {
  if (gone_) return;
  gatherers_->Run([self = shared_from_this()] { static_cast<SampleReactor&>(*self).TakeTurn(); });
}

void SampleReactor::TakeTurn() {
  for (int batches = 0;; ++batches) {
    std::optional<SampleOptions> wanted;
    {
      absl::MutexLock lock(&mutex_);
      wanted = NextWanted();
      in_turn_ = wanted.has_value();
      if (!in_turn_) return;
      if (batches == kBatchesOfATurn) return ContinueTurn();  // After those that wait for a turn.
    }
    const absl::StatusOr<bool> sampled = SampleOne(*wanted);
    // Cancelled: the table is closed, or this stream has ended, and then End does nothing.
    if (!sampled.ok())
      return End(absl::IsCancelled(sampled.status()) ? OpenStreams::StoppingStatus()
                                                     : ToGrpcStatus(sampled.status()));
    if (*sampled) continue;
    return table_->WhenSampleable(sampler_, *wanted, [self = shared_from_this()] {
      auto& reactor = static_cast<SampleReactor&>(*self);
      absl::MutexLock lock(&reactor.mutex_);
      reactor.ContinueTurn();
    });
  }
}

// Only a cancelled call gives up what is still to be written: the client then opens a new
// stream, if it is there at all.
void SampleReactor::LetGo() {
  absl::MutexLock lock(&mutex_);
  if (gone_ || std::exchange(let_go_, true)) return;
  log_->Warn("a learner",
             absl::StrCat("does not read its batches of table '", table_->options().config.name(),
                          "', which keeps writers waiting: its stream is cut off"));
  context_->TryCancel();
}

std::optional<SampleOptions> SampleReactor::NextWanted() {
  if (ending() || wanted_.empty() || ready_.size() >= kReadyBatches) return std::nullopt;
  return wanted_.front();
}

absl::StatusOr<bool> SampleReactor::SampleOne(const SampleOptions& wanted) try {
  CADRE_ASSIGN_OR_RETURN(const std::optional<BatchInPlace> sampled,
                         table_->TrySampleInPlace(sampler_, wanted));
  if (!sampled.has_value()) return false;
  auto bytes = std::make_shared<const grpc::ByteBuffer>(EncodeBatch(sampled->batch, sampled->rows));
  absl::MutexLock lock(&mutex_);
  if (ending()) return true;
  wanted_.pop_front();
  ready_.push_back(std::move(bytes));
  Wake();
  return true;
} catch (const std::bad_alloc&) {
  return absl::ResourceExhaustedError(
      absl::StrCat("no memory for a batch of ", wanted.items, " items"));
}

std::shared_ptr<const grpc::ByteBuffer> SampleReactor::NextResponse() {
  if (ready_.empty()) return nullptr;
  std::shared_ptr<const grpc::ByteBuffer> next = std::move(ready_.front());
  ready_.pop_front();
  BeginTurn();
  return next;
}

void SampleReactor::OnEnd() {
  {
    absl::MutexLock lock(&mutex_);
    if (!opened_) return;
    wanted_.clear();
    ready_.clear();
  }
  table_->CloseSampler(sampler_);
}

// A turn may still come to its end, which then finds the sampler closed.
void SampleReactor::OnGone() {
  absl::MutexLock lock(&mutex_);
  gone_ = true;
}

}  // namespace cadre
