#include "cli/server_text.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace cadre {
namespace {

using testing::HasSubstr;

v1::InfoResponse Replay() {
  v1::InfoResponse info;
  v1::QueueInfo* queue = info.add_queues();
  queue->set_name("on_policy");
  queue->set_run_id("r7");
  queue->set_capacity_steps(8192);
  queue->set_waiting_steps(1024);
  queue->set_waiting_rollouts(8);
  queue->set_appended_rollouts(20);
  queue->set_acknowledged_rollouts(12);
  queue->set_newest_version(6);
  return info;
}

TEST(ServerTextTest, AReplayServer) {
  EXPECT_EQ(ReplayServerText("host:5000", Replay()),
            "host:5000: replay server, queue 'on_policy', run 'r7'\n"
            "  1,024 of 8,192 steps wait in 8 rollouts; newest version 6\n"
            "  queue: 20 rollouts appended = 12 acknowledged + 0 dropped as stale + 0 leased + 8 "
            "waiting; 0 duplicates ignored, 0 refused, 0 returned by a consumer\n"
            "  waits for nobody\n");
}

TEST(ServerTextTest, WhatAQueueWaitsFor) {
  v1::InfoResponse info = Replay();
  v1::QueueInfo& queue = *info.mutable_queues(0);
  queue.set_leased_rollouts(2);
  EXPECT_THAT(ReplayServerText("h:1", info),
              HasSubstr("waits for nobody: a learner is busy with 2 rollout(s)\n"));
  queue.set_blocked_writers(3);
  EXPECT_THAT(ReplayServerText("h:1", info),
              HasSubstr("waits for the learner: it is full, and holds 3 actor(s) back\n"));
  queue.set_blocked_writers(0);
  queue.set_waiting_consumers(1);
  EXPECT_THAT(ReplayServerText("h:1", info),
              HasSubstr("waits for actors: 1 learner(s) want more than there is\n"));
  queue.Clear();
  EXPECT_THAT(ReplayServerText("h:1", info), HasSubstr("queue '', no run yet\n"));
  EXPECT_THAT(ReplayServerText("h:1", info), HasSubstr("waits for actors: nothing has come yet\n"));
}

v1::ParameterInfoResponse Parameters() {
  v1::ParameterInfoResponse info;
  info.set_run_id("r7");
  info.set_run_state(v1::RUN_STATE_RUNNING);
  info.set_watchers(3);
  v1::ModelInfo* model = info.add_models();
  model->set_model("ppo_cartpole");
  model->set_version(42);
  model->set_bytes(37'652);
  model->set_publications(41);
  return info;
}

TEST(ServerTextTest, AParameterServer) {
  EXPECT_EQ(ParameterServerText("host:5001", Parameters()),
            "host:5001: parameter server, run 'r7', RUNNING\n"
            "  model 'ppo_cartpole': version 42, 37,652 bytes, published 41 times\n"
            "  3 follow it\n"
            "  waits for nobody\n");
}

TEST(ServerTextTest, WhatAParameterServerWaitsFor) {
  v1::ParameterInfoResponse info = Parameters();
  info.set_watchers(0);
  EXPECT_THAT(ParameterServerText("h:1", info), HasSubstr("waits for actors: nobody follows\n"));
  info.clear_models();
  EXPECT_THAT(ParameterServerText("h:1", info),
              HasSubstr("waits for the learner: nothing was published yet\n"));
  info.set_run_state(v1::RUN_STATE_PAUSED);
  EXPECT_THAT(ParameterServerText("h:1", info),
              HasSubstr("PAUSED\n  0 follow it\n  waits for the run to go on: it is paused\n"));
  info.set_run_state(v1::RUN_STATE_FINISHED);
  EXPECT_THAT(ParameterServerText("h:1", info),
              HasSubstr("waits for nobody: the run is finished\n"));
}

}  // namespace
}  // namespace cadre
