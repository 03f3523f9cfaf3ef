// One Sample stream: a thread of its own samples the batches that the client wants, in
// their order, a little ahead of what is being written, so that gathering one overlaps
// with sending another. A client that does not read costs kReadyBatches batches and the
// one in gRPC's hands, whatever it wants.
//
// Messages are raw: a batch goes out from the memory it was gathered to, large rows from
// where they stand.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <thread>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "common/ports.h"
#include "grpcpp/support/byte_buffer.h"
#include "proto/experience.pb.h"
#include "replay_server/experience_directory.h"
#include "replay_server/stream_reactor.h"
#include "replay_server/table.h"

namespace cadre {

class SampleReactor final : public StreamReactor<grpc::ByteBuffer, grpc::ByteBuffer> {
 public:
  // Batches that a client may want beyond those that it was sent; more end its stream.
  static constexpr size_t kMostWantedBatches = 1024;
  static constexpr size_t kReadyBatches = 2;

  // `directory` must outlive the server.
  SampleReactor(const ExperienceDirectory* directory, grpc::CallbackServerContext* context)
      : directory_(directory), context_(context) {}

 private:
  void OnRequest(grpc::ByteBuffer& request) override;
  std::shared_ptr<const grpc::ByteBuffer> NextResponse() override
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void OnEnd() override;
  void OnGone() override;

  void Open(const v1::SampleOpen& open);
  void Want(const v1::SampleWant& want);
  absl::Status CheckWant(const v1::SampleWant& want) const;
  void UpdatePriorities(const v1::PriorityUpdate& update);

  void SampleWanted();  // The thread.
  void LetGo();         // Of rows that others wait for.
  bool NextWanted(SampleOptions& next) ABSL_LOCKS_EXCLUDED(mutex_);
  absl::Status SampleOne(const SampleOptions& wanted);

  const ExperienceDirectory* const directory_;
  grpc::CallbackServerContext* const context_;  // Of gRPC, until OnDone.
  Table* table_ = nullptr;                      // Constant once the stream has opened.
  uint64_t sampler_ = 0;                        // Likewise.
  int64_t item_bytes_ = 0;                      // Likewise: of one item on the wire.
  std::thread thread_;                          // Likewise.
  bool let_go_ ABSL_GUARDED_BY(mutex_) = false;
  bool gone_ ABSL_GUARDED_BY(mutex_) = false;  // And with it context_.
  bool opened_ ABSL_GUARDED_BY(mutex_) = false;
  std::deque<SampleOptions> wanted_ ABSL_GUARDED_BY(mutex_);  // Not yet begun.
  std::deque<std::shared_ptr<const grpc::ByteBuffer>> ready_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace cadre
