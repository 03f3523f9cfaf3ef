#include "replay_server/service/replay_work_service.h"

#include <memory>
#include <string>

#include "gtest/gtest.h"
#include "replay_server/storage/local_ports.h"
#include "rpc/server/server.h"
#include "rpc/shards/replay_watch.h"
#include "tests/replay_server/example_rollouts.h"

namespace cadre {
namespace {

TEST(ReplayWorkServiceTest, TheFirstLearnerHearsOfThoseThatAnswer) {
  QueueOptions options;
  options.max_version_lag = 0;
  Queue queue{options};
  auto sink = *QueueSink::Create(&queue, kRun, ExampleSpec(), 7);
  auto source = *QueueSource::Create(&queue, kRun, ExampleSpec());
  ASSERT_TRUE(sink->Append(ExampleRollout(10)).ok());
  ASSERT_TRUE(sink->Append(ExampleRollout(30)).ok());
  TableOptions table_options;
  table_options.config.set_capacity_bytes(1 << 20);
  table_options.config.mutable_rate_limiter()->set_min_size(100);
  const std::unique_ptr<Table> table = *Table::Create(table_options);

  ReplayWorkService service(ExperienceDirectory({&queue}, {table.get()}));
  auto server = RpcServer::Create("127.0.0.1:0", {&service});
  ASSERT_TRUE(server.ok()) << server.status();
  const std::string away = "127.0.0.1:1";
  auto watch = ReplayWatch::Create({(*server)->address(), away});
  ASSERT_TRUE(watch.ok()) << watch.status();
  v1::WorkReport report;
  CallGroup calls;
  (*watch)->AddTo(report, calls);
  EXPECT_EQ(report.replay_servers(), 2);
  ASSERT_EQ(report.replay_size(), 1);
  EXPECT_EQ(report.replay(0).address(), (*server)->address());
  EXPECT_EQ(report.replay(0).arrived_steps(), 40);
  EXPECT_EQ(report.replay(0).dropped_stale_steps(), 0);
  EXPECT_GT(report.replay(0).held_rollouts_seconds(), 0);
  EXPECT_EQ(report.replay(0).blocked_writers_seconds(), 0);
  EXPECT_TRUE(report.replay(0).filling()) << "the table is empty";

  calls.Close();
  v1::WorkReport late;
  (*watch)->AddTo(late, calls);
  EXPECT_EQ(late.replay_size(), 0) << "a group that is closed asks nobody";
}

TEST(ReplayWorkServiceTest, WhatIsNoAddress) {
  EXPECT_TRUE(absl::IsInvalidArgument(ReplayWatch::Create({"here"}).status()));
}

}  // namespace
}  // namespace cadre
