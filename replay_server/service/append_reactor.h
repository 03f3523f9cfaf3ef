// One Append stream: hands rollouts to a queue or a table one at a time and tells the
// writer what is settled and what was refused. While a rollout is held back nothing is
// read, so that HTTP/2 flow control holds the writer back.
//
// Messages are raw: whoever stores the payload takes it from where it came in.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "common/process/thread_pool.h"
#include "grpcpp/support/byte_buffer.h"
#include "proto/experience.pb.h"
#include "replay_server/service/append_target.h"
#include "replay_server/service/experience_directory.h"
#include "replay_server/service/stream_log.h"
#include "replay_server/service/stream_reactor.h"

namespace cadre {

class AppendReactor final : public StreamReactor<grpc::ByteBuffer, grpc::ByteBuffer> {
 public:
  // All must outlive the server. `openers` opens what does not open at once.
  AppendReactor(const ExperienceDirectory* directory, StreamLog* log, ThreadPool* openers)
      : directory_(directory), log_(log), openers_(openers) {}

 private:
  struct Refusal {
    uint64_t sequence;
    std::string reason;
  };

  void OnRequest(grpc::ByteBuffer& request) override;
  std::shared_ptr<const grpc::ByteBuffer> NextResponse() override
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void OnEnd() override;

  void OnFirst(const grpc::ByteBuffer& message);
  void Open(const v1::AppendOpen& open);
  void OpenTarget(const v1::AppendOpen& open, std::unique_ptr<AppendTarget> target);
  void OnAppended(uint64_t sequence, const absl::Status& status);
  void OnSettled(uint64_t sequence);

  const ExperienceDirectory* const directory_;
  StreamLog* const log_;
  ThreadPool* const openers_;
  std::string name_;                      // The writer's; constant once the stream has opened.
  uint64_t writer_ = 0;                   // As name_.
  std::unique_ptr<AppendTarget> target_;  // Constant once the stream has opened; null before.
  bool opened_ ABSL_GUARDED_BY(mutex_) = false;
  bool answer_open_ ABSL_GUARDED_BY(mutex_) = false;
  uint64_t settled_ ABSL_GUARDED_BY(mutex_) = 0;
  uint64_t told_settled_ ABSL_GUARDED_BY(mutex_) = 0;
  std::deque<Refusal> refusals_ ABSL_GUARDED_BY(mutex_);  // Not yet told.
};

}  // namespace cadre
