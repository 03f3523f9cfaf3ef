// Samples a table of another process, or several as one. The sources connect by
// themselves, and again after every break; creating one does not wait for the servers.
// Thread-safe.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "absl/types/span.h"
#include "common/experience/batch_memory.h"
#include "common/ports.h"
#include "rpc/client/replay_source_options.h"
#include "rpc/client/sample_stream.h"
#include "rpc/shards/shard_steps.h"

namespace cadre {

// One RemoteReplaySource, or a ShardedReplaySource where there are several addresses,
// which take the place of the options' own. INVALID_ARGUMENT for a bad address, spec or
// bound.
absl::StatusOr<std::unique_ptr<ReplaySource>> MakeRemoteReplaySource(
    const std::vector<std::string>& addresses, ReplaySourceOptions options);

// Keeps batches fetched ahead. Batches that a break loses are asked for again;
// priorities that it finds unsent are dropped. A server that cannot be reached any
// more, or refuses the stream, ends the source, and every later call returns why.
class RemoteReplaySource final : public ReplaySource {
 public:
  static absl::StatusOr<std::unique_ptr<RemoteReplaySource>> Create(
      const ReplaySourceOptions& options);

  // One at a time. Where the server came back with fewer steps than it had told of,
  // inserted_steps goes on from those. Whoever waits for steps alone (items is 0) when the
  // server is lost gets what there is then.
  absl::StatusOr<ReplayBatch> Sample(const SampleOptions& options) override;
  absl::Status UpdatePriorities(absl::Span<const uint64_t> keys,
                                absl::Span<const float> priorities) override;
  std::vector<TableCount> Counts() const override;
  int64_t CountOn(absl::Span<const TableCount> counts) override;
  void Close() override { stream_->Close(); }

  SampleStream::Counts counts() const { return stream_->counts(); }

 private:
  RemoteReplaySource(const ReplaySourceOptions& options, std::unique_ptr<SampleStream> stream)
      : address_(options.address), prefetch_(options.prefetch), stream_(std::move(stream)) {}

  // Asks for what is missing of so many.
  void WantAhead(const SampleOptions& wanted, size_t batches)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(sample_mutex_);

  const std::string address_;
  const int prefetch_;
  const std::unique_ptr<SampleStream> stream_;
  BatchMemoryPool pool_;

  mutable absl::Mutex sample_mutex_;                           // Held by the one Sample.
  std::deque<uint64_t> ahead_ ABSL_GUARDED_BY(sample_mutex_);  // Tickets, oldest first.
  ShardSteps steps_ ABSL_GUARDED_BY(sample_mutex_);
};

}  // namespace cadre
