#include "cli/plan_text.h"

#include <cmath>
#include <cstdint>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "cli/live_progress.h"
#include "nlohmann/json.hpp"

namespace cadre {
namespace {

// "1.23 us": three digits.
std::string Seconds(double seconds) {
  if (seconds == 0) return "0";
  if (seconds < 1e-3) return absl::StrFormat("%.3g us", seconds * 1e6);
  return seconds < 1 ? absl::StrFormat("%.3g ms", seconds * 1e3)
                     : absl::StrFormat("%.3g s", seconds);
}

std::string Bytes(double bytes) {
  if (bytes < 1e3) return absl::StrFormat("%.0f B", bytes);
  if (bytes < 1e6) return absl::StrFormat("%.3g kB", bytes * 1e-3);
  if (bytes < 1e9) return absl::StrFormat("%.3g MB", bytes * 1e-6);
  return bytes < 1e12 ? absl::StrFormat("%.3g GB", bytes * 1e-9)
                      : absl::StrFormat("%.4g TB", bytes * 1e-12);
}

// Three digits: no prediction has more.
std::string Rate(double rate) {
  const double unit = std::pow(10.0, std::max(0.0, std::floor(std::log10(rate)) - 2));
  return FormatCount(static_cast<int64_t>(std::llround(std::round(rate / unit) * unit)));
}

std::string CostLines(const PlanCosts& costs) {
  std::string text =
      absl::StrFormat("a step costs  acting %s, learning %s, handing over %s\n",
                      Seconds(costs.acting), Seconds(costs.learning), Seconds(costs.hand_over));
  absl::StrAppendFormat(&text, "  in transfer  workers %s, replay server %s, parameter server %s\n",
                        Seconds(costs.transfer), Seconds(costs.replay_server),
                        Seconds(costs.parameter_server));
  return text;
}

std::string SizeLine(const PlanShape& shape) {
  return absl::StrFormat("sizes         %s %s, a step %s in and %s out, parameters %s\n",
                         shape.replay ? "table" : "queue", Bytes(shape.replay_memory_bytes),
                         Bytes(shape.append_bytes), Bytes(shape.sample_bytes),
                         Bytes(shape.parameter_bytes));
}

}  // namespace

std::string PlanText(const PlanReport& report) {
  const Plan& plan = report.plan;
  std::string text = absl::StrFormat(
      "%s: %s on %s, %s, %s\n\npredicted     %s environment steps/s\n\n%-18s %-26s %16s %8s\n",
      report.experiment, report.algorithm, report.environment, report.mode,
      report.shape.lockstep ? "lockstep" : "asynchronous", Rate(plan.steps_per_second), "resource",
      "is", "steps/s, alone", "used");
  for (size_t i = 0; i < plan.resources.size(); ++i) {
    const PlanResource& resource = plan.resources[i];
    absl::StrAppendFormat(&text, "%-18s %-26s %16s %6.0f %%%s\n", resource.name, resource.amount,
                          Rate(resource.capacity), 100 * resource.use,
                          i == plan.first ? "  <- first" : "");
  }
  absl::StrAppend(&text, "\n", CostLines(report.costs), SizeLine(report.shape));
  for (const std::string& note : report.notes) absl::StrAppend(&text, "note          ", note, "\n");
  absl::StrAppend(&text, "\n", PlanVerdict(plan, report.costs, report.shape, report.machines),
                  "\n");
  return text;
}

std::string PlanJson(const PlanReport& report) {
  const Plan& plan = report.plan;
  nlohmann::ordered_json json;
  json["experiment"] = report.experiment;
  json["mode"] = report.mode;
  json["lockstep"] = report.shape.lockstep;
  json["actors"] = report.shape.actors;
  json["learners"] = report.shape.learners;
  json["cores"] = report.machines.cores;
  json["steps_per_second"] = plan.steps_per_second;
  json["first"] = plan.resources[plan.first].name;
  for (const PlanResource& resource : plan.resources)
    json["resources"].push_back(
        {{"name", resource.name}, {"steps_per_second", resource.capacity}, {"use", resource.use}});
  const PlanCosts& costs = report.costs;
  json["seconds_per_step"] = {{"acting", costs.acting},
                              {"acting_cpu", costs.acting_cpu},
                              {"learning", costs.learning},
                              {"hand_over", costs.hand_over},
                              {"transfer", costs.transfer},
                              {"replay_server", costs.replay_server},
                              {"parameter_server", costs.parameter_server}};
  const PlanShape& shape = report.shape;
  json["bytes"] = {{"append_per_step", shape.append_bytes},
                   {"sample_per_step", shape.sample_bytes},
                   {"parameters", shape.parameter_bytes},
                   {"replay_memory", shape.replay_memory_bytes}};
  json["for_a_busy_learner"] = {{"steps_per_second", plan.wanted_rate},
                                {"actors", plan.actors},
                                {"replay_shards", plan.shards},
                                {"parameter_replicas", plan.replicas}};
  json["notes"] = report.notes;
  json["verdict"] = PlanVerdict(plan, costs, shape, report.machines);
  return json.dump();
}

}  // namespace cadre
