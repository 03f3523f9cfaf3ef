#include "learner/learner_metrics.h"

#include <cmath>
#include <string>
#include <utility>

#include "prometheus/metric_family.h"

namespace cadre {
namespace {

constexpr auto kGauge = prometheus::MetricType::Gauge;
constexpr auto kCounter = prometheus::MetricType::Counter;

prometheus::MetricFamily Family(std::string name, std::string help, prometheus::MetricType type) {
  prometheus::MetricFamily family;
  family.name = std::move(name);
  family.help = std::move(help);
  family.type = type;
  return family;
}

void AddValue(prometheus::MetricFamily& family, double value, const char* label = nullptr,
              std::string label_value = "") {
  prometheus::ClientMetric metric;
  if (label != nullptr) metric.label.push_back({label, std::move(label_value)});
  (family.type == kCounter ? metric.counter.value : metric.gauge.value) = value;
  family.metric.push_back(std::move(metric));
}

prometheus::MetricFamily Single(std::string name, std::string help, prometheus::MetricType type,
                                double value) {
  prometheus::MetricFamily family = Family(std::move(name), std::move(help), type);
  AddValue(family, value);
  return family;
}

}  // namespace

void LearnerMetrics::Update(const Progress& progress) {
  absl::MutexLock lock(&mutex_);
  if (!first_.has_value()) first_ = progress;
  progress_ = progress;
}

std::vector<prometheus::MetricFamily> LearnerMetrics::Collect() const {
  Progress progress, first;
  {
    absl::MutexLock lock(&mutex_);
    progress = progress_;
    first = first_.value_or(progress_);
  }
  std::vector<prometheus::MetricFamily> families = prometheus::Registry::Collect();
  const auto add = [&](const char* name, const char* help, prometheus::MetricType type,
                       double value) { families.push_back(Single(name, help, type, value)); };
  add("cadre_learner_env_steps_total", "Steps learned from, since the first update of this process",
      kCounter, static_cast<double>(progress.env_steps - first.env_steps));
  add("cadre_learner_run_env_steps", "Steps learned from, since the run began", kGauge,
      static_cast<double>(progress.env_steps));
  add("cadre_learner_updates_total", "Batches learned from, since the first update of this process",
      kCounter, static_cast<double>(progress.updates - first.updates));
  add("cadre_learner_episodes_total",
      "Training episodes that ended, since the first update of this process", kCounter,
      static_cast<double>(progress.episodes - first.episodes));
  add("cadre_learner_version", "Newest published parameters", kGauge,
      static_cast<double>(progress.version));
  add("cadre_learner_mean_return", "Of the last 100 training episodes", kGauge,
      progress.mean_return);
  add("cadre_learner_mean_episode_steps", "Of the last 100 training episodes", kGauge,
      progress.mean_length);
  add("cadre_learner_version_lag", "Largest of the last batch", kGauge,
      static_cast<double>(progress.version_lag));
  add("cadre_learner_max_version_lag", "Largest of the run", kGauge,
      static_cast<double>(progress.max_version_lag));

  add("cadre_learner_dropped_experience_total",
      "Items or rollouts left out, as they had numbers that are not finite or actions that there "
      "are not",
      kCounter, static_cast<double>(progress.dropped_experience));
  if (options_.version_lag_bound.has_value())
    add("cadre_learner_version_lag_bound", "Largest that the config allows", kGauge,
        static_cast<double>(*options_.version_lag_bound));
  const NonFiniteUpdates& non_finite = options_.non_finite_updates;
  add("cadre_learner_non_finite_updates_total",
      "Updates of the run that made numbers which are not finite; each ended its learner", kCounter,
      static_cast<double>(non_finite.count));
  add("cadre_learner_last_non_finite_update_time_seconds",
      "Unix time of the last of these; 0: there was none", kGauge,
      non_finite.count == 0 ? 0 : absl::ToDoubleSeconds(non_finite.last - absl::UnixEpoch()));

  prometheus::MetricFamily seconds =
      Family("cadre_learner_stage_seconds_total", "Where the time goes", kCounter);
  for (const auto& [stage, name] : kLearnStageNames)
    AddValue(seconds, options_.times->seconds(stage), "stage", name);
  families.push_back(std::move(seconds));

  prometheus::MetricFamily diagnostics =
      Family("cadre_learner_diagnostic", "The algorithm's own numbers, of the last update", kGauge);
  for (const auto& [name, value] : progress.diagnostics)
    if (!std::isnan(value)) AddValue(diagnostics, value, "name", name);
  families.push_back(std::move(diagnostics));
  return families;
}

}  // namespace cadre
