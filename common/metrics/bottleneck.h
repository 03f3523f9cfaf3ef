// What holds a run back, from what its processes waited for: one rule, for `cadre
// status`, the dashboard and autoscalers alike. Pure.
//
// Experience goes from actors through the replay server to a learner. Whoever works all
// the time is the bottleneck; where both ends wait, it is what lies between. docs/
// bottleneck.md says it for users, docs/decisions/009 says why.
#pragma once

#include <cstdint>
#include <string>

#include "proto/parameters.pb.h"

namespace cadre {

// Over the same few seconds; shares of the time are in [0, 1].
struct RunShares {
  v1::RunState state = v1::RUN_STATE_RUNNING;
  // Actors wait for the version that the learner makes of their experience: one of the two
  // always waits.
  bool lockstep = false;

  struct Learners {
    int64_t count = 0;      // Of those that have reported for long enough.
    double waiting = 0;     // For experience. Means over learners.
    double publishing = 0;  // Versions, to the parameter server.
  } learners;

  struct Actors {
    int64_t count = 0;
    double acting = 0;              // Stepping and choosing actions. Means over actors.
    double slowest_acting = 0;      // Of the one that acts most of the time.
    double held_back = 0;           // In append, as too much of what it sent is not settled.
    double unsettled_rollouts = 0;  // Sent and not settled, of all actors together.
  } actors;

  struct Replay {
    bool known = false;           // Somebody could ask all servers.
    bool filling = false;         // A table has not yet what the first sample waits for.
    double held_back = 0;         // Of an actor's time, for which a server did not read on.
    double lacking = 0;           // Of a learner's time, for which a server had too little for it.
    double sampling = 0;          // For which the busiest server gathered batches.
    double held_rollouts = 0;     // That wait in queues, or are at a learner.
    double dropped = 0;           // Share of the steps that came which were too old.
    double steps_per_second = 0;  // That came.
  } replay;
};

enum class Verdict { kNone, kActor, kReplay, kNetwork, kLearner };

inline constexpr Verdict kVerdicts[] = {Verdict::kNone, Verdict::kActor, Verdict::kReplay,
                                        Verdict::kNetwork, Verdict::kLearner};

// "actor"; "none".
const char* VerdictName(Verdict verdict);

struct Bottleneck {
  Verdict verdict = Verdict::kNone;
  // With so many more the learner would not wait any longer; 0 unless actor-bound. No more
  // than kMostAddedPerActor for each that there is: what is far away is not to be seen.
  int64_t actors_to_add = 0;
  // "actor-bound: add about 6 actors (the learner waited 71 % of the time ...)"
  std::string text;
};

inline constexpr int64_t kMostAddedPerActor = 8;

Bottleneck FindBottleneck(const RunShares& run);

}  // namespace cadre
