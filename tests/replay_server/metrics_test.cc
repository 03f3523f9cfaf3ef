#include "replay_server/metrics.h"

#include <map>
#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "replay_server/local_ports.h"
#include "tests/replay_server/example_rollouts.h"

namespace cadre {
namespace {

TEST(ReplayMetricsTest, ShowsTheQueueAsItIs) {
  Queue queue{QueueOptions()};
  auto sink = *QueueSink::Create(&queue, kRun, ExampleSpec(), 7);
  auto source = *QueueSource::Create(&queue, kRun, ExampleSpec());
  ASSERT_TRUE(sink->Append(ExampleRollout(10)).ok());
  ASSERT_TRUE(sink->Append(ExampleRollout(30)).ok());
  ASSERT_TRUE(source->Acknowledge(source->Take(10, 0)->id).ok());

  std::map<std::string, double> values;
  for (const prometheus::MetricFamily& family : ReplayMetrics(&queue).Collect()) {
    ASSERT_EQ(family.metric.size(), 1);
    EXPECT_EQ(family.metric[0].label[0].value, "on_policy");
    const bool counts = family.type == prometheus::MetricType::Counter;
    EXPECT_EQ(counts, family.name.ends_with("_total")) << family.name;
    values[family.name] = counts ? family.metric[0].counter.value : family.metric[0].gauge.value;
  }
  EXPECT_EQ(values["cadre_replay_waiting_steps"], 30);
  EXPECT_EQ(values["cadre_replay_appended_steps_total"], 40);
  EXPECT_EQ(values["cadre_replay_acknowledged_rollouts_total"], 1);
}

}  // namespace
}  // namespace cadre
