#include "cli/server_text.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
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

// "RUNNING".
std::string StateName(v1::RunState state) {
  const std::string& name = v1::RunState_Name(state);
  return std::string(absl::StripPrefix(name, "RUN_STATE_"));
}

std::string WhatParametersWaitFor(const v1::ParameterInfoResponse& info) {
  if (info.run_state() == v1::RUN_STATE_FINISHED) return "waits for nobody: the run is finished";
  if (info.run_state() == v1::RUN_STATE_PAUSED) return "waits for the run to go on: it is paused";
  if (info.models().empty()) return "waits for the learner: nothing was published yet";
  if (info.watchers() == 0) return "waits for actors: nobody follows";
  return "waits for nobody";
}

}  // namespace

std::string ReplayServerText(absl::string_view address, const v1::InfoResponse& info) {
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
  return text;
}

std::string ParameterServerText(absl::string_view address, const v1::ParameterInfoResponse& info) {
  std::string text = absl::StrCat(address, ": parameter server, ", RunName(info.run_id()), ", ",
                                  StateName(info.run_state()), "\n");
  for (const v1::ModelInfo& model : info.models())
    absl::StrAppendFormat(&text, "  model '%s': version %d, %s bytes, published %d times\n",
                          model.model(), model.version(), FormatCount(model.bytes()),
                          model.publications());
  absl::StrAppendFormat(&text, "  %d follow it\n  %s\n", info.watchers(),
                        WhatParametersWaitFor(info));
  return text;
}

}  // namespace cadre
