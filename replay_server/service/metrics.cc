#include "replay_server/service/metrics.h"

#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>
#include <variant>

#include "prometheus/client_metric.h"
#include "prometheus/metric_type.h"
#include "proto/experience.pb.h"

namespace cadre {
namespace {

// One family: a field of QueueInfo or TableInfo.
template <typename Info>
struct Row {
  const char* name;
  const char* help;
  prometheus::MetricType type;
  std::variant<int64_t (Info::*)() const, double (Info::*)() const> value;

  double Value(const Info& info) const {
    return std::visit([&info](auto field) { return static_cast<double>((info.*field)()); }, value);
  }
};

constexpr auto kGauge = prometheus::MetricType::Gauge;
constexpr auto kCounter = prometheus::MetricType::Counter;

using Q = v1::QueueInfo;
constexpr Row<Q> kQueueRows[] = {
    {"cadre_replay_waiting_rollouts", "Rollouts that wait", kGauge, &Q::waiting_rollouts},
    {"cadre_replay_waiting_steps", "Steps that wait", kGauge, &Q::waiting_steps},
    {"cadre_replay_waiting_bytes", "Bytes that wait", kGauge, &Q::waiting_bytes},
    {"cadre_replay_capacity_steps", "Steps that may wait", kGauge, &Q::capacity_steps},
    {"cadre_replay_capacity_bytes", "Bytes that may wait", kGauge, &Q::capacity_bytes},
    {"cadre_replay_leased_rollouts", "Rollouts at a consumer", kGauge, &Q::leased_rollouts},
    {"cadre_replay_blocked_writers", "Writers held back because the queue is full", kGauge,
     &Q::blocked_writers},
    {"cadre_replay_waiting_consumers", "Takes not yet answered", kGauge, &Q::waiting_consumers},
    {"cadre_replay_newest_version", "Newest parameters of a consumer", kGauge, &Q::newest_version},
    {"cadre_replay_appended_rollouts_total", "Rollouts admitted, or stale on arrival", kCounter,
     &Q::appended_rollouts},
    {"cadre_replay_appended_steps_total", "Steps of these", kCounter, &Q::appended_steps},
    {"cadre_replay_acknowledged_rollouts_total", "Rollouts consumed", kCounter,
     &Q::acknowledged_rollouts},
    {"cadre_replay_acknowledged_steps_total", "Steps of these", kCounter, &Q::acknowledged_steps},
    {"cadre_replay_dropped_stale_rollouts_total", "Rollouts dropped for their old parameters",
     kCounter, &Q::dropped_stale_rollouts},
    {"cadre_replay_dropped_stale_steps_total", "Steps of these", kCounter, &Q::dropped_stale_steps},
    {"cadre_replay_refused_rollouts_total", "Rollouts refused as bad data", kCounter,
     &Q::refused_rollouts},
    {"cadre_replay_duplicate_rollouts_total", "Rollouts ignored because they came before", kCounter,
     &Q::duplicate_rollouts},
    {"cadre_replay_returned_rollouts_total", "Rollouts that consumers which went away gave back",
     kCounter, &Q::returned_rollouts},
};

using T = v1::TableInfo;
constexpr Row<T> kTableRows[] = {
    {"cadre_replay_table_items", "Items that can be sampled", kGauge, &T::items},
    {"cadre_replay_table_capacity_items", "Items kept at most; 0: as many as the rows allow",
     kGauge, &T::capacity_items},
    {"cadre_replay_table_min_size_items", "Items before the first sample", kGauge, &T::min_size},
    {"cadre_replay_table_rows", "Observations held", kGauge, &T::rows},
    {"cadre_replay_table_capacity_rows", "Observations for which there is room", kGauge,
     &T::capacity_rows},
    {"cadre_replay_table_allocated_bytes", "Memory for rows and bookkeeping", kGauge,
     &T::allocated_bytes},
    {"cadre_replay_table_mass", "Sum of the weights that items are chosen by", kGauge, &T::mass},
    {"cadre_replay_table_inserted_items_total", "Items inserted", kCounter, &T::inserted_items},
    {"cadre_replay_table_inserted_steps_total", "Steps inserted", kCounter, &T::inserted_steps},
    {"cadre_replay_table_inserted_rollouts_total", "Rollouts inserted", kCounter,
     &T::inserted_rollouts},
    {"cadre_replay_table_sampled_items_total", "Items sampled", kCounter, &T::sampled_items},
    {"cadre_replay_table_sampled_batches_total", "Batches sampled", kCounter, &T::sampled_batches},
    {"cadre_replay_table_removed_items_total", "Items that made room or were sampled often enough",
     kCounter, &T::removed_items},
    {"cadre_replay_table_refused_rollouts_total", "Rollouts refused as bad data", kCounter,
     &T::refused_rollouts},
    {"cadre_replay_table_duplicate_rollouts_total", "Rollouts ignored because they came before",
     kCounter, &T::duplicate_rollouts},
    {"cadre_replay_table_lost_rollouts_total",
     "Rollouts settled once and not in the checkpoint that the server started from", kCounter,
     &T::lost_rollouts},
    {"cadre_replay_table_updated_priorities_total", "Priorities set by learners", kCounter,
     &T::updated_priorities},
    {"cadre_replay_table_stale_priorities_total", "Priorities for items no longer there", kCounter,
     &T::stale_priorities},
    {"cadre_replay_table_samples_per_insert", "As configured; 0: not limited", kGauge,
     &T::samples_per_insert},
    {"cadre_replay_table_observed_samples_per_insert", "As it is, past the minimum size", kGauge,
     &T::observed_samples_per_insert},
    {"cadre_replay_table_blocked_writers", "Writers held back", kGauge, &T::blocked_writers},
    {"cadre_replay_table_waiting_samplers", "Samplers that wait", kGauge, &T::waiting_samplers},
    {"cadre_replay_table_blocked_writers_seconds_total", "For which writers were held back",
     kCounter, &T::blocked_writers_seconds},
    {"cadre_replay_table_waiting_samplers_seconds_total", "For which samplers waited", kCounter,
     &T::waiting_samplers_seconds},
};

prometheus::ClientMetric Series(prometheus::MetricType type, double value, const char* label,
                                const std::string& name) {
  prometheus::ClientMetric metric;
  metric.label.push_back({label, name});
  (type == kCounter ? metric.counter.value : metric.gauge.value) = value;
  return metric;
}

// A family for each row with a series for each of `infos`; none where there are none.
template <typename Info, size_t N>
void AddFamilies(const Row<Info> (&rows)[N], const char* label, const std::vector<Info>& infos,
                 std::vector<prometheus::MetricFamily>* families) {
  if (infos.empty()) return;
  for (const Row<Info>& row : rows) {
    prometheus::MetricFamily family{row.name, row.help, row.type, {}};
    for (const Info& info : infos)
      family.metric.push_back(Series(row.type, row.Value(info), label, info.name()));
    families->push_back(std::move(family));
  }
}

// 1 for the state that the rate limiter is in, 0 for the others.
void AddLimiterStates(const std::vector<v1::TableInfo>& infos,
                      std::vector<prometheus::MetricFamily>* families) {
  constexpr struct {
    v1::LimiterState state;
    const char* label;
  } kStates[] = {
      {v1::LIMITER_STATE_OPEN, "open"},
      {v1::LIMITER_STATE_WAITS_FOR_SIZE, "waits_for_size"},
      {v1::LIMITER_STATE_WAITS_FOR_INSERTS, "waits_for_inserts"},
      {v1::LIMITER_STATE_WAITS_FOR_SAMPLES, "waits_for_samples"},
  };
  if (infos.empty()) return;
  prometheus::MetricFamily family{
      "cadre_replay_table_limiter_state", "1: why requests wait, or that none does", kGauge, {}};
  for (const v1::TableInfo& info : infos) {
    for (const auto& [state, label] : kStates) {
      prometheus::ClientMetric series =
          Series(kGauge, info.limiter() == state ? 1 : 0, "table", info.name());
      series.label.push_back({"state", label});
      family.metric.push_back(std::move(series));
    }
  }
  families->push_back(std::move(family));
}

// How long queues, and those who come to them, have waited.
void AddWaits(const std::vector<Queue*>& queues, const std::vector<Table*>& tables,
              std::vector<prometheus::MetricFamily>* families) {
  constexpr struct {
    const char* name;
    const char* help;
    double Queue::Waits::*seconds;
  } kWaits[] = {
      {"cadre_replay_blocked_writers_seconds_total", "For which writers were held back",
       &Queue::Waits::blocked_writers_seconds},
      {"cadre_replay_waiting_consumers_seconds_total", "For which takes were not answered",
       &Queue::Waits::waiting_consumers_seconds},
      {"cadre_replay_held_rollouts_seconds_total", "Summed over rollouts that wait or are leased",
       &Queue::Waits::held_rollouts_seconds},
  };
  for (const auto& [name, help, seconds] : kWaits) {
    if (queues.empty()) break;
    prometheus::MetricFamily family{name, help, kCounter, {}};
    for (const Queue* queue : queues)
      family.metric.push_back(
          Series(kCounter, queue->waits().*seconds, "queue", queue->options().name));
    families->push_back(std::move(family));
  }
  if (tables.empty()) return;
  prometheus::MetricFamily family{
      "cadre_replay_table_sampling_seconds_total", "Spent on gathering batches", kCounter, {}};
  for (const Table* table : tables)
    family.metric.push_back(
        Series(kCounter, table->sampling_seconds(), "table", table->options().config.name()));
  families->push_back(std::move(family));
}

template <typename Host>
auto InfosOf(const std::vector<Host*>& hosts) {
  std::vector<decltype(hosts[0]->Info())> infos;
  for (const Host* host : hosts) infos.push_back(host->Info());
  return infos;
}

prometheus::Counter& MakeCounter(prometheus::Registry* registry, const char* name,
                                 const char* help) {
  return prometheus::BuildCounter().Name(name).Help(help).Register(*registry).Add({});
}
prometheus::Gauge& MakeGauge(prometheus::Registry* registry, const char* name, const char* help) {
  return prometheus::BuildGauge().Name(name).Help(help).Register(*registry).Add({});
}

}  // namespace

CheckpointMetrics::CheckpointMetrics(prometheus::Registry* registry)
    : saved(MakeCounter(registry, "cadre_replay_checkpoints_total", "Checkpoints of the tables")),
      failed(MakeCounter(registry, "cadre_replay_failed_checkpoints_total",
                         "Checkpoints that could not be written")),
      bytes(MakeGauge(registry, "cadre_replay_checkpoint_bytes", "Of the last checkpoint")),
      seconds(MakeGauge(registry, "cadre_replay_checkpoint_seconds",
                        "That the last checkpoint took")) {}

std::vector<prometheus::MetricFamily> ReplayMetrics::Collect() const {
  std::vector<prometheus::MetricFamily> families = prometheus::Registry::Collect();
  const std::vector<v1::TableInfo> tables = InfosOf(tables_);
  AddFamilies(kQueueRows, "queue", InfosOf(queues_), &families);
  AddFamilies(kTableRows, "table", tables, &families);
  AddLimiterStates(tables, &families);
  AddWaits(queues_, tables_, &families);
  return families;
}

}  // namespace cadre
