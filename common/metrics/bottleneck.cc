#include "common/metrics/bottleneck.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"

namespace cadre {
namespace {

// Below it nobody waits to speak of.
constexpr double kNothing = 0.05;
// A learner that waits less is busy, an actor that waits less is hardly ever held back.
constexpr double kLearnerWaits = 0.3;
constexpr double kActorWaits = 0.15;

std::string Percent(double share) {
  return absl::StrFormat("%.0f %%", 100 * std::clamp(share, 0.0, 1.0));
}

std::string ActorsHeldBack(double share) {
  return share < 0.005 ? "actors were never held back"
                       : absl::StrCat("actors were held back ", Percent(share), " of the time");
}

std::string LearnerWaited(double share) {
  return share < 0.005
             ? "the learner never waited for experience"
             : absl::StrCat("the learner waited ", Percent(share), " of the time for experience");
}

Bottleneck None(std::string why) { return {Verdict::kNone, 0, absl::StrCat("none (", why, ")")}; }

Bottleneck Bound(Verdict verdict, std::string evidence) {
  return {verdict, 0, absl::StrCat(VerdictName(verdict), "-bound (", evidence, ")")};
}

// `ratio`: wanted over current number of actors.
Bottleneck ActorBound(const RunShares& run, double ratio, const std::string& evidence) {
  const auto actors = static_cast<double>(run.actors.count);
  const double most = actors * kMostAddedPerActor;
  const double wanted = std::ceil(actors * (ratio - 1) - 1e-6);
  const auto add = static_cast<int64_t>(std::clamp(wanted, 1.0, most));
  return {Verdict::kActor, add,
          absl::StrCat("actor-bound: add about ", add, add == 1 ? " actor" : " actors",
                       wanted > most ? " or more (" : " (", evidence, ")")};
}

// One of acting, learning and what lies between happens at any time: the longest counts.
Bottleneck FindInLockstep(const RunShares& run) {
  const double acting = run.actors.slowest_acting;
  const double learning = std::max(0.0, 1 - run.learners.waiting - run.learners.publishing);
  const double between = std::max(0.0, 1 - acting - learning);
  const std::string evidence =
      absl::StrCat("in lockstep actors acted ", Percent(acting), " of the time and the learner ",
                   "learned ", Percent(learning));
  if (between > acting && between > learning)
    return Bound(Verdict::kNetwork,
                 absl::StrCat(evidence, "; ", Percent(between), " went by on the way"));
  if (learning >= acting) return Bound(Verdict::kLearner, evidence);
  // So many that acting would take no longer than learning.
  return ActorBound(run, acting / std::max(learning, 1e-3), evidence);
}

// What keeps both ends waiting. `held_back` is of the actors' time.
Bottleneck FindBetween(const RunShares& run, double held_back) {
  const RunShares::Replay& replay = run.replay;
  const std::string both =
      absl::StrCat(ActorsHeldBack(held_back), " while ", LearnerWaited(run.learners.waiting));
  if (!replay.known)
    return Bound(Verdict::kNetwork, absl::StrCat(both, "; a replay server does not answer"));
  if (replay.dropped >= held_back / 2)
    return Bound(Verdict::kReplay, absl::StrCat(both, "; ", Percent(replay.dropped),
                                                " of the steps were dropped as too old: raise "
                                                "queue.max_version_lag"));
  if (replay.held_back >= held_back / 2)
    return Bound(Verdict::kReplay,
                 absl::StrCat(both,
                              "; it was the replay server that did not let them on: raise "
                              "its capacity or replay.slack_steps"));
  const double sent = std::max(run.actors.unsettled_rollouts, 1e-9);
  const double on_the_way =
      std::clamp((sent * (1 - replay.held_back) - replay.held_rollouts) / sent, 0.0, 1.0);
  if (on_the_way >= 0.5)
    return Bound(
        Verdict::kNetwork,
        absl::StrCat(both, "; ", Percent(on_the_way),
                     " of the rollouts sent were still on their way to the replay server"));
  return Bound(Verdict::kReplay,
               absl::StrCat(both,
                            "; so few rollouts may wait that each waits for the others: "
                            "raise queue.capacity_steps"));
}

Bottleneck FindInFreeRun(const RunShares& run) {
  const double waiting = run.learners.waiting;
  const double publishing = run.learners.publishing;
  // What was dropped was made in vain, as if its actor had been held back.
  const double acting = run.actors.acting * (1 - run.replay.dropped);
  const double held_back = std::clamp(1 - acting, 0.0, 1.0);
  const std::string learner_waited = LearnerWaited(waiting);
  std::string actors_waited = ActorsHeldBack(held_back);
  if (run.replay.dropped >= 0.005)
    absl::StrAppend(&actors_waited, ", ", Percent(run.replay.dropped),
                    " of their steps being dropped as too old");
  if (waiting < kNothing && held_back < kNothing)
    return None("balanced: actors and learner work nearly all the time");
  if (publishing > kLearnerWaits && publishing > 1 - waiting - publishing)
    return Bound(Verdict::kNetwork, absl::StrCat("the learner spent ", Percent(publishing),
                                                 " of the time publishing parameters"));
  if (waiting < kLearnerWaits && waiting <= held_back)
    return Bound(Verdict::kLearner, absl::StrCat(actors_waited, "; ", learner_waited));
  // It waits although what it waits for was there.
  const double served = run.replay.known ? std::max(0.0, waiting - run.replay.lacking) : 0;
  if (waiting >= kLearnerWaits && served >= waiting / 2) {
    const std::string evidence =
        absl::StrCat(learner_waited, ", of which the replay server had enough for it ",
                     Percent(served / waiting));
    return run.replay.sampling >= 0.5
               ? Bound(Verdict::kReplay,
                       absl::StrCat(evidence, ", and gathered batches ",
                                    Percent(run.replay.sampling), " of the time: add a shard"))
               : Bound(Verdict::kNetwork, evidence);
  }
  if (waiting >= kLearnerWaits && held_back >= kActorWaits) return FindBetween(run, held_back);
  return ActorBound(run, 1 / std::max(1 - (waiting - served), 1e-3),
                    absl::StrCat(learner_waited, "; ", actors_waited));
}

}  // namespace

const char* VerdictName(Verdict verdict) {
  switch (verdict) {
    case Verdict::kNone:
      return "none";
    case Verdict::kActor:
      return "actor";
    case Verdict::kReplay:
      return "replay";
    case Verdict::kNetwork:
      return "network";
    case Verdict::kLearner:
      return "learner";
  }
  return "none";
}

Bottleneck FindBottleneck(const RunShares& run) {
  if (run.state == v1::RUN_STATE_FINISHED) return None("the run is finished");
  if (run.state == v1::RUN_STATE_PAUSED) return None("the run is paused");
  if (run.learners.count == 0) return None("no learner has reported long enough");
  if (run.actors.count == 0) {
    const bool starving =
        run.learners.waiting > 0.9 && run.replay.known && run.replay.steps_per_second <= 0;
    if (!starving) return None("no actor has reported long enough");
    return {Verdict::kActor, 1,
            "actor-bound: add about 1 actor or more (no actor reports, and nothing arrives)"};
  }
  if (run.replay.filling) return None("the replay is filling up to where sampling begins");
  return run.lockstep ? FindInLockstep(run) : FindInFreeRun(run);
}

}  // namespace cadre
