// One Sample stream: the batches that the client wants are sampled in their order, a little
// ahead of what is being written, so that gathering one overlaps with sending another. A
// client that does not read costs kReadyBatches batches and the one in gRPC's hands,
// whatever it wants.
//
// Streams share a few threads that gather. A stream has at most one turn there at a time,
// kBatchesOfATurn batches long, and none while it waits: for its client to want or read
// something, or for the table, which calls back. So an idle stream costs no thread, and
// those that are not go by turns.
//
// Messages are raw: a batch goes out from the memory it was gathered to, large rows from
// where they stand.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <optional>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/ports.h"
#include "common/process/thread_pool.h"
#include "grpcpp/support/byte_buffer.h"
#include "proto/experience.pb.h"
#include "replay_server/service/experience_directory.h"
#include "replay_server/service/stream_log.h"
#include "replay_server/service/stream_reactor.h"
#include "replay_server/storage/table.h"

namespace cadre {

class SampleReactor final : public StreamReactor<grpc::ByteBuffer, grpc::ByteBuffer> {
 public:
  // Batches that a client may want beyond those that it was sent; more end its stream.
  static constexpr size_t kMostWantedBatches = 1024;
  static constexpr size_t kReadyBatches = 2;
  static constexpr int kBatchesOfATurn = 8;

  // `directory`, `log` and the threads, which all streams share, must outlive the server. `openers`
  // opens what does not open at once.
  SampleReactor(const ExperienceDirectory* directory, StreamLog* log, ThreadPool* gatherers,
                ThreadPool* openers, grpc::CallbackServerContext* context)
      : directory_(directory),
        log_(log),
        gatherers_(gatherers),
        openers_(openers),
        context_(context) {}

 private:
  void OnRequest(grpc::ByteBuffer& request) override;
  std::shared_ptr<const grpc::ByteBuffer> NextResponse() override
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void OnEnd() override;
  void OnGone() override;

  void Open(const v1::SampleOpen& open);
  void OpenTable(const v1::SampleOpen& open, Table* table);
  void Want(const v1::SampleWant& want);
  absl::Status CheckWant(const v1::SampleWant& want) const;
  void UpdatePriorities(const v1::PriorityUpdate& update);

  // Begins a turn, unless one is under way or there is nothing to do.
  void BeginTurn() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Goes on with the turn that is under way, on one of the shared threads. Any thread.
  void ContinueTurn() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void TakeTurn() ABSL_LOCKS_EXCLUDED(mutex_);  // On that thread.
  // What to sample next; nothing ends the turn.
  std::optional<SampleOptions> NextWanted() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // False where it would wait.
  absl::StatusOr<bool> SampleOne(const SampleOptions& wanted) ABSL_LOCKS_EXCLUDED(mutex_);
  void LetGo();  // Of rows that others wait for.

  const ExperienceDirectory* const directory_;
  StreamLog* const log_;
  ThreadPool* const gatherers_;                 // There until OnGone.
  ThreadPool* const openers_;                   // Likewise.
  grpc::CallbackServerContext* const context_;  // Of gRPC, until OnDone.
  Table* table_ = nullptr;                      // Constant once the stream has opened.
  uint64_t sampler_ = 0;                        // Likewise.
  int64_t item_bytes_ = 0;                      // Likewise: of one item on the wire.
  bool let_go_ ABSL_GUARDED_BY(mutex_) = false;
  bool gone_ ABSL_GUARDED_BY(mutex_) = false;  // And with it context_.
  bool opened_ ABSL_GUARDED_BY(mutex_) = false;
  bool in_turn_ ABSL_GUARDED_BY(mutex_) = false;
  std::deque<SampleOptions> wanted_ ABSL_GUARDED_BY(mutex_);  // Not yet sampled.
  std::deque<std::shared_ptr<const grpc::ByteBuffer>> ready_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace cadre
