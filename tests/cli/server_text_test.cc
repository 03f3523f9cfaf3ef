#include "cli/server_text.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace cadre {
namespace {

using testing::HasSubstr;
using testing::Not;

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

v1::InfoResponse Table() {
  v1::InfoResponse info;
  v1::TableInfo* table = info.add_tables();
  table->set_name("replay");
  table->set_run_id("r7");
  table->set_items(12'000);
  table->set_rows(12'100);
  table->set_capacity_rows(50'000);
  table->set_allocated_bytes(9'000'000);
  table->set_inserted_steps(20'000);
  table->set_inserted_rollouts(200);
  table->set_sampled_items(640'000);
  table->set_samples_per_insert(32);
  table->set_observed_samples_per_insert(31.5);
  table->set_min_size(1000);
  table->set_limiter(v1::LIMITER_STATE_OPEN);
  table->set_blocked_writers_seconds(2.25);
  return info;
}

TEST(ServerTextTest, ATable) {
  EXPECT_EQ(ReplayServerText("host:5000", Table()),
            "host:5000: replay server, table 'replay', run 'r7'\n"
            "  12,000 items in 12,100 of 50,000 rows; 9,000,000 bytes\n"
            "  sampled 31.5 times per insert; wanted 32\n"
            "  table: 20000 steps inserted in 200 rollouts; 0 duplicates ignored, 0 refused, 0 "
            "lost; 640000 items sampled, 31.5 per insert (wanted 32)\n"
            "  so far actors were held back for 2.2 s, learners waited for 0.0 s\n"
            "  waits for nobody\n");
}

TEST(ServerTextTest, RatesOfATableAreTheChangeOverTime) {
  EarlierInfo earlier{Table(), absl::Seconds(2)};
  v1::InfoResponse now = Table();
  now.mutable_tables(0)->set_inserted_steps(23'000);
  now.mutable_tables(0)->set_sampled_items(640'501);
  now.mutable_tables(0)->set_samples_per_insert(0);
  EXPECT_THAT(ReplayServerText("h:1", now, &earlier),
              HasSubstr("  1,500 steps inserted and 250 items sampled a second; sampled 31.5 times "
                        "per insert, not limited\n"));
  earlier.info.mutable_tables(0)->set_name("another");
  EXPECT_THAT(ReplayServerText("h:1", now, &earlier), Not(HasSubstr("a second")));
}

TEST(ServerTextTest, WhoATablesLimiterHoldsBackAndWhy) {
  v1::InfoResponse info = Table();
  v1::TableInfo& table = *info.mutable_tables(0);
  table.set_waiting_samplers(1);
  table.set_limiter(v1::LIMITER_STATE_WAITS_FOR_INSERTS);
  EXPECT_THAT(ReplayServerText("h:1", info),
              HasSubstr("waits for actors: sampled as often as 32 per insert lets; 1 learner(s) "
                        "waiting\n"));
  table.set_items(10);
  table.set_limiter(v1::LIMITER_STATE_WAITS_FOR_SIZE);
  EXPECT_THAT(
      ReplayServerText("h:1", info),
      HasSubstr("waits for actors: 10 of 1,000 items to begin with; 1 learner(s) waiting\n"));
  table.set_blocked_writers(3);
  table.set_limiter(v1::LIMITER_STATE_WAITS_FOR_SAMPLES);
  EXPECT_THAT(ReplayServerText("h:1", info),
              HasSubstr("waits for the learner: not yet sampled 32 times per insert; 3 actor(s) "
                        "held back\n"));
  table.Clear();
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

TEST(ServerTextTest, AReplicaWithASharedModel) {
  v1::ParameterInfoResponse info = Parameters();
  info.set_following("host:5001");
  v1::ModelInfo* model = info.mutable_models(0);
  model->set_shared(true);
  model->set_env_steps(12'345);
  model->set_applied_gradients(1'041);
  model->set_refused_gradients(2);
  model->set_broken_gradients(1);
  model->set_duplicate_gradients(3);
  model->set_max_gradient_lag(5);
  EXPECT_EQ(ParameterServerText("host:5002", info),
            "host:5002: parameter server, run 'r7', RUNNING\n"
            "  a read-only replica of host:5001\n"
            "  model 'ppo_cartpole': version 42, 37,652 bytes, 12,345 steps; gradients: 1,041 "
            "applied, at most 5 versions old; refused 2 too old and 1 broken; 3 came twice and "
            "counted once\n"
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

TEST(ServerTextTest, WhatWorkersSpendTheirTimeOn) {
  v1::WorkInfoResponse work;
  v1::WorkerInfo* worker = work.add_workers();
  worker->set_name("actor-3");
  worker->set_host("host-1");
  const auto add = [worker](const char* stage, double share) {
    v1::StageShare& added = *worker->add_stages();
    added.set_stage(stage);
    added.set_share(share);
  };
  add("wait_for_parameters", 0.002);
  add("inference", 0.12);
  add("environment", 0.81);
  add("append", 0.07);
  worker->set_steps_per_second(12300.4);
  work.add_workers()->set_name("actor-4");
  work.mutable_bottleneck()->set_text("learner-bound (why)");
  EXPECT_EQ(WorkText(work),
            "  actor-3 (host-1): environment 81 %, inference 12 %, append 7 %; 12,300 steps/s\n"
            "  actor-4: has just begun\n"
            "  verdict: learner-bound (why)\n");
  work.mutable_workers(0)->set_report_age_seconds(14);
  EXPECT_THAT(WorkText(work), HasSubstr("12,300 steps/s; silent for 14 s\n"));
  for (int i = 0; i < 60; ++i) work.add_workers()->set_name("actor");
  EXPECT_THAT(WorkText(work), HasSubstr("  and 30 more\n  verdict: "));
}

TEST(ServerTextTest, AReplicaKnowsNoVerdict) { EXPECT_EQ(WorkText({}), ""); }

TEST(ServerTextTest, HowLongAQueueLetOthersWait) {
  v1::ReplayWork work;
  work.set_blocked_writers_seconds(1.25);
  work.set_waiting_readers_seconds(20);
  EXPECT_EQ(QueueDelays(work),
            "  so far actors were held back for 1.2 s, learners waited for 20.0 s\n");
}

}  // namespace
}  // namespace cadre
