// The interfaces through which workers see the rest of the system. Embedded,
// they are bound straight to Queue, Table and ParameterStore in the same process; in a
// cluster, to gRPC clients. Nothing else differs between the two.
//
// Every implementation is thread-safe. A call that blocks ends early, with
// CANCELLED, once Close() was called from any thread.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "absl/types/span.h"
#include "common/experience/replay_batch.h"
#include "proto/experience.pb.h"
#include "proto/parameters.pb.h"

namespace cadre {

// One published version, shared by everybody who still uses it.
using ParametersPtr = std::shared_ptr<const v1::Parameters>;

// Where an actor puts experience.
class ExperienceSink {
 public:
  virtual ~ExperienceSink() = default;

  // Takes one rollout; run id, writer id and sequence are filled in here. Blocks
  // while the queue or table holds the writer back. OK means that the rollout will be
  // settled exactly once. INVALID_ARGUMENT: it was refused, and why.
  virtual absl::Status Append(v1::Rollout rollout) = 0;

  virtual void Close() = 0;
};

// Rollouts handed out for one update. They go back to the queue if the consumer
// goes away before it acknowledges the lease.
struct Lease {
  uint64_t id = 0;
  std::vector<v1::Rollout> rollouts;
};

// Where a learner gets experience.
class ExperienceSource {
 public:
  virtual ~ExperienceSource() = default;

  // Blocks until at least `steps` steps, in whole rollouts, oldest first, can be
  // leased. `version` is the consumer's own: what is older than it by more than
  // the queue's max_version_lag is dropped and counted.
  virtual absl::StatusOr<Lease> Take(int64_t steps, int64_t version) = 0;

  // The rollouts of the lease have been used: they will never be handed out again.
  virtual absl::Status Acknowledge(uint64_t lease_id) = 0;

  virtual void Close() = 0;
};

struct SampleOptions {
  // B. 0: no items, which no limiter holds back; only how the table stands.
  int64_t items = 0;
  // Beta of the importance weights (Schaul et al. 2016, section 3.4).
  double importance_exponent = 0;
  // Waits until so many steps have been inserted. For lockstep: 0 otherwise.
  int64_t min_inserted_steps = 0;
};

// Which steps of a table a run has counted. Its count is their sum: what the table had inserted,
// and `offset`, which is more where the table lost steps that the run has had, and less where it
// had some that are not the run's.
struct TableCount {
  std::string table;  // Its server's address.
  int64_t inserted_steps = 0;
  int64_t offset = 0;
};

// Where an off-policy learner gets experience: a table, or several as one.
class ReplaySource {
 public:
  virtual ~ReplaySource() = default;

  // Blocks until the rate limiter lets B items be sampled. Batches may have been
  // fetched ahead with the options of an earlier call; where min_inserted_steps > 0 or no
  // items are asked for they never are. Without items, fewer steps than asked for may have
  // been inserted where the table was lost meanwhile.
  virtual absl::StatusOr<ReplayBatch> Sample(const SampleOptions& options) = 0;

  // Sets the priorities of items of earlier batches, finite and >= 0; both [K]. Those
  // that are gone are ignored. Does not wait for the table.
  virtual absl::Status UpdatePriorities(absl::Span<const uint64_t> keys,
                                        absl::Span<const float> priorities) = 0;

  // What ReplayBatch.inserted_steps is the sum of, for a checkpoint: whoever goes on from that
  // gives it to CountOn before the first Sample. So each step counts once however often a learner
  // is started again, and whether or not all tables answer then. CountOn returns the count of
  // tables that are not sampled any more; of one that `counts` has not, only what comes from now
  // on counts. A source that keeps no counts has none of both.
  virtual std::vector<TableCount> Counts() const { return {}; }
  virtual int64_t CountOn(absl::Span<const TableCount> /*counts*/) { return 0; }

  virtual void Close() = 0;
};

// Where an actor gets parameters.
class ParameterSource {
 public:
  virtual ~ParameterSource() = default;

  // The newest version known here; null before the first. Never blocks.
  virtual ParametersPtr Newest() = 0;

  // Blocks until there is a version newer than `version`, or the run is FINISHED
  // (then FAILED_PRECONDITION), or `timeout` is over (DEADLINE_EXCEEDED). While
  // the run is PAUSED it waits.
  virtual absl::StatusOr<ParametersPtr> WaitNewer(int64_t version, absl::Duration timeout) = 0;

  // The run's state as known here. Never blocks.
  virtual v1::RunState run_state() = 0;

  virtual void Close() = 0;
};

// Where a learner publishes parameters.
class ParameterSink {
 public:
  virtual ~ParameterSink() = default;

  // Versions must increase. The sink shares the message from here on.
  virtual absl::Status Publish(ParametersPtr parameters) = 0;

  virtual absl::Status SetRunState(v1::RunState state) = 0;

  // There is no time left: what waits for a server ends, CANCELLED, and later calls wait for it
  // kLastCall at most. From any thread.
  virtual void CutShort() {}
  static constexpr absl::Duration kLastCall = absl::Milliseconds(500);

  virtual void Close() = 0;
};

// Of so many lives of learners, those that pushed last, whoever moves a shared model remembers the
// numbers.
inline constexpr size_t kMostPushingLearners = 4096;

// What became of a gradient.
struct PushedGradient {
  bool applied = false;  // False: too old; it was counted and left out.
  int64_t lag = 0;       // Versions that were made since the gradient's own.
  ParametersPtr newest;  // The version it made, or the newest there is.
};

// Where learners push gradients to, for a model that they share.
class GradientSink {
 public:
  virtual ~GradientSink() = default;

  // Hands the model over, or finds it there: then nothing of `model` counts but its name,
  // size and layout. Returns the newest version. A sink that finds its server empty after
  // a restart hands over the newest that it knows by itself.
  virtual absl::StatusOr<ParametersPtr> Start(v1::SharedModel model) = 0;

  // Applies a gradient once, whatever breaks on the way. `model`, `version`, `values` and
  // `env_steps` are the caller's; learner id and sequence are filled in here.
  // FAILED_PRECONDITION once the run is FINISHED.
  virtual absl::StatusOr<PushedGradient> Push(v1::Gradient gradient) = 0;

  // The model with its optimiser, for a checkpoint.
  virtual absl::StatusOr<v1::SharedModel> Fetch(const std::string& model) = 0;

  virtual void CutShort() {}  // As ParameterSink's.
  virtual void Close() = 0;
};

}  // namespace cadre
