// One of several servers that are sampled as one: its stream, and what is known of its
// table, from asking it every now and then: a shard of which nothing is sampled sends
// nothing. Thread-safe.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <thread>

#include "absl/base/thread_annotations.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "proto/experience.grpc.pb.h"
#include "rpc/client/call_group.h"
#include "rpc/client/replay_source_options.h"
#include "rpc/client/sample_stream.h"
#include "rpc/shards/shard_feeding.h"
#include "rpc/shards/shard_steps.h"

namespace cadre {

class ReplayShard {
 public:
  struct State {
    bool live = false;   // Connected, and the rest is known of this connection.
    bool heard = false;  // It has ever answered.
    int64_t items = 0;
    double mass = 0;
    int64_t inserted_steps = 0;  // As far as they count (shard_steps.h).
    // Whoever samples it waits, and no actor has inserted anything for a while: its limiter
    // would keep them waiting for as long as none does.
    bool unfed = false;
  };

  // `on_change`: as SampleStream's, and after every answer to a question.
  static absl::StatusOr<std::unique_ptr<ReplayShard>> Create(const ReplaySourceOptions& options,
                                                             std::function<void()> on_change);
  ~ReplayShard();  // Close(), and joins the thread.

  // Loses what a break leaves unanswered, and tries to connect for ever.
  SampleStream& stream() { return *stream_; }
  const std::string& address() const { return options_.address; }
  State state() const;
  // Where it has never answered, what it has inserted by its first answer does not count, unless
  // its count is known.
  void BeginWithoutUnheard();
  // Goes on from an earlier life's count. Null: there is none; then what it has does not count.
  void CountOn(const TableCount* before);
  // Nothing where it is not known yet what counts.
  std::optional<TableCount> Counted() const;
  // Asks more often while somebody waits for what it will say.
  void set_hurried(bool hurried);
  // Of an unfed one: what it owes by now, if anything, is lost, as in a break.
  void LeaveOut();
  void Close();

 private:
  ReplayShard(const ReplaySourceOptions& options, std::shared_ptr<grpc::Channel> channel,
              std::function<void()> on_change);

  void Watch();  // The thread.
  void AskOnce();

  const ReplaySourceOptions options_;
  const std::unique_ptr<v1::ExperienceService::Stub> stub_;
  const std::function<void()> on_change_;
  CallGroup calls_;

  mutable absl::Mutex mutex_;
  bool closed_ ABSL_GUARDED_BY(mutex_) = false;
  bool hurried_ ABSL_GUARDED_BY(mutex_) = false;
  State state_ ABSL_GUARDED_BY(mutex_);  // `live`: the last question was answered.
  ShardSteps steps_ ABSL_GUARDED_BY(mutex_);
  bool was_live_ ABSL_GUARDED_BY(mutex_) = false;
  bool left_out_ ABSL_GUARDED_BY(mutex_) = false;  // As it is unfed.
  ShardFeeding feeding_ ABSL_GUARDED_BY(mutex_);

  std::unique_ptr<SampleStream> stream_;  // Constant once created.
  std::thread thread_;
};

}  // namespace cadre
