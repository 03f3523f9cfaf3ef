#include "param_server/work_board.h"

#include <limits>
#include <utility>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace cadre {
namespace {

constexpr double kNear = 1e-9;

MonotonicTime At(double seconds) {
  static const MonotonicTime start = MonotonicTime::Now();
  return start + absl::Seconds(seconds);
}

v1::WorkReport Worker(uint64_t id, v1::WorkerRole role, std::string name) {
  v1::WorkReport report;
  report.set_worker_id(id);
  report.set_role(role);
  report.set_name(std::move(name));
  return report;
}

void Spend(v1::WorkReport& report, const std::string& stage, double seconds) {
  for (v1::StageSeconds& spent : *report.mutable_stages()) {
    if (spent.stage() != stage) continue;
    spent.set_seconds(spent.seconds() + seconds);
    return;
  }
  v1::StageSeconds& spent = *report.add_stages();
  spent.set_stage(stage);
  spent.set_seconds(seconds);
}

v1::WorkReport Actor(uint64_t id = 1) { return Worker(id, v1::WORKER_ROLE_ACTOR, "actor-0"); }
v1::WorkReport Learner(uint64_t id = 9) { return Worker(id, v1::WORKER_ROLE_LEARNER, "learner-0"); }

RunShares SharesAt(const WorkBoard& board, double seconds) {
  return board.Shares(v1::RUN_STATE_RUNNING, At(seconds));
}

TEST(WorkBoardTest, SharesAreOfTheTimeBetweenTwoReports) {
  WorkBoard board;
  v1::WorkReport actor = Actor();
  Spend(actor, "environment", 100);
  board.Report(actor, At(0));
  EXPECT_EQ(SharesAt(board, 0).actors.count, 0) << "one report says nothing of now";
  Spend(actor, "environment", 1);
  Spend(actor, "append", 2.5);
  Spend(actor, "wait_for_parameters", 0.5);
  actor.set_steps(800);
  actor.set_unsettled_rollouts_seconds(12);
  board.Report(actor, At(4));

  const RunShares run = SharesAt(board, 5);
  EXPECT_EQ(run.actors.count, 1);
  EXPECT_EQ(run.learners.count, 0);
  EXPECT_NEAR(run.actors.acting, 0.25, kNear);
  EXPECT_NEAR(run.actors.held_back, 0.625, kNear);
  EXPECT_NEAR(run.actors.unsettled_rollouts, 3, kNear);
  EXPECT_FALSE(run.replay.known);

  const std::vector<v1::WorkerInfo> workers = board.Workers(At(5));
  ASSERT_EQ(workers.size(), 1u);
  EXPECT_EQ(workers[0].name(), "actor-0");
  EXPECT_NEAR(workers[0].steps_per_second(), 200, kNear);
  EXPECT_NEAR(workers[0].report_age_seconds(), 1, 1e-6);
  ASSERT_EQ(workers[0].stages_size(), 3);
  EXPECT_EQ(workers[0].stages(1).stage(), "append");
  EXPECT_NEAR(workers[0].stages(1).share(), 0.625, kNear);
}

TEST(WorkBoardTest, WhatLiesFurtherBackThanTheWindowDoesNotCount) {
  WorkBoard board;
  v1::WorkReport learner = Learner();
  for (int i = 0; i <= 20; ++i) {
    board.Report(learner, At(2 * i));
    Spend(learner, i < 12 ? "wait_for_experience" : "forward", 2);
  }
  // It learns since 24 s, and now are 40.
  EXPECT_NEAR(SharesAt(board, 40).learners.waiting, 0, kNear);
}

TEST(WorkBoardTest, MeansOverWorkersAndTheSlowest) {
  WorkBoard board;
  v1::WorkReport fast = Actor(1), slow = Actor(2);
  board.Report(fast, At(0));
  board.Report(slow, At(0));
  Spend(fast, "inference", 1);
  Spend(fast, "append", 3);
  Spend(slow, "environment", 4);
  board.Report(fast, At(4));
  board.Report(slow, At(4));
  const RunShares run = SharesAt(board, 4);
  EXPECT_EQ(run.actors.count, 2);
  EXPECT_NEAR(run.actors.acting, 0.625, kNear);
  EXPECT_NEAR(run.actors.slowest_acting, 1, kNear);
}

v1::ReplayWork& AddServer(v1::WorkReport& report, const std::string& address) {
  v1::ReplayWork& server = *report.add_replay();
  server.set_address(address);
  return server;
}

TEST(WorkBoardTest, WhatTheFirstLearnerHeardOfTheReplayServers) {
  WorkBoard board;
  v1::WorkReport learner = Learner();
  learner.set_replay_servers(2);
  AddServer(learner, "a:1").set_blocked_writers_seconds(50);
  AddServer(learner, "b:1");
  v1::WorkReport actor = Actor(1), other = Actor(2);
  for (const v1::WorkReport& report : {learner, actor, other}) board.Report(report, At(0));
  Spend(learner, "wait_for_experience", 4);
  Spend(actor, "append", 4);
  Spend(other, "append", 4);
  v1::ReplayWork& a = *learner.mutable_replay(0);
  v1::ReplayWork& b = *learner.mutable_replay(1);
  a.set_blocked_writers_seconds(54);
  b.set_blocked_writers_seconds(2);
  a.set_waiting_readers_seconds(1);
  b.set_waiting_readers_seconds(3);
  a.set_held_rollouts_seconds(8);
  a.set_arrived_steps(300);
  b.set_arrived_steps(100);
  a.set_dropped_stale_steps(40);
  for (const v1::WorkReport& report : {learner, actor, other}) board.Report(report, At(4));

  const RunShares::Replay replay = SharesAt(board, 4).replay;
  EXPECT_TRUE(replay.known);
  EXPECT_FALSE(replay.filling);
  EXPECT_NEAR(replay.held_back, 6.0 / 4 / 2, kNear) << "of both servers, of two actors' time";
  EXPECT_NEAR(replay.lacking, 0.75, kNear) << "the slowest server decides";
  EXPECT_NEAR(replay.held_rollouts, 2, kNear);
  EXPECT_NEAR(replay.dropped, 0.1, kNear);
  EXPECT_NEAR(replay.steps_per_second, 100, kNear);

  b.set_filling(true);
  Spend(learner, "wait_for_experience", 2);
  board.Report(learner, At(6));
  EXPECT_TRUE(SharesAt(board, 6).replay.filling);
}

TEST(WorkBoardTest, AServerThatDoesNotAnswerOrBeganAnew) {
  WorkBoard board;
  v1::WorkReport learner = Learner();
  learner.set_replay_servers(2);
  AddServer(learner, "a:1").set_waiting_readers_seconds(100);
  board.Report(learner, At(0));
  Spend(learner, "wait_for_experience", 4);
  learner.mutable_replay(0)->set_waiting_readers_seconds(1);  // It was restarted.
  board.Report(learner, At(4));
  const RunShares::Replay replay = SharesAt(board, 4).replay;
  EXPECT_FALSE(replay.known) << "the second never answered";
  EXPECT_EQ(replay.lacking, 0);
}

TEST(WorkBoardTest, WhoLeavesOrFallsSilentIsForgotten) {
  WorkBoard board;
  v1::WorkReport actor = Actor(1), other = Actor(2);
  for (const double at : {0.0, 4.0}) {
    board.Report(actor, At(at));
    board.Report(other, At(at));
    Spend(actor, "environment", 4);
    Spend(other, "environment", 4);
  }
  EXPECT_EQ(SharesAt(board, 4).actors.count, 2);
  v1::WorkReport leaving;
  leaving.set_worker_id(2);
  leaving.set_leaving(true);
  board.Report(leaving, At(5));
  EXPECT_EQ(SharesAt(board, 5).actors.count, 1);
  EXPECT_EQ(board.Workers(At(5)).size(), 1u);
  const double late = 4 + absl::ToDoubleSeconds(WorkBoard::kExpiry) + 1;
  EXPECT_EQ(SharesAt(board, late).actors.count, 0);
  EXPECT_TRUE(board.Workers(At(late)).empty());
}

TEST(WorkBoardTest, TimesThatMakeNoSenseAreNotBelieved) {
  WorkBoard board;
  v1::WorkReport actor = Actor();
  Spend(actor, "environment", std::numeric_limits<double>::quiet_NaN());
  board.Report(actor, At(0));
  EXPECT_TRUE(board.Workers(At(0)).empty());
}

TEST(WorkBoardTest, LearnersComeFirst) {
  WorkBoard board;
  board.Report(Worker(1, v1::WORKER_ROLE_ACTOR, "actor-10"), At(0));
  board.Report(Worker(2, v1::WORKER_ROLE_ACTOR, "actor-9"), At(0));
  board.Report(Worker(3, v1::WORKER_ROLE_LEARNER, "learner-0"), At(0));
  const std::vector<v1::WorkerInfo> workers = board.Workers(At(0));
  ASSERT_EQ(workers.size(), 3u);
  EXPECT_EQ(workers[0].name(), "learner-0");
  EXPECT_EQ(workers[1].name(), "actor-9");
  EXPECT_EQ(workers[2].name(), "actor-10");
}

}  // namespace
}  // namespace cadre
