#include "cli/replay_account.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "nlohmann/json.hpp"

namespace cadre {
namespace {

v1::QueueInfo Example() {
  v1::QueueInfo queue;
  queue.set_name("on_policy");
  queue.set_run_id("run \"7\"");
  queue.set_appended_rollouts(100);
  queue.set_acknowledged_rollouts(90);
  queue.set_dropped_stale_rollouts(5);
  queue.set_leased_rollouts(2);
  queue.set_waiting_rollouts(3);
  queue.set_duplicate_rollouts(6);
  queue.set_refused_rollouts(7);
  queue.set_returned_rollouts(8);
  queue.set_capacity_bytes(int64_t{1} << 40);
  return queue;
}

TEST(ReplayAccountTest, TheLineAddsUp) {
  EXPECT_EQ(QueueAccountLine(Example()),
            "queue: 100 rollouts appended = 90 acknowledged + 5 dropped as stale + 2 leased + 3 "
            "waiting; 6 duplicates ignored, 7 refused, 8 returned by a consumer");
}

TEST(ReplayAccountTest, SeveralQueuesAreAddedUpUnderTheNameOfOne) {
  v1::InfoResponse info;
  for (int i = 0; i < 2; ++i) *info.add_queues() = Example();
  info.mutable_queues(1)->set_name("on_policy/1");
  info.mutable_queues(1)->set_newest_version(12);
  const v1::QueueInfo sum = SumOfQueues(info);
  EXPECT_EQ(sum.name(), "on_policy");
  EXPECT_EQ(sum.run_id(), "run \"7\"");
  EXPECT_EQ(sum.acknowledged_rollouts(), 180);
  EXPECT_EQ(sum.leased_rollouts(), 4);
  EXPECT_EQ(sum.newest_version(), 12) << "not a count";
  info.mutable_queues()->RemoveLast();
  EXPECT_EQ(SumOfQueues(info).SerializeAsString(), Example().SerializeAsString());
}

TEST(ReplayAccountTest, TheLineOfGradientsAddsUp) {
  v1::ModelInfo model;
  model.set_applied_gradients(90);
  model.set_refused_gradients(6);
  model.set_duplicate_gradients(3);
  model.set_broken_gradients(1);
  model.set_max_gradient_lag(7);
  model.set_env_steps(5000);
  EXPECT_EQ(GradientAccountLine(model),
            "gradients: 100 pushed = 90 applied + 6 refused as too old + 3 duplicates + 1 broken; "
            "largest lag 7; 5000 steps");
  EXPECT_EQ(nlohmann::json::parse(AccountJson(model))["applied_gradients"], 90);
}

TEST(ReplayAccountTest, TheJsonHasEveryFieldUnderItsName) {
  const auto json = nlohmann::json::parse(AccountJson(Example()));
  EXPECT_EQ(json.size(), v1::QueueInfo::descriptor()->field_count());
  EXPECT_EQ(json["name"], "on_policy");
  EXPECT_EQ(json["run_id"], "run \"7\"");
  EXPECT_EQ(json["acknowledged_rollouts"], 90);
  EXPECT_EQ(json["capacity_bytes"], int64_t{1} << 40);
  EXPECT_EQ(json["blocked_writers"], 0) << "zeros are there too";
}

TEST(ReplayAccountTest, ATablesLineSaysHowOftenItsItemsWereSampled) {
  v1::TableInfo table;
  table.set_inserted_steps(640);
  table.set_inserted_rollouts(10);
  table.set_duplicate_rollouts(1);
  table.set_refused_rollouts(2);
  table.set_lost_rollouts(3);
  table.set_sampled_items(5120);
  EXPECT_EQ(TableAccountLine(table),
            "table: 640 steps inserted in 10 rollouts; 1 duplicates ignored, 2 refused, 3 lost; "
            "5120 items sampled");
  table.set_samples_per_insert(8);
  table.set_observed_samples_per_insert(7.96);
  EXPECT_THAT(TableAccountLine(table), testing::EndsWith(", 7.96 per insert (wanted 8)"));
}

TEST(ReplayAccountTest, TheJsonOfATableHasItsNumbersAndNames) {
  v1::TableInfo table;
  table.set_observed_samples_per_insert(7.5);
  table.set_limiter(v1::LIMITER_STATE_WAITS_FOR_SAMPLES);
  const auto json = nlohmann::json::parse(AccountJson(table));
  EXPECT_EQ(json.size(), v1::TableInfo::descriptor()->field_count());
  EXPECT_EQ(json["observed_samples_per_insert"], 7.5);
  EXPECT_EQ(json["limiter"], "LIMITER_STATE_WAITS_FOR_SAMPLES");
}

}  // namespace
}  // namespace cadre
