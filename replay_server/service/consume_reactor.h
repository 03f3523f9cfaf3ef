// One Consume stream: answers takes with leases, one take at a time, and keeps the
// rollouts of each lease until it is acknowledged; those that are open when the
// stream ends go back to the queue.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "proto/experience.pb.h"
#include "replay_server/service/experience_directory.h"
#include "replay_server/service/stream_log.h"
#include "replay_server/service/stream_reactor.h"
#include "replay_server/storage/queue.h"

namespace cadre {

class ConsumeReactor final : public StreamReactor<v1::ConsumeRequest, v1::ConsumeResponse> {
 public:
  // Both must outlive the server.
  ConsumeReactor(const ExperienceDirectory* directory, StreamLog* log)
      : directory_(directory), log_(log) {}

 private:
  void OnRequest(v1::ConsumeRequest& request) override;
  std::shared_ptr<const v1::ConsumeResponse> NextResponse() override
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void OnEnd() override;
  void OnGone() override;

  void Open(const v1::ConsumeOpen& open);
  void Take(const v1::Take& take);
  void OnTaken(absl::StatusOr<Lease> lease);
  void Acknowledge(uint64_t lease_id);
  void ReturnLease(uint64_t lease_id, v1::ConsumeResponse& response);

  const ExperienceDirectory* const directory_;
  StreamLog* const log_;
  Queue* queue_ = nullptr;  // Constant once the stream has opened.
  uint64_t consumer_ = 0;   // Likewise; 0 before.
  bool opened_ ABSL_GUARDED_BY(mutex_) = false;
  bool taking_ ABSL_GUARDED_BY(mutex_) = false;
  std::deque<std::shared_ptr<const v1::ConsumeResponse>> responses_ ABSL_GUARDED_BY(mutex_);
  // Open leases, by id, as they were sent.
  absl::flat_hash_map<uint64_t, std::shared_ptr<v1::ConsumeResponse>> leases_
      ABSL_GUARDED_BY(mutex_);
};

}  // namespace cadre
