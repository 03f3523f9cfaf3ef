#include "param_server/work_board.h"

#include <algorithm>
#include <cmath>
#include <tuple>
#include <utility>

#include "absl/strings/string_view.h"

namespace cadre {
namespace {

double TotalSeconds(const v1::WorkReport& report) {
  double total = 0;
  for (const v1::StageSeconds& stage : report.stages()) total += stage.seconds();
  return total;
}

double StageOf(const v1::WorkReport& report, absl::string_view name) {
  for (const v1::StageSeconds& stage : report.stages())
    if (stage.stage() == name) return stage.seconds();
  return 0;
}

const v1::ReplayWork* ServerOf(const v1::WorkReport& report, const std::string& address) {
  for (const v1::ReplayWork& server : report.replay())
    if (server.address() == address) return &server;
  return nullptr;
}

bool Sound(const v1::WorkReport& report) {
  return std::all_of(report.stages().begin(), report.stages().end(), [](const auto& stage) {
    return std::isfinite(stage.seconds()) && stage.seconds() >= 0;
  });
}

// How a counter moved; one that went back began anew.
double Moved(double before, double after) { return after < before ? 0 : after - before; }

}  // namespace

void WorkBoard::Report(v1::WorkReport report, MonotonicTime now) {
  absl::MutexLock lock(&mutex_);
  Forget(now);
  if (report.leaving() || !Sound(report)) {
    workers_.erase(report.worker_id());
    return;
  }
  std::deque<Reading>& readings = workers_[report.worker_id()].readings;
  const double seconds = TotalSeconds(report);
  readings.push_back({now, seconds, std::move(report)});
  // The oldest stays only while the second would leave less than a window.
  while (readings.size() > 2 && absl::Seconds(seconds - readings[1].seconds) >= kWindow)
    readings.pop_front();
}

void WorkBoard::Forget(MonotonicTime now) {
  absl::erase_if(workers_, [now](const auto& entry) {
    return now - entry.second.readings.back().at > kExpiry;
  });
}

const WorkBoard::Reading* WorkBoard::Begin(const Worker& worker, MonotonicTime now) {
  const Reading& newest = worker.readings.back();
  if (now - newest.at > kExpiry) return nullptr;
  const Reading& oldest = worker.readings.front();
  return absl::Seconds(newest.seconds - oldest.seconds) >= kShortestWindow ? &oldest : nullptr;
}

RunShares WorkBoard::Shares(v1::RunState state, MonotonicTime now) const {
  RunShares run;
  run.state = state;
  RunShares::Actors& actors = run.actors;
  RunShares::Learners& learners = run.learners;
  absl::MutexLock lock(&mutex_);
  const Worker* asking = nullptr;
  for (const auto& [id, worker] : workers_) {
    const Reading* begin = Begin(worker, now);
    if (begin == nullptr) continue;
    const v1::WorkReport& before = begin->report;
    const v1::WorkReport& after = worker.readings.back().report;
    const double seconds = worker.readings.back().seconds - begin->seconds;
    const auto share = [&](absl::string_view stage) {
      return (StageOf(after, stage) - StageOf(before, stage)) / seconds;
    };
    run.lockstep = run.lockstep || after.lockstep();
    if (after.role() == v1::WORKER_ROLE_LEARNER) {
      ++learners.count;
      learners.waiting += share("wait_for_experience");
      learners.publishing += share("publish");
      if (after.replay_servers() > 0) asking = &worker;
    } else if (after.role() == v1::WORKER_ROLE_ACTOR) {
      ++actors.count;
      const double acting = 1 - share("append") - share("wait_for_parameters");
      actors.acting += acting;
      actors.slowest_acting = std::max(actors.slowest_acting, acting);
      actors.held_back += share("append");
      actors.unsettled_rollouts +=
          Moved(before.unsettled_rollouts_seconds(), after.unsettled_rollouts_seconds()) / seconds;
    }
  }
  const auto actor_count = static_cast<double>(std::max<int64_t>(1, actors.count));
  const auto learner_count = static_cast<double>(std::max<int64_t>(1, learners.count));
  actors.acting /= actor_count;
  actors.held_back /= actor_count;
  learners.waiting /= learner_count;
  learners.publishing /= learner_count;
  if (asking != nullptr) AddReplay(*asking, &run.replay);
  run.replay.held_back = std::min(1.0, run.replay.held_back / actor_count);
  run.replay.lacking = std::min(1.0, run.replay.lacking / learner_count);
  return run;
}

// Of each server what is known; sums, but for what the slowest server decides.
void WorkBoard::AddReplay(const Worker& worker, RunShares::Replay* replay) {
  int known = 0;
  double arrived = 0, dropped = 0;
  for (const v1::ReplayWork& server : worker.readings.back().report.replay())
    replay->filling = replay->filling || server.filling();
  absl::btree_map<std::string, std::pair<const Reading*, const Reading*>> spans;
  for (const Reading& reading : worker.readings) {
    for (const v1::ReplayWork& server : reading.report.replay()) {
      auto& [first, last] = spans[server.address()];
      if (first == nullptr) first = &reading;
      last = &reading;
    }
  }
  for (const auto& [address, span] : spans) {
    const auto& [first, last] = span;
    const double seconds = last->seconds - first->seconds;
    if (absl::Seconds(seconds) < kShortestWindow) continue;
    const v1::ReplayWork& before = *ServerOf(first->report, address);
    const v1::ReplayWork& after = *ServerOf(last->report, address);
    ++known;
    replay->held_back +=
        Moved(before.blocked_writers_seconds(), after.blocked_writers_seconds()) / seconds;
    replay->lacking = std::max(
        replay->lacking,
        Moved(before.waiting_readers_seconds(), after.waiting_readers_seconds()) / seconds);
    replay->sampling = std::max(
        replay->sampling, Moved(before.sampling_seconds(), after.sampling_seconds()) / seconds);
    replay->held_rollouts +=
        Moved(before.held_rollouts_seconds(), after.held_rollouts_seconds()) / seconds;
    const double steps = Moved(static_cast<double>(before.arrived_steps()),
                               static_cast<double>(after.arrived_steps()));
    arrived += steps;
    dropped += Moved(static_cast<double>(before.dropped_stale_steps()),
                     static_cast<double>(after.dropped_stale_steps()));
    replay->steps_per_second += steps / seconds;
  }
  replay->known = known > 0 && known == worker.readings.back().report.replay_servers();
  replay->dropped = arrived > 0 ? std::min(1.0, dropped / arrived) : 0;
}

std::vector<v1::WorkerInfo> WorkBoard::Workers(MonotonicTime now) const {
  std::vector<v1::WorkerInfo> infos;
  absl::MutexLock lock(&mutex_);
  for (const auto& [id, worker] : workers_) {
    const Reading& newest = worker.readings.back();
    if (now - newest.at > kExpiry) continue;
    v1::WorkerInfo info;
    info.set_name(newest.report.name());
    info.set_host(newest.report.host());
    info.set_role(newest.report.role());
    info.set_environments(newest.report.environments());
    info.set_report_age_seconds(absl::ToDoubleSeconds(now - newest.at));
    if (const Reading* begin = Begin(worker, now)) {
      const double seconds = newest.seconds - begin->seconds;
      for (const v1::StageSeconds& stage : newest.report.stages()) {
        v1::StageShare& share = *info.add_stages();
        share.set_stage(stage.stage());
        share.set_share((stage.seconds() - StageOf(begin->report, stage.stage())) / seconds);
      }
      info.set_steps_per_second(static_cast<double>(newest.report.steps() - begin->report.steps()) /
                                seconds);
    }
    infos.push_back(std::move(info));
  }
  std::sort(infos.begin(), infos.end(), [](const v1::WorkerInfo& a, const v1::WorkerInfo& b) {
    const auto key = [](const v1::WorkerInfo& info) {
      return std::make_tuple(-info.role(), info.name().size(), info.name(), info.host());
    };
    return key(a) < key(b);
  });
  return infos;
}

}  // namespace cadre
