#include "replay_server/service/metrics.h"

#include <map>
#include <memory>
#include <string>
#include <utility>

#include "common/experience/rollout_view.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "replay_server/storage/local_ports.h"
#include "tests/replay_server/example_rollouts.h"

namespace cadre {
namespace {

// By name, and by state where there are several. All must have that label.
std::map<std::string, double> Values(const ReplayMetrics& metrics, const std::string& label,
                                     const std::string& value) {
  std::map<std::string, double> values;
  for (const prometheus::MetricFamily& family : metrics.Collect()) {
    const bool counts = family.type == prometheus::MetricType::Counter;
    EXPECT_EQ(counts, family.name.ends_with("_total")) << family.name;
    for (const prometheus::ClientMetric& metric : family.metric) {
      EXPECT_EQ(metric.label[0].name, label);
      EXPECT_EQ(metric.label[0].value, value);
      const std::string state = metric.label.size() > 1 ? " " + metric.label[1].value : "";
      values[family.name + state] = counts ? metric.counter.value : metric.gauge.value;
    }
  }
  return values;
}

TEST(ReplayMetricsTest, ShowsTheQueueAsItIs) {
  Queue queue{QueueOptions()};
  auto sink = *QueueSink::Create(&queue, kRun, ExampleSpec(), 7);
  auto source = *QueueSource::Create(&queue, kRun, ExampleSpec());
  ASSERT_TRUE(sink->Append(ExampleRollout(10)).ok());
  ASSERT_TRUE(sink->Append(ExampleRollout(30)).ok());
  ASSERT_TRUE(source->Acknowledge(source->Take(10, 0)->id).ok());

  std::map<std::string, double> values = Values(ReplayMetrics({&queue}, {}), "queue", "on_policy");
  EXPECT_EQ(values["cadre_replay_waiting_steps"], 30);
  EXPECT_EQ(values["cadre_replay_appended_steps_total"], 40);
  EXPECT_EQ(values["cadre_replay_acknowledged_rollouts_total"], 1);
  EXPECT_EQ(values["cadre_replay_blocked_writers_seconds_total"], 0);
  EXPECT_EQ(values.count("cadre_replay_waiting_consumers_seconds_total"), 1);
  EXPECT_GT(values["cadre_replay_held_rollouts_seconds_total"], 0) << "one waits";
}

TEST(ReplayMetricsTest, ShowsTheTableAsItIs) {
  TableOptions options;
  options.config.set_capacity_bytes(1 << 20);
  options.config.mutable_rate_limiter()->set_min_size(100);
  const std::unique_ptr<Table> table = *Table::Create(options);
  const uint64_t stream = table->OpenWriter(kRun, 7, ExampleSpec(), 4, [](uint64_t) {})->id;
  v1::Rollout rollout = ExampleRollout(7, 4, 10, 0);
  rollout.mutable_segments(0)->set_end(v1::SEGMENT_END_TERMINATED);
  absl::Status appended = absl::UnknownError("not yet");
  table->Append(stream, ViewOf(std::make_shared<const v1::Rollout>(rollout)),
                [&appended](absl::Status status) { appended = std::move(status); });
  ASSERT_TRUE(appended.ok()) << appended;

  std::map<std::string, double> values =
      Values(ReplayMetrics({}, {table.get()}), "table", "replay");
  EXPECT_EQ(values["cadre_replay_table_items"], 10);
  EXPECT_EQ(values["cadre_replay_table_rows"], 11);
  EXPECT_EQ(values["cadre_replay_table_inserted_steps_total"], 10);
  EXPECT_EQ(values["cadre_replay_table_lost_rollouts_total"], 3);
  EXPECT_EQ(values["cadre_replay_table_min_size_items"], 100);
  EXPECT_EQ(values["cadre_replay_table_limiter_state open"], 0);
  EXPECT_EQ(values["cadre_replay_table_limiter_state waits_for_size"], 1);
  EXPECT_EQ(values["cadre_replay_table_sampling_seconds_total"], 0);
  EXPECT_EQ(values.count("cadre_replay_waiting_steps"), 0) << "there is no queue";
}

}  // namespace
}  // namespace cadre
