// One Append stream: hands rollouts to the queue one at a time and tells the writer
// what is settled and what was refused. While the queue holds a rollout back nothing
// is read, so that HTTP/2 flow control holds the writer back.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <string>

#include "absl/base/thread_annotations.h"
#include "proto/experience.pb.h"
#include "replay_server/queue.h"
#include "replay_server/queue_directory.h"
#include "replay_server/stream_reactor.h"

namespace cadre {

class AppendReactor final : public StreamReactor<v1::AppendRequest, v1::AppendResponse> {
 public:
  // `directory` must outlive the server.
  explicit AppendReactor(const QueueDirectory* directory) : directory_(directory) {}

 private:
  struct Refusal {
    uint64_t sequence;
    std::string reason;
  };

  void OnRequest(v1::AppendRequest& request) override;
  std::shared_ptr<const v1::AppendResponse> NextResponse() override
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void OnEnd() override;

  void Open(const v1::AppendOpen& open);
  void OnAppended(uint64_t sequence, const absl::Status& status);
  void OnSettled(uint64_t sequence);

  const QueueDirectory* const directory_;
  Queue* queue_ = nullptr;      // Constant once the stream has opened.
  uint64_t writer_stream_ = 0;  // Likewise; 0 before.
  bool opened_ ABSL_GUARDED_BY(mutex_) = false;
  bool answer_open_ ABSL_GUARDED_BY(mutex_) = false;
  uint64_t settled_ ABSL_GUARDED_BY(mutex_) = 0;
  uint64_t told_settled_ ABSL_GUARDED_BY(mutex_) = 0;
  std::deque<Refusal> refusals_ ABSL_GUARDED_BY(mutex_);  // Not yet told.
};

}  // namespace cadre
