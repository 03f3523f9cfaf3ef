#include "param_server/run_metrics.h"

#include <map>
#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace cadre {
namespace {

using ::testing::Pair;
using ::testing::UnorderedElementsAre;

std::map<std::string, double> States(const ParameterStore& store) {
  const auto families = RunMetrics(&store).Collect();
  EXPECT_EQ(families.size(), 1U);
  EXPECT_EQ(families[0].name, "cadre_param_run_state");
  std::map<std::string, double> states;
  for (const prometheus::ClientMetric& metric : families[0].metric) {
    EXPECT_EQ(metric.label[0].name, "state");
    states[metric.label[0].value] = metric.gauge.value;
  }
  return states;
}

TEST(RunMetricsTest, TheStateThatTheRunIsInIsOneAndTheOthersZero) {
  ParameterStore store("run");
  EXPECT_THAT(States(store),
              UnorderedElementsAre(Pair("running", 1), Pair("paused", 0), Pair("finished", 0)));
  ASSERT_TRUE(store.SetRunState(v1::RUN_STATE_PAUSED).ok());
  EXPECT_THAT(States(store),
              UnorderedElementsAre(Pair("running", 0), Pair("paused", 1), Pair("finished", 0)));
  ASSERT_TRUE(store.SetRunState(v1::RUN_STATE_FINISHED).ok());
  EXPECT_THAT(States(store),
              UnorderedElementsAre(Pair("running", 0), Pair("paused", 0), Pair("finished", 1)));
}

}  // namespace
}  // namespace cadre
