#include "cli/queue_account.h"

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

TEST(QueueAccountTest, TheLineAddsUp) {
  EXPECT_EQ(QueueAccountLine(Example()),
            "queue: 100 rollouts appended = 90 acknowledged + 5 dropped as stale + 2 leased + 3 "
            "waiting; 6 duplicates ignored, 7 refused, 8 returned by a consumer");
}

TEST(QueueAccountTest, TheJsonHasEveryFieldUnderItsName) {
  const auto json = nlohmann::json::parse(QueueAccountJson(Example()));
  EXPECT_EQ(json.size(), v1::QueueInfo::descriptor()->field_count());
  EXPECT_EQ(json["name"], "on_policy");
  EXPECT_EQ(json["run_id"], "run \"7\"");
  EXPECT_EQ(json["acknowledged_rollouts"], 90);
  EXPECT_EQ(json["capacity_bytes"], int64_t{1} << 40);
  EXPECT_EQ(json["blocked_writers"], 0) << "zeros are there too";
}

}  // namespace
}  // namespace cadre
