// Workers that report, over real connections, and what the server makes of it.
#include "param_server/work_service.h"

#include <atomic>
#include <memory>
#include <string>

#include "absl/synchronization/notification.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "param_server/parameter_metrics.h"
#include "rpc/channel.h"
#include "rpc/client/work_reporter.h"
#include "rpc/server/server.h"
#include "rpc/server/server_info.h"

namespace cadre {
namespace {

using testing::HasSubstr;

class Server {
 public:
  explicit Server(const std::string& upstream = "") : store_("run-7"), service_(&store_, upstream) {
    absl::StatusOr<std::unique_ptr<RpcServer>> server =
        RpcServer::Create("127.0.0.1:0", {&service_});
    EXPECT_TRUE(server.ok()) << server.status();
    server_ = *std::move(server);
  }

  const std::string& address() const { return server_->address(); }
  const WorkService& service() const { return service_; }
  v1::WorkInfoResponse Info() const {
    const absl::StatusOr<v1::WorkInfoResponse> info = FetchWorkInfo(address());
    EXPECT_TRUE(info.ok()) << info.status();
    return *info;
  }

 private:
  ParameterStore store_;
  WorkService service_;
  std::unique_ptr<RpcServer> server_;
};

// Reports every few milliseconds that it spent a second more, for as long as it lives.
class FakeWorker {
 public:
  FakeWorker(const std::string& address, v1::WorkerRole role, const std::string& name,
             const std::string& stage, const std::string& run_id = "run-7")
      : reporter_(
            {.channel = *MakeChannel(address), .run_id = run_id, .interval = absl::Milliseconds(5)},
            [=, this](CallGroup&) {
              v1::WorkReport report;
              report.set_role(role);
              report.set_name(name);
              const int turn = ++turns_;
              report.set_steps(100 * turn);
              v1::StageSeconds& seconds = *report.add_stages();
              seconds.set_stage(stage);
              seconds.set_seconds(turn);
              if (turn == 4 && !reported_.HasBeenNotified()) reported_.Notify();
              return report;
            }) {}
  // The third report is there when the fourth is about to go.
  void WaitForReports() { reported_.WaitForNotification(); }

 private:
  std::atomic<int> turns_ = 0;
  absl::Notification reported_;
  WorkReporter reporter_;
};

TEST(WorkServiceTest, ReportsBecomeAVerdict) {
  Server server;
  FakeWorker learner(server.address(), v1::WORKER_ROLE_LEARNER, "learner-0", "wait_for_experience");
  FakeWorker actor(server.address(), v1::WORKER_ROLE_ACTOR, "actor-0", "environment");
  learner.WaitForReports();
  actor.WaitForReports();
  const v1::WorkInfoResponse info = server.Info();
  ASSERT_EQ(info.workers_size(), 2);
  EXPECT_EQ(info.workers(0).name(), "learner-0");
  EXPECT_FALSE(info.workers(0).host().empty());
  EXPECT_DOUBLE_EQ(info.workers(1).steps_per_second(), 100);
  EXPECT_EQ(info.bottleneck().verdict(), "actor");
  EXPECT_EQ(info.bottleneck().actors_to_add(), kMostAddedPerActor);
  EXPECT_THAT(info.bottleneck().text(), HasSubstr("actor-bound: add about 8 actors or more"));
}

TEST(WorkServiceTest, WhoEndsIsGone) {
  Server server;
  {
    FakeWorker actor(server.address(), v1::WORKER_ROLE_ACTOR, "actor-0", "environment");
    actor.WaitForReports();
    EXPECT_EQ(server.Info().workers_size(), 1);
  }
  EXPECT_EQ(server.Info().workers_size(), 0);
  EXPECT_EQ(server.Info().bottleneck().verdict(), "none");
}

TEST(WorkServiceTest, AnotherRunsWorkersDoNotCount) {
  Server server;
  FakeWorker stranger(server.address(), v1::WORKER_ROLE_ACTOR, "actor-0", "environment", "run-6");
  stranger.WaitForReports();
  EXPECT_EQ(server.Info().workers_size(), 0);
}

TEST(WorkServiceTest, AReplicaHandsReportsOn) {
  Server server;
  Server replica(server.address());
  FakeWorker actor(replica.address(), v1::WORKER_ROLE_ACTOR, "actor-0", "environment");
  for (int tries = 0; server.Info().workers_size() == 0; ++tries) ASSERT_LT(tries, 10'000);
  EXPECT_EQ(replica.Info().workers_size(), 0);
  EXPECT_FALSE(replica.Info().has_bottleneck());
}

TEST(WorkServiceTest, AServerThatDoesNotKnowTheCallIsLeftAlone) {
  absl::StatusOr<std::unique_ptr<RpcServer>> server = RpcServer::Create("127.0.0.1:0", {});
  ASSERT_TRUE(server.ok()) << server.status();
  std::atomic<int> reads = 0;
  {
    WorkReporter reporter({.channel = *MakeChannel((*server)->address()),
                           .run_id = "run-7",
                           .interval = absl::ZeroDuration()},
                          [&](CallGroup&) {
                            ++reads;
                            return v1::WorkReport();
                          });
    EXPECT_TRUE(absl::IsUnimplemented(FetchWorkInfo((*server)->address()).status()));
  }
  EXPECT_LE(reads, 1);
}

TEST(WorkServiceTest, WhatPrometheusSees) {
  ParameterRegistry registry;
  EXPECT_TRUE(registry.Collect().empty());
  registry.set_bottleneck([] { return Bottleneck{Verdict::kActor, 6, "actor-bound"}; });
  const std::vector<prometheus::MetricFamily> families = registry.Collect();
  ASSERT_EQ(families.size(), 2u);
  EXPECT_EQ(families[0].name, "cadre_param_bottleneck");
  ASSERT_EQ(families[0].metric.size(), 5u);
  for (const prometheus::ClientMetric& series : families[0].metric) {
    ASSERT_EQ(series.label.size(), 1u);
    EXPECT_EQ(series.label[0].name, "verdict");
    EXPECT_EQ(series.gauge.value, series.label[0].value == "actor" ? 1 : 0);
  }
  EXPECT_EQ(families[1].name, "cadre_param_actors_to_add");
  EXPECT_EQ(families[1].metric[0].gauge.value, 6);
}

}  // namespace
}  // namespace cadre
