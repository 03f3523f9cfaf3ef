#include "cli/server_text.h"

#include <algorithm>
#include <cmath>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/strip.h"
#include "cli/live_progress.h"
#include "cli/replay_account.h"

namespace cadre {
namespace {

std::string RunName(const std::string& run_id) {
  return run_id.empty() ? "no run yet" : absl::StrCat("run '", run_id, "'");
}

std::string WhatQueueWaitsFor(const v1::QueueInfo& queue) {
  if (queue.blocked_writers() > 0 && queue.waiting_consumers() == 0)
    return absl::StrFormat("waits for the learner: it is full, and holds %d actor(s) back",
                           queue.blocked_writers());
  if (queue.waiting_consumers() > 0)
    return absl::StrFormat("waits for actors: %d learner(s) want more than there is",
                           queue.waiting_consumers());
  if (queue.leased_rollouts() > 0)
    return absl::StrFormat("waits for nobody: a learner is busy with %d rollout(s)",
                           queue.leased_rollouts());
  if (queue.appended_rollouts() == 0) return "waits for actors: nothing has come yet";
  return "waits for nobody";
}

// As the limiter sees it, unless nobody has come yet.
std::string WhatTableWaitsFor(const v1::TableInfo& table) {
  if (table.capacity_rows() == 0) return "waits for actors: nothing has come yet";
  const std::string held_back = absl::StrFormat("%d actor(s) held back", table.blocked_writers());
  const std::string waiting = absl::StrFormat("%d learner(s) waiting", table.waiting_samplers());
  switch (table.limiter()) {
    case v1::LIMITER_STATE_WAITS_FOR_SIZE:
      return absl::StrFormat("waits for actors: %s of %s items to begin with; %s",
                             FormatCount(table.items()), FormatCount(table.min_size()), waiting);
    case v1::LIMITER_STATE_WAITS_FOR_INSERTS:
      return absl::StrFormat("waits for actors: sampled as often as %.4g per insert lets; %s",
                             table.samples_per_insert(), waiting);
    case v1::LIMITER_STATE_WAITS_FOR_SAMPLES:
      return absl::StrFormat("waits for the learner: not yet sampled %.4g times per insert; %s",
                             table.samples_per_insert(), held_back);
    default:
      return "waits for nobody";
  }
}

std::string TableSize(const v1::TableInfo& table) {
  std::string text = absl::StrCat(FormatCount(table.items()), " items");
  if (table.capacity_items() > 0)
    absl::StrAppend(&text, " of ", FormatCount(table.capacity_items()));
  return absl::StrCat(text, " in ", FormatCount(table.rows()), " of ",
                      FormatCount(table.capacity_rows()), " rows; ",
                      FormatCount(table.allocated_bytes()), " bytes");
}

std::string SamplesPerInsert(const v1::TableInfo& table) {
  if (table.samples_per_insert() <= 0)
    return absl::StrFormat("sampled %.4g times per insert, not limited",
                           table.observed_samples_per_insert());
  return absl::StrFormat("sampled %.4g times per insert; wanted %.4g",
                         table.observed_samples_per_insert(), table.samples_per_insert());
}

// Empty where the table is not in `earlier`.
std::string TableRates(const v1::TableInfo& table, const EarlierInfo* earlier) {
  if (earlier == nullptr) return "";
  const double seconds = absl::ToDoubleSeconds(earlier->ago);
  const auto rate = [seconds](int64_t now, int64_t before) {
    return FormatCount(static_cast<int64_t>(static_cast<double>(now - before) / seconds));
  };
  for (const v1::TableInfo& before : earlier->info.tables())
    if (before.name() == table.name())
      return absl::StrCat(
          rate(table.inserted_steps(), before.inserted_steps()), " steps inserted and ",
          rate(table.sampled_items(), before.sampled_items()), " items sampled a second; ");
  return "";
}

// Where it could have been faster so far.
std::string Delays(double writers, double readers) {
  return absl::StrFormat("so far actors were held back for %.1f s, learners waited for %.1f s",
                         writers, readers);
}

// "RUNNING".
std::string StateName(v1::RunState state) {
  const std::string& name = v1::RunState_Name(state);
  return std::string(absl::StripPrefix(name, "RUN_STATE_"));
}

// What became of the gradients that were pushed for a shared model.
std::string GradientCounts(const v1::ModelInfo& model) {
  return absl::StrCat(FormatCount(model.env_steps()),
                      " steps; gradients: ", FormatCount(model.applied_gradients()),
                      " applied, at most ", model.max_gradient_lag(), " versions old; refused ",
                      model.refused_gradients(), " too old and ", model.broken_gradients(),
                      " broken; ", model.duplicate_gradients(), " came twice and counted once");
}

std::string WhatParametersWaitFor(const v1::ParameterInfoResponse& info) {
  if (info.run_state() == v1::RUN_STATE_FINISHED) return "waits for nobody: the run is finished";
  if (info.run_state() == v1::RUN_STATE_PAUSED) return "waits for the run to go on: it is paused";
  if (info.models().empty()) return "waits for the learner: nothing was published yet";
  if (info.watchers() == 0) return "waits for actors: nobody follows";
  return "waits for nobody";
}

// More workers than this nobody reads.
constexpr int kMostWorkers = 32;

// "actor-3 (host-1): environment 81 %, inference 12 %; 12,300 steps/s".
std::string WorkerLine(const v1::WorkerInfo& worker) {
  std::string text = worker.name();
  if (!worker.host().empty()) absl::StrAppend(&text, " (", worker.host(), ")");
  if (worker.stages().empty()) return absl::StrCat(text, ": has just begun");
  std::vector<v1::StageShare> stages(worker.stages().begin(), worker.stages().end());
  std::stable_sort(
      stages.begin(), stages.end(),
      [](const v1::StageShare& a, const v1::StageShare& b) { return a.share() > b.share(); });
  const char* separator = ": ";
  for (const v1::StageShare& stage : stages) {
    const int64_t percent = std::llround(100 * stage.share());
    if (percent < 1) continue;
    absl::StrAppend(&text, std::exchange(separator, ", "),
                    absl::StrReplaceAll(stage.stage(), {{"_", " "}}), " ", percent, " %");
  }
  absl::StrAppend(&text, "; ", FormatCount(std::llround(worker.steps_per_second())), " steps/s");
  if (worker.report_age_seconds() >= 10)
    absl::StrAppendFormat(&text, "; silent for %.0f s", worker.report_age_seconds());
  return text;
}

}  // namespace

std::string ReplayServerText(absl::string_view address, const v1::InfoResponse& info,
                             const EarlierInfo* earlier) {
  std::string text;
  for (const v1::QueueInfo& queue : info.queues()) {
    absl::StrAppend(&text, address, ": replay server, queue '", queue.name(), "', ",
                    RunName(queue.run_id()), "\n");
    absl::StrAppendFormat(&text, "  %s of %s steps wait in %d rollouts; newest version %d\n",
                          FormatCount(queue.waiting_steps()), FormatCount(queue.capacity_steps()),
                          queue.waiting_rollouts(), queue.newest_version());
    absl::StrAppend(&text, "  ", QueueAccountLine(queue), "\n");
    absl::StrAppend(&text, "  ", WhatQueueWaitsFor(queue), "\n");
  }
  for (const v1::TableInfo& table : info.tables()) {
    absl::StrAppend(&text, address, ": replay server, table '", table.name(), "', ",
                    RunName(table.run_id()), "\n");
    absl::StrAppend(&text, "  ", TableSize(table), "\n");
    absl::StrAppend(&text, "  ", TableRates(table, earlier), SamplesPerInsert(table), "\n");
    absl::StrAppend(&text, "  ", TableAccountLine(table), "\n");
    absl::StrAppend(&text, "  ",
                    Delays(table.blocked_writers_seconds(), table.waiting_samplers_seconds()),
                    "\n");
    absl::StrAppend(&text, "  ", WhatTableWaitsFor(table), "\n");
  }
  return text;
}

std::string ParameterServerText(absl::string_view address, const v1::ParameterInfoResponse& info) {
  std::string text = absl::StrCat(address, ": parameter server, ", RunName(info.run_id()), ", ",
                                  StateName(info.run_state()), "\n");
  if (!info.following().empty())
    absl::StrAppend(&text, "  a read-only replica of ", info.following(), "\n");
  for (const v1::ModelInfo& model : info.models()) {
    absl::StrAppendFormat(&text, "  model '%s': version %d, %s bytes, ", model.model(),
                          model.version(), FormatCount(model.bytes()));
    absl::StrAppend(&text,
                    model.shared() ? GradientCounts(model)
                                   : absl::StrFormat("published %d times", model.publications()),
                    "\n");
  }
  absl::StrAppendFormat(&text, "  %d follow it\n  %s\n", info.watchers(),
                        WhatParametersWaitFor(info));
  return text;
}

std::string QueueDelays(const v1::ReplayWork& work) {
  return absl::StrCat("  ", Delays(work.blocked_writers_seconds(), work.waiting_readers_seconds()),
                      "\n");
}

std::string WorkText(const v1::WorkInfoResponse& work) {
  std::string text;
  for (int i = 0; i < std::min(kMostWorkers, work.workers_size()); ++i)
    absl::StrAppend(&text, "  ", WorkerLine(work.workers(i)), "\n");
  if (work.workers_size() > kMostWorkers)
    absl::StrAppend(&text, "  and ", work.workers_size() - kMostWorkers, " more\n");
  if (work.has_bottleneck()) absl::StrAppend(&text, "  verdict: ", work.bottleneck().text(), "\n");
  return text;
}

}  // namespace cadre
