#include "learner/learner_metrics.h"

#include <map>
#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace cadre {
namespace {

// By name, and by label where there is one.
std::map<std::string, double> Values(const LearnerMetrics& metrics) {
  std::map<std::string, double> values;
  for (const prometheus::MetricFamily& family : metrics.Collect()) {
    const bool counts = family.type == prometheus::MetricType::Counter;
    EXPECT_EQ(counts, family.name.ends_with("_total")) << family.name;
    for (const prometheus::ClientMetric& metric : family.metric)
      values[family.name + (metric.label.empty() ? "" : " " + metric.label[0].value)] =
          counts ? metric.counter.value : metric.gauge.value;
  }
  return values;
}

TEST(LearnerMetricsTest, CountersBeginWithTheFirstUpdateAndTheRunsStepsWithTheRun) {
  LearnTimes times;
  LearnerMetrics metrics({.times = &times});
  Progress progress;
  progress.env_steps = 50000;  // As after a resume.
  progress.updates = 100;
  progress.episodes = 30;
  metrics.Update(progress);
  EXPECT_EQ(Values(metrics)["cadre_learner_env_steps_total"], 0);
  progress.env_steps = 50256;
  progress.updates = 101;
  progress.episodes = 32;
  metrics.Update(progress);
  EXPECT_EQ(Values(metrics)["cadre_learner_env_steps_total"], 256);
  EXPECT_EQ(Values(metrics)["cadre_learner_updates_total"], 1);
  EXPECT_EQ(Values(metrics)["cadre_learner_episodes_total"], 2);
  EXPECT_EQ(Values(metrics)["cadre_learner_run_env_steps"], 50256);
}

TEST(LearnerMetricsTest, TheBoundIsShownWhereThereIsOne) {
  LearnTimes times;
  EXPECT_FALSE(
      Values(LearnerMetrics({.times = &times})).contains("cadre_learner_version_lag_bound"));
  EXPECT_EQ(Values(LearnerMetrics({.times = &times, .version_lag_bound = 4}))
                .at("cadre_learner_version_lag_bound"),
            4);
}

TEST(LearnerMetricsTest, UpdatesThatWereNotFiniteAreTold) {
  LearnTimes times;
  const auto none = Values(LearnerMetrics({.times = &times}));
  EXPECT_EQ(none.at("cadre_learner_non_finite_updates_total"), 0);
  EXPECT_EQ(none.at("cadre_learner_last_non_finite_update_time_seconds"), 0);
  const auto two = Values(LearnerMetrics(
      {.times = &times,
       .non_finite_updates = {.count = 2, .last = absl::FromUnixSeconds(1700000000)}}));
  EXPECT_EQ(two.at("cadre_learner_non_finite_updates_total"), 2);
  EXPECT_EQ(two.at("cadre_learner_last_non_finite_update_time_seconds"), 1700000000);
}

TEST(LearnerMetricsTest, AStageThatLastsIsSeenInIt) {
  LearnTimes times;
  const LearnerMetrics metrics({.times = &times});
  times.Enter(LearnStage::kWaitForExperience);
  const std::string name = "cadre_learner_stage_seconds_total wait_for_experience";
  const double before = Values(metrics)[name];
  while (Values(metrics)[name] == before) continue;  // Or for ever.
  EXPECT_GT(Values(metrics)[name], before);
  EXPECT_EQ(Values(metrics)["cadre_learner_stage_seconds_total loss"], 0);
}

}  // namespace
}  // namespace cadre
