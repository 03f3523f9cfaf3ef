#include "rpc/client/replay_source.h"

#include <algorithm>
#include <utility>

#include "common/status_macros.h"
#include "rpc/shards/sharded_replay_source.h"
#include "rpc/wire/replay_codec.h"

namespace cadre {

absl::StatusOr<std::unique_ptr<ReplaySource>> MakeRemoteReplaySource(
    const std::vector<std::string>& addresses, ReplaySourceOptions options) {
  if (addresses.empty()) return absl::InvalidArgumentError("no address of a replay server");
  if (addresses.size() > 1) return ShardedReplaySource::Create(addresses, std::move(options));
  options.address = addresses.front();
  return RemoteReplaySource::Create(options);
}

absl::StatusOr<std::unique_ptr<RemoteReplaySource>> RemoteReplaySource::Create(
    const ReplaySourceOptions& options) {
  CADRE_RETURN_IF_ERROR(ValidateReplaySourceOptions(options));
  CADRE_ASSIGN_OR_RETURN(std::unique_ptr<SampleStream> stream,
                         SampleStream::Create(options, SampleStream::AfterBreak::kAskAgain, [] {}));
  return std::unique_ptr<RemoteReplaySource>(new RemoteReplaySource(options, std::move(stream)));
}

absl::StatusOr<ReplayBatch> RemoteReplaySource::Sample(const SampleOptions& options) {
  CADRE_RETURN_IF_ERROR(ValidateSampleOptions(options));
  absl::MutexLock lock(&sample_mutex_);
  const bool as_it_is_now = options.min_inserted_steps > 0 || options.items == 0;
  if (as_it_is_now) {
    stream_->Abandon();
    ahead_.clear();
  }
  SampleOptions wanted = options;
  if (wanted.min_inserted_steps > 0)
    wanted.min_inserted_steps = std::max<int64_t>(1, wanted.min_inserted_steps - steps_.offset());
  if (ahead_.empty()) WantAhead(wanted, as_it_is_now ? 1 : static_cast<size_t>(prefetch_));
  CADRE_ASSIGN_OR_RETURN(const BatchOnWire part, stream_->Take(ahead_.front()));
  ahead_.pop_front();
  // Several in one request: reading a request costs a server as much as a small batch.
  if (!as_it_is_now && ahead_.size() <= static_cast<size_t>(prefetch_) / 2)
    WantAhead(wanted, static_cast<size_t>(prefetch_));
  CADRE_ASSIGN_OR_RETURN(BatchInMaking made, Assemble({&part, 1}, stream_->columns(), pool_));
  steps_.Note(made.batch.inserted_steps);
  made.batch.inserted_steps = steps_.count();
  return std::move(made.batch);
}

void RemoteReplaySource::WantAhead(const SampleOptions& wanted, size_t batches) {
  if (ahead_.size() >= batches) return;
  const size_t count = batches - ahead_.size();
  const uint64_t first = stream_->Want(wanted, count);
  for (size_t i = 0; i < count; ++i) ahead_.push_back(first + i);
}

absl::Status RemoteReplaySource::UpdatePriorities(absl::Span<const uint64_t> keys,
                                                  absl::Span<const float> priorities) {
  CADRE_RETURN_IF_ERROR(ValidatePriorities(keys, priorities));
  v1::PriorityUpdate update;
  update.mutable_keys()->Add(keys.begin(), keys.end());
  update.mutable_priorities()->Add(priorities.begin(), priorities.end());
  stream_->Send(std::move(update));
  return stream_->end();
}

std::vector<TableCount> RemoteReplaySource::Counts() const {
  absl::MutexLock lock(&sample_mutex_);
  if (!steps_.counted()) return {};
  return {steps_.Counted(address_)};
}

int64_t RemoteReplaySource::CountOn(absl::Span<const TableCount> counts) {
  if (counts.empty()) return 0;
  const MatchedCounts matched = MatchCounts(counts, {address_});
  absl::MutexLock lock(&sample_mutex_);
  if (matched.of[0] != nullptr)
    steps_.CountOn(*matched.of[0]);
  else
    steps_.BeginWithout();
  return matched.others;
}

}  // namespace cadre
