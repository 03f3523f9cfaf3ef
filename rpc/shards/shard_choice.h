// Which of the tables or queues that share a run's experience, its shards, an actor appends
// to: one that nobody else feeds, if there is any, and none that is not there. Pure; not
// thread-safe.
//
// An actor knows of the others only what the servers say. A shard that wants experience and
// whose steps do not grow while this actor makes some has no actor. Whoever sees it moves
// there by a toss of a coin, so that of several actors about half do. A single actor feeds
// the shards in turn.
//
// An actor of queues that is held back where it is, and sees that a learner waits elsewhere, need
// not be sure of anything: it moves at once, by the same toss.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "absl/types/span.h"

namespace cadre {

// What a server said when it was asked.
struct ShardNews {
  bool answers = false;
  int64_t inserted_steps = 0;
  bool wants = true;     // It would take more at once.
  bool starves = false;  // A learner waits for more: of a queue alone.
};

class ShardChoice {
 public:
  // Rounds of news that it takes to be sure.
  static constexpr int kPatience = 3;

  ShardChoice(size_t shards, size_t first) : seen_(shards), current_(first) {}

  // The shard to append to after one more round of news, of all shards. `busy`: this actor
  // appended since the last round, or waits to. `uniform` is random, in [0, 1).
  size_t Next(absl::Span<const ShardNews> news, bool busy, double uniform);

  // The same for an actor that is held back, between those rounds.
  size_t NextIfHeldBack(absl::Span<const ShardNews> news, double uniform);

  size_t current() const { return current_; }

 private:
  struct Seen {
    int64_t inserted_steps = -1;
    int quiet = 0;   // Rounds in which it got nothing.
    int silent = 0;  // Rounds in which it did not answer.
  };

  void Note(const ShardNews& news, bool busy, Seen& seen);
  // The others that answer; of these those that nobody feeds, if `unfed`.
  std::vector<size_t> Others(bool unfed) const;
  void MoveTo(size_t shard);

  std::vector<Seen> seen_;
  size_t current_;
  int rounds_here_ = 0;
};

}  // namespace cadre
