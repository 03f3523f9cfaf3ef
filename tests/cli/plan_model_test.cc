#include "cli/plan_model.h"

#include <limits>
#include <string>

#include "cli/plan_text.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "nlohmann/json.hpp"

namespace cadre {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

constexpr double kMicro = 1e-6;

// One that nothing else disturbs: 2 us to act, 7 to learn, 2 to hand over.
PlanCosts SmallCosts() {
  PlanCosts costs;
  costs.acting = costs.acting_cpu = 2 * kMicro;
  costs.learning = 7 * kMicro;
  costs.hand_over = 2 * kMicro;
  return costs;
}

PlanShape Lockstep(int64_t actors) {
  PlanShape shape;
  shape.actors = actors;
  shape.steps_per_rollout = 100;
  return shape;
}

PlanShape Asynchronous(int64_t actors) {
  PlanShape shape = Lockstep(actors);
  shape.lockstep = false;
  return shape;
}

Plan PlanOf(const PlanCosts& costs, const PlanShape& shape, const PlanMachines& machines) {
  const absl::StatusOr<Plan> plan = MakePlan(costs, shape, machines);
  EXPECT_TRUE(plan.ok()) << plan.status();
  return plan.ok() ? *plan : Plan();
}

const PlanResource& Resource(const Plan& plan, const std::string& name) {
  for (const PlanResource& resource : plan.resources)
    if (resource.name == name) return resource;
  ADD_FAILURE() << "no resource " << name;
  return plan.resources[0];
}

TEST(PlanModelTest, InLockstepTheTimesOfARoundAddUp) {
  // Two actors at once: 1 + 2 + 7 us.
  const Plan plan = PlanOf(SmallCosts(), Lockstep(2), {.cores = 2});
  EXPECT_NEAR(plan.steps_per_second, 1e5, 1);
  EXPECT_EQ(plan.resources[plan.first].name, "learner");
  EXPECT_NEAR(Resource(plan, "actors").use, 0.1, 1e-9);
  EXPECT_NEAR(Resource(plan, "hand-over").use, 0.2, 1e-9);
  EXPECT_NEAR(Resource(plan, "learner").use, 0.7, 1e-9);
}

TEST(PlanModelTest, ActorsThatShareACoreActOneAfterTheOther) {
  // 2 + 2 + 7 us, of which 9 keep the core busy.
  const Plan plan = PlanOf(SmallCosts(), Lockstep(2), {.cores = 1});
  EXPECT_NEAR(plan.steps_per_second, 1e6 / 11, 1);
  EXPECT_NEAR(Resource(plan, "cores").use, 9.0 / 11, 1e-9);
}

TEST(PlanModelTest, EnvironmentsThatWaitDoNotKeepACore) {
  PlanCosts costs = SmallCosts();
  costs.acting = 1000 * kMicro;
  costs.acting_cpu = 1 * kMicro;
  // 100 actors: 10 us a step, though their core time is 0.5; + 2 + 7.
  EXPECT_NEAR(PlanOf(costs, Lockstep(100), {.cores = 2}).steps_per_second, 1e6 / 19, 1);
}

TEST(PlanModelTest, AsynchronouslyTheSlowestDecides) {
  PlanCosts costs;
  costs.acting = costs.acting_cpu = 4 * kMicro;
  costs.transfer = 1 * kMicro;
  costs.learning = 3 * kMicro;
  costs.hand_over = 1 * kMicro;
  const Plan plan = PlanOf(costs, Asynchronous(4), {.cores = 8});
  EXPECT_NEAR(Resource(plan, "actors").capacity, 4e6 / 5, 1);
  EXPECT_NEAR(Resource(plan, "learner").capacity, 1e6 / 4, 1);
  EXPECT_NEAR(Resource(plan, "cores").capacity, 1e6, 1);
  EXPECT_NEAR(plan.steps_per_second, 250e3, 1);
  EXPECT_EQ(plan.resources[plan.first].name, "learner");
  EXPECT_EQ(plan.actors, 2);  // Of 200,000 steps/s each.
}

TEST(PlanModelTest, OnFewCoresAllWorkAddsUp) {
  PlanCosts costs;
  costs.acting = costs.acting_cpu = 4 * kMicro;
  costs.learning = 3 * kMicro;
  costs.replay_server = 2 * kMicro;
  costs.parameter_server = 1 * kMicro;
  const PlanMachines machines{.cores = 1};
  const Plan plan = PlanOf(costs, Asynchronous(4), machines);
  EXPECT_NEAR(plan.steps_per_second, 1e5, 1);
  EXPECT_EQ(plan.resources[plan.first].name, "cores");
  EXPECT_THAT(PlanVerdict(plan, costs, Asynchronous(4), machines), HasSubstr("core-bound: 1 core"));
}

TEST(PlanModelTest, TheVerdictSaysWhenALearnerMostlyWaits) {
  PlanCosts costs = SmallCosts();
  const PlanShape shape = Asynchronous(4);
  const auto verdict = [&] {
    return PlanVerdict(PlanOf(costs, shape, {.cores = 9}), costs, shape, {.cores = 9});
  };
  EXPECT_THAT(verdict(), HasSubstr("learner-bound: more actors do not help"));
  costs.hand_over = 8 * kMicro;
  EXPECT_THAT(verdict(), HasSubstr("waits for hand-overs more than it learns"));
  costs.acting = costs.acting_cpu = 1000 * kMicro;
  EXPECT_THAT(verdict(), HasSubstr("actor-bound; to keep the learner busy: 67 actors"));
}

TEST(PlanModelTest, InAClusterEveryActorHasACore) {
  const Plan plan = PlanOf(SmallCosts(), Asynchronous(50), {.cluster = true, .cores = 1});
  EXPECT_NEAR(Resource(plan, "actors").capacity, 25e6, 1);
  EXPECT_NEAR(plan.steps_per_second, 1e6 / 9, 1);
  for (const PlanResource& resource : plan.resources) EXPECT_NE(resource.name, "cores");
}

TEST(PlanModelTest, LearnersThatPushDoNotWaitForEachOther) {
  PlanShape shape = Lockstep(4);
  shape.learners = shape.groups = 4;
  // Four times 1 / (2 + 2 + 7 us).
  const Plan plan = PlanOf(SmallCosts(), shape, {.cluster = true, .cores = 1});
  EXPECT_NEAR(plan.steps_per_second, 4e6 / 11, 1);
}

TEST(PlanModelTest, LockstepActorsAreEnoughOnceTheirShareIsATenth) {
  PlanCosts costs = SmallCosts();
  costs.acting = costs.acting_cpu = 100 * kMicro;
  // 100 / n = (100 / n + 9) / 10 where n = 100: 1 us of 10.
  const Plan plan = PlanOf(costs, Lockstep(1), {.cluster = true, .cores = 1});
  EXPECT_EQ(plan.actors, 100);
  EXPECT_NEAR(plan.wanted_rate, 1e5, 1);
  EXPECT_NEAR(PlanOf(costs, Lockstep(100), {.cluster = true, .cores = 1}).steps_per_second,
              plan.wanted_rate, 1);
}

// A learner that takes a million steps a second, from a table of rows of 28 kB.
PlanShape LargeTable() {
  PlanShape shape = Asynchronous(8);
  shape.replay = true;
  shape.steps_per_rollout = 1024;
  shape.append_bytes = 28e3;
  shape.sample_bytes = 1e3;
  shape.parameter_bytes = 6.8e6;
  shape.replay_memory_bytes = 60e9;
  shape.server_memory_bytes = 4e9;
  return shape;
}

TEST(PlanModelTest, ShardsAndReplicasFollowFromBytesAndMemory) {
  PlanCosts costs;
  costs.acting = costs.acting_cpu = 10 * kMicro;
  costs.learning = 1 * kMicro;
  costs.replay_server = 2 * kMicro;
  const PlanMachines machines{.cluster = true, .cores = 1, .network_bytes_per_second = 1.25e9};
  const Plan plan = PlanOf(costs, LargeTable(), machines);
  EXPECT_EQ(plan.actors, 10);
  EXPECT_EQ(plan.shards, 23);   // 28 GB/s of 1.25; memory needs 15, the CPU 2.
  EXPECT_EQ(plan.replicas, 6);  // 6.8 MB for each 1024 steps: 6.64 GB/s of 1.25.
  // One server's network until then.
  EXPECT_EQ(plan.resources[plan.first].name, "replay network");
  EXPECT_NEAR(plan.steps_per_second, 1.25e9 / 28e3, 1);

  PlanMachines wide = machines;
  wide.network_bytes_per_second = 1e12;
  EXPECT_EQ(PlanOf(costs, LargeTable(), wide).shards, 15);
  EXPECT_EQ(PlanOf(costs, LargeTable(), wide).replicas, 0);
  PlanShape queue = LargeTable();
  queue.replay = false;
  EXPECT_EQ(PlanOf(costs, queue, machines).shards, 1);  // A queue is not shared.
}

TEST(PlanModelTest, ShardsDoNotWidenTheNetworkOfTheLearner) {
  PlanCosts costs;
  costs.acting = costs.acting_cpu = 100 * kMicro;
  costs.learning = 1 * kMicro;
  const PlanMachines machines{.cluster = true, .cores = 1, .network_bytes_per_second = 1.25e9};
  PlanShape shape = LargeTable();
  shape.append_bytes = 1e3;
  shape.sample_bytes = 125e3;
  shape.replay_memory_bytes = 1e9;
  shape.actors = 4;
  Plan plan = PlanOf(costs, shape, machines);
  EXPECT_NEAR(plan.steps_per_second, 1e4, 1);
  EXPECT_NEAR(plan.wanted_rate, 1e4, 1);  // Though the learner could do a million.
  EXPECT_EQ(plan.actors, 1);
  EXPECT_EQ(plan.shards, 1);
  EXPECT_THAT(PlanVerdict(plan, costs, shape, machines), HasSubstr("the learner's network"));
  shape.learners = 2;  // Each takes half.
  EXPECT_NEAR(PlanOf(costs, shape, machines).wanted_rate, 2e4, 1);
}

TEST(PlanModelTest, NumbersThatMeanNothingAreRefusedByName) {
  PlanCosts costs = SmallCosts();
  costs.hand_over = std::numeric_limits<double>::quiet_NaN();
  EXPECT_THAT(MakePlan(costs, Lockstep(1), {}).status().message(), HasSubstr("hand_over: got nan"));
  costs = SmallCosts();
  costs.learning = -1;
  EXPECT_THAT(MakePlan(costs, Lockstep(1), {}).status().message(), HasSubstr("learning: got -1"));
  EXPECT_THAT(MakePlan(SmallCosts(), Lockstep(0), {}).status().message(),
              HasSubstr("actors: got 0; wanted 1 or more"));
  EXPECT_THAT(MakePlan(SmallCosts(), Lockstep(1), {.cores = 0}).status().message(),
              HasSubstr("cores: got 0"));
  EXPECT_TRUE(absl::IsInvalidArgument(MakePlan(PlanCosts(), Lockstep(1), {}).status()));
}

PlanReport SmallReport() {
  PlanReport report;
  report.experiment = "small";
  report.mode = "embedded";
  report.costs = SmallCosts();
  report.shape = Lockstep(2);
  report.machines = {.cores = 2};
  report.plan = PlanOf(report.costs, report.shape, report.machines);
  report.notes = {"as told"};
  return report;
}

TEST(PlanTextTest, MarksWhatSaturatesFirst) {
  const std::string text = PlanText(SmallReport());
  EXPECT_THAT(text, HasSubstr("predicted     100,000 environment steps/s"));
  const size_t mark = text.find("<- first");
  ASSERT_NE(mark, std::string::npos);
  const size_t line = text.rfind('\n', mark) + 1;
  EXPECT_EQ(text.substr(line, 7), "learner");
  EXPECT_THAT(text, HasSubstr("note          as told\n"));
  EXPECT_THAT(text, HasSubstr("learner-bound"));
  EXPECT_THAT(text, Not(HasSubstr("nan")));
}

TEST(PlanTextTest, JsonSaysTheSame) {
  const nlohmann::json json = nlohmann::json::parse(PlanJson(SmallReport()));
  EXPECT_NEAR(json["steps_per_second"].get<double>(), 1e5, 1);
  EXPECT_EQ(json["first"], "learner");
  EXPECT_EQ(json["for_a_busy_learner"]["actors"], 2);
  EXPECT_EQ(json["resources"].size(), 4);
}

}  // namespace
}  // namespace cadre
