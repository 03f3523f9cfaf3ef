#include "common/metrics/bottleneck.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace cadre {
namespace {

using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

// Four actors and a learner, asynchronous, nobody ever waiting.
RunShares Busy() {
  RunShares run;
  run.learners = {.count = 1, .waiting = 0, .publishing = 0.02};
  run.actors = {
      .count = 4, .acting = 1, .slowest_acting = 1, .held_back = 0, .unsettled_rollouts = 2};
  run.replay.known = true;
  run.replay.held_rollouts = 2;
  run.replay.steps_per_second = 1000;
  return run;
}

RunShares SlowEnvironment() {
  RunShares run = Busy();
  run.learners.waiting = run.replay.lacking = 0.6;
  return run;
}

// Both ends wait.
RunShares Between() {
  RunShares run = Busy();
  run.learners.waiting = run.replay.lacking = 0.9;
  run.actors.acting = run.actors.slowest_acting = 0.2;
  run.actors.held_back = 0.8;
  run.actors.unsettled_rollouts = 16;
  return run;
}

TEST(BottleneckTest, NobodyWaits) {
  const Bottleneck found = FindBottleneck(Busy());
  EXPECT_EQ(found.verdict, Verdict::kNone);
  EXPECT_EQ(found.actors_to_add, 0);
  EXPECT_THAT(found.text, HasSubstr("balanced"));
}

TEST(BottleneckTest, ALearnerThatWaitsForActorsThatNeverDoWantsMoreOfThem) {
  const Bottleneck found = FindBottleneck(SlowEnvironment());
  EXPECT_EQ(found.verdict, Verdict::kActor);
  // It could learn 1 / (1 - 0.6) = 2.5 times as fast: 10 actors instead of 4.
  EXPECT_EQ(found.actors_to_add, 6);
  EXPECT_EQ(found.text,
            "actor-bound: add about 6 actors (the learner waited 60 % of the time for experience; "
            "actors were never held back)");
}

TEST(BottleneckTest, HowManyActorsIsRoundedUpAndBounded) {
  RunShares run = SlowEnvironment();
  run.learners.waiting = run.replay.lacking = 0.1;
  Bottleneck found = FindBottleneck(run);
  EXPECT_EQ(found.actors_to_add, 1) << "4 / 0.9 = 4.4";
  EXPECT_THAT(found.text, HasSubstr("add about 1 actor ("));
  run.learners.waiting = run.replay.lacking = 1;
  found = FindBottleneck(run);
  EXPECT_EQ(found.actors_to_add, 4 * kMostAddedPerActor);
  EXPECT_THAT(found.text, HasSubstr("add about 32 actors or more ("));
}

TEST(BottleneckTest, ALearnerThatNeverWaitsIsTheBottleneck) {
  RunShares run = Busy();
  run.actors.acting = run.actors.slowest_acting = 0.1;
  run.actors.held_back = 0.9;
  const Bottleneck found = FindBottleneck(run);
  EXPECT_EQ(found.verdict, Verdict::kLearner);
  EXPECT_EQ(found.actors_to_add, 0);
  EXPECT_EQ(found.text,
            "learner-bound (actors were held back 90 % of the time; the learner never waited for "
            "experience)");
  // Also where updates are so short that each waits a moment for the next lease.
  run.learners.waiting = 0.2;
  EXPECT_EQ(FindBottleneck(run).verdict, Verdict::kLearner);
}

TEST(BottleneckTest, StepsThatWereDroppedAsTooOldWereMadeInVain) {
  RunShares run = Busy();
  run.replay.dropped = 0.5;
  const Bottleneck found = FindBottleneck(run);
  EXPECT_EQ(found.verdict, Verdict::kLearner);
  EXPECT_THAT(found.text, HasSubstr("50 % of their steps being dropped as too old"));
  // And where the learner lacks what was dropped, the bound on the lag is too tight.
  run.learners.waiting = run.replay.lacking = 0.6;
  EXPECT_EQ(FindBottleneck(run).verdict, Verdict::kReplay);
  EXPECT_THAT(FindBottleneck(run).text, HasSubstr("raise queue.max_version_lag"));
}

TEST(BottleneckTest, RolloutsThatAreOnTheirWayAreTheNetworks) {
  RunShares run = Between();
  const Bottleneck found = FindBottleneck(run);
  EXPECT_EQ(found.verdict, Verdict::kNetwork);
  EXPECT_THAT(found.text, HasSubstr("88 % of the rollouts sent were still on their way"));
}

TEST(BottleneckTest, RolloutsThatWaitForOthersAreTheBudgets) {
  RunShares run = Between();
  run.actors.unsettled_rollouts = 3.6;
  run.replay.held_rollouts = 3.4;
  const Bottleneck found = FindBottleneck(run);
  EXPECT_EQ(found.verdict, Verdict::kReplay);
  EXPECT_EQ(found.actors_to_add, 0);
  EXPECT_THAT(found.text, StartsWith("replay-bound (actors were held back 80 % of the time while "
                                     "the learner waited 90 % of the time for experience; "));
}

TEST(BottleneckTest, AServerThatDoesNotReadOnIsNoSlowNetwork) {
  RunShares run = Between();
  run.replay.held_back = 0.7;
  EXPECT_EQ(FindBottleneck(run).verdict, Verdict::kReplay);
  run.replay.held_back = 0.1;
  EXPECT_EQ(FindBottleneck(run).verdict, Verdict::kNetwork);
}

TEST(BottleneckTest, ALearnerThatWaitsForWhatTheServerHasIsFarFromIt) {
  RunShares run = Between();
  run.replay.lacking = 0.1;
  run.replay.held_rollouts = 16;
  EXPECT_EQ(FindBottleneck(run).verdict, Verdict::kNetwork);
  EXPECT_THAT(FindBottleneck(run).text, HasSubstr("the replay server had enough for it 89 %"));
  // Or the server is too slow to give it out.
  run.replay.sampling = 0.9;
  EXPECT_EQ(FindBottleneck(run).verdict, Verdict::kReplay);
  EXPECT_THAT(FindBottleneck(run).text, HasSubstr("add a shard"));
}

TEST(BottleneckTest, ALearnerThatPublishesMostOfTheTimeIsHeldBackByTheNetwork) {
  RunShares run = Busy();
  run.learners.publishing = 0.7;
  run.actors.acting = run.actors.slowest_acting = 0.2;
  run.actors.held_back = 0.8;
  EXPECT_EQ(FindBottleneck(run).verdict, Verdict::kNetwork);
}

TEST(BottleneckTest, AReplayServerThatDoesNotAnswer) {
  RunShares run = Between();
  run.replay = {};
  EXPECT_EQ(FindBottleneck(run).verdict, Verdict::kNetwork);
  // It takes nothing away from what is clear without it.
  run = SlowEnvironment();
  run.replay = {};
  EXPECT_EQ(FindBottleneck(run).verdict, Verdict::kActor);
}

TEST(BottleneckTest, InLockstepTheLongerHalfCounts) {
  RunShares run = Busy();
  run.lockstep = true;
  run.actors.acting = 0.6;
  run.actors.slowest_acting = 0.75;
  run.learners.waiting = 0.75;
  run.learners.publishing = 0;
  Bottleneck found = FindBottleneck(run);
  EXPECT_EQ(found.verdict, Verdict::kActor);
  EXPECT_EQ(found.actors_to_add, 8) << "acting takes three times as long as learning";
  run.actors.acting = run.actors.slowest_acting = 0.2;
  run.learners.waiting = 0.2;
  EXPECT_EQ(FindBottleneck(run).verdict, Verdict::kLearner);
}

TEST(BottleneckTest, InLockstepWhatIsNeitherActingNorLearningIsOnTheWay) {
  RunShares run = Busy();
  run.lockstep = true;
  run.actors.acting = run.actors.slowest_acting = 0.2;
  run.learners.waiting = 0.7;
  run.learners.publishing = 0.1;
  EXPECT_EQ(FindBottleneck(run).verdict, Verdict::kNetwork);
}

TEST(BottleneckTest, LockstepIsNeverCalledReplayBound) {
  RunShares run = Between();
  run.lockstep = true;
  for (int acting = 0; acting <= 10; ++acting) {
    for (int waiting = 0; waiting <= 10; ++waiting) {
      run.actors.acting = run.actors.slowest_acting = 0.1 * acting;
      run.learners.waiting = 0.1 * waiting;
      EXPECT_NE(FindBottleneck(run).verdict, Verdict::kReplay) << acting << ", " << waiting;
    }
  }
}

TEST(BottleneckTest, NoVerdictOnARunThatStandsStill) {
  RunShares run = SlowEnvironment();
  run.state = v1::RUN_STATE_PAUSED;
  EXPECT_EQ(FindBottleneck(run).text, "none (the run is paused)");
  run.state = v1::RUN_STATE_FINISHED;
  EXPECT_EQ(FindBottleneck(run).text, "none (the run is finished)");
}

TEST(BottleneckTest, NoVerdictOnARunThatStarts) {
  EXPECT_EQ(FindBottleneck(RunShares()).verdict, Verdict::kNone);
  RunShares run = SlowEnvironment();
  run.replay.filling = true;
  EXPECT_THAT(FindBottleneck(run).text, HasSubstr("none (the replay is filling up"));
  run = SlowEnvironment();
  run.learners = {};
  EXPECT_EQ(FindBottleneck(run).verdict, Verdict::kNone);
}

TEST(BottleneckTest, WhereNoActorIsOneIsWanted) {
  RunShares run = Busy();
  run.actors = {};
  run.learners.waiting = run.replay.lacking = 1;
  run.replay.steps_per_second = 0;
  EXPECT_EQ(FindBottleneck(run).verdict, Verdict::kActor);
  EXPECT_EQ(FindBottleneck(run).actors_to_add, 1);
  // But steps arrive: of actors that do not report.
  run.replay.steps_per_second = 100;
  EXPECT_EQ(FindBottleneck(run).verdict, Verdict::kNone);
}

TEST(BottleneckTest, EveryVerdictHasAName) {
  for (const Verdict verdict : kVerdicts) EXPECT_THAT(VerdictName(verdict), Not(HasSubstr(" ")));
  EXPECT_STREQ(VerdictName(Verdict::kNone), "none");
  EXPECT_STREQ(VerdictName(Verdict::kNetwork), "network");
}

}  // namespace
}  // namespace cadre
