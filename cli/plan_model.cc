#include "cli/plan_model.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "common/status_macros.h"

namespace cadre {
namespace {

constexpr char kActors[] = "actors";
constexpr char kLearner[] = "learner";
constexpr char kHandOver[] = "hand-over";
constexpr char kReplayServer[] = "replay server";
constexpr char kParameterServer[] = "parameter server";
constexpr char kLearnerNetwork[] = "learner network";
constexpr char kReplayNetwork[] = "replay network";
constexpr char kParameterNetwork[] = "parameter network";
constexpr char kCores[] = "cores";

// 1, 2, 3, ...: as many as it takes, of things that each do `capacity`.
int64_t HowMany(double demand, double capacity) {
  constexpr double kRounding = 1e-9, kMost = 1e15;
  return static_cast<int64_t>(std::clamp(std::ceil(demand / capacity - kRounding), 1.0, kMost));
}

std::string Count(double count, const std::string& noun) {
  return absl::StrCat(count, " ", noun, count == 1 ? "" : "s");
}

class Planner {
 public:
  Planner(const PlanCosts& costs, const PlanShape& shape, const PlanMachines& machines)
      : costs_(costs), shape_(shape), machines_(machines) {}

  Plan Make() {
    AddWorkers();
    AddServers();
    if (!machines_.cluster)
      AddCap(kCores, Count(machines_.cores, "core"), machines_.cores / AllCpu());
    plan_.steps_per_second = Rate();
    for (PlanResource& resource : plan_.resources)
      resource.use = plan_.steps_per_second / resource.capacity;
    plan_.first = First();
    Recommend();
    return std::move(plan_);
  }

 private:
  // So many of `count` processes run at the same time.
  double AtOnce(int64_t count) const {
    const auto all = static_cast<double>(count);
    return machines_.cluster ? all : std::min(all, machines_.cores);
  }
  // Seconds of all cores for one step.
  double AllCpu() const {
    return costs_.acting_cpu + costs_.learning + costs_.transfer + costs_.replay_server +
           costs_.parameter_server;
  }
  // An environment that waits leaves its core to others.
  double ActingSeconds() const {
    const auto n = static_cast<double>(shape_.actors);
    return std::max(costs_.acting / n, costs_.acting_cpu / AtOnce(shape_.actors));
  }
  // In lockstep sending is what the hand-over consists of.
  double SendingSeconds() const {
    return shape_.lockstep ? 0 : costs_.transfer / AtOnce(shape_.actors);
  }
  double LearningSeconds() const { return costs_.learning / AtOnce(shape_.learners); }
  double HandOverSeconds() const {
    const int64_t at_once = shape_.lockstep ? shape_.groups : shape_.learners;
    return costs_.hand_over / AtOnce(at_once);
  }

  // What others do meanwhile does not matter to it.
  void AddCap(std::string name, std::string amount, double capacity) {
    if (std::isfinite(capacity))
      plan_.resources.push_back({std::move(name), std::move(amount), capacity});
  }
  // In lockstep everybody waits for it.
  void AddStage(std::string name, std::string amount, double seconds) {
    if (shape_.lockstep) seconds_in_turn_ += seconds;
    AddCap(std::move(name), std::move(amount), 1 / seconds);
  }

  void AddWorkers() {
    std::string actors = Count(static_cast<double>(shape_.actors), "actor");
    if (!machines_.cluster && static_cast<double>(shape_.actors) > machines_.cores)
      absl::StrAppend(&actors, " on ", Count(machines_.cores, "core"));
    AddStage(kActors, std::move(actors), ActingSeconds() + SendingSeconds());
    std::string learners = Count(static_cast<double>(shape_.learners), "learner");
    if (shape_.lockstep) {
      AddStage(kHandOver, "experience and parameters", HandOverSeconds());
      AddStage(kLearner, std::move(learners), LearningSeconds());
    } else {
      AddStage(kLearner, std::move(learners), LearningSeconds() + HandOverSeconds());
    }
  }

  void AddServers() {
    const double cores = machines_.cores;
    AddCap(kReplayServer, Count(cores, "core"), cores / costs_.replay_server);
    AddCap(kParameterServer, Count(cores, "core"), cores / costs_.parameter_server);
    const double network = machines_.network_bytes_per_second;
    if (!machines_.cluster || network <= 0) return;
    const std::string amount = absl::StrFormat("%.4g Gbit/s", network * 8e-9);
    // Before the server's, which more servers would widen.
    AddCap(kLearnerNetwork, amount, LearnerNetworkRate());
    AddStage(kReplayNetwork, amount, std::max(shape_.append_bytes, shape_.sample_bytes) / network);
    AddStage(kParameterNetwork, amount, FanOutBytes() / network);
  }

  double LearnerNetworkRate() const {
    return static_cast<double>(shape_.learners) * machines_.network_bytes_per_second /
           shape_.sample_bytes;
  }
  // Each of n actors gets a version for each n R steps.
  double FanOutBytes() const {
    return shape_.parameter_bytes / static_cast<double>(shape_.steps_per_rollout);
  }

  double Rate() const {
    double rate = shape_.lockstep ? 1 / seconds_in_turn_ : std::numeric_limits<double>::infinity();
    for (const PlanResource& resource : plan_.resources) rate = std::min(rate, resource.capacity);
    return rate;
  }

  // Where the learner is at its limit as well as the cores, more cores would not help.
  size_t First() const {
    size_t first = 0;
    for (size_t i = 1; i < plan_.resources.size(); ++i)
      if (plan_.resources[i].capacity < plan_.resources[first].capacity) first = i;
    return first;
  }

  void Recommend() {
    const double learning = LearningSeconds() + HandOverSeconds();
    plan_.wanted_rate = (shape_.lockstep ? kBusyInLockstep : 1) / learning;
    if (machines_.cluster && machines_.network_bytes_per_second > 0)
      plan_.wanted_rate = std::min(plan_.wanted_rate, LearnerNetworkRate());
    // In lockstep a / n is 1 - kBusyInLockstep of the round.
    plan_.actors = shape_.lockstep
                       ? HowMany(costs_.acting * kBusyInLockstep / (1 - kBusyInLockstep), learning)
                       : HowMany(plan_.wanted_rate * (costs_.acting + costs_.transfer), 1);
    // Each of several learners that push has as many.
    const int64_t groups = shape_.groups;
    plan_.actors = (plan_.actors + groups - 1) / groups * groups;
    const double rate = plan_.wanted_rate, cores = machines_.cores;
    plan_.shards = HowMany(shape_.replay_memory_bytes, shape_.server_memory_bytes > 0
                                                           ? shape_.server_memory_bytes
                                                           : shape_.replay_memory_bytes + 1);
    int64_t parameter_servers = HowMany(rate * costs_.parameter_server, cores);
    if (machines_.cluster) {
      plan_.shards = std::max(plan_.shards, HowMany(rate * costs_.replay_server, cores));
      if (const double network = machines_.network_bytes_per_second; network > 0) {
        const double bytes = std::max(shape_.append_bytes, shape_.sample_bytes);
        plan_.shards = std::max(plan_.shards, HowMany(rate * bytes, network));
        parameter_servers = std::max(parameter_servers, HowMany(rate * FanOutBytes(), network));
      }
    }
    // Queues are not shared, nor are tables in lockstep.
    if (!shape_.replay || shape_.lockstep) plan_.shards = 1;
    plan_.replicas = parameter_servers > 1 ? parameter_servers : 0;
  }

  const PlanCosts& costs_;
  const PlanShape& shape_;
  const PlanMachines& machines_;
  Plan plan_;
  double seconds_in_turn_ = 0;
};

absl::Status Check(const PlanCosts& costs, const PlanShape& shape, const PlanMachines& machines) {
  const std::pair<const char*, double> numbers[] = {
      {"acting", costs.acting},
      {"acting_cpu", costs.acting_cpu},
      {"learning", costs.learning},
      {"hand_over", costs.hand_over},
      {"transfer", costs.transfer},
      {"replay_server", costs.replay_server},
      {"parameter_server", costs.parameter_server},
      {"network_bytes_per_second", machines.network_bytes_per_second}};
  for (const auto& [name, value] : numbers)
    if (!std::isfinite(value) || value < 0)
      return absl::InvalidArgumentError(
          absl::StrCat(name, ": got ", value, "; wanted a number that is not negative"));
  const std::pair<const char*, double> counts[] = {
      {"cores", machines.cores},
      {"actors", static_cast<double>(shape.actors)},
      {"learners", static_cast<double>(shape.learners)},
      {"groups", static_cast<double>(shape.groups)},
      {"steps_per_rollout", static_cast<double>(shape.steps_per_rollout)}};
  for (const auto& [name, value] : counts)
    if (!std::isfinite(value) || value < 1)
      return absl::InvalidArgumentError(absl::StrCat(name, ": got ", value, "; wanted 1 or more"));
  if (costs.acting <= 0 || costs.learning <= 0)
    return absl::InvalidArgumentError(absl::StrCat("costs: got ", costs.acting,
                                                   " s for acting and ", costs.learning,
                                                   " s for learning a step; wanted more than 0"));
  return absl::OkStatus();
}

std::string Servers(const Plan& plan) {
  return absl::StrCat(Count(static_cast<double>(plan.actors), "actor"), ", ",
                      Count(static_cast<double>(plan.shards), "replay shard"), ", ",
                      Count(static_cast<double>(plan.replicas), "parameter replica"));
}

}  // namespace

absl::StatusOr<Plan> MakePlan(const PlanCosts& costs, const PlanShape& shape,
                              const PlanMachines& machines) {
  CADRE_RETURN_IF_ERROR(Check(costs, shape, machines));
  return Planner(costs, shape, machines).Make();
}

std::string PlanVerdict(const Plan& plan, const PlanCosts& costs, const PlanShape& shape,
                        const PlanMachines& machines) {
  const bool waits_most = !shape.lockstep && costs.hand_over > costs.learning;
  const PlanResource& first = plan.resources[plan.first];
  const std::string for_busy =
      absl::StrCat("to keep the learner ", shape.lockstep ? "90 % " : "", "busy: ", Servers(plan));
  if (first.name == kCores)
    return absl::StrCat("core-bound: ", Count(machines.cores, "core"),
                        " are full, more actors here do not help; ", for_busy,
                        " on machines of their own");
  if (first.name == kLearner && waits_most)
    return absl::StrCat(
        "learner-bound, and it waits for hand-overs more than it learns: send more "
        "at once (environments_per_actor, segment_length); ",
        for_busy);
  if (first.name == kLearner)
    return absl::StrCat("learner-bound: more actors do not help; ", for_busy);
  if (first.name == kHandOver)
    return absl::StrCat(
        "bound by handing over: make rounds longer (environments_per_actor, segment_length), or "
        "let them overlap (actors.mode: ASYNCHRONOUS)");
  if (first.name == kLearnerNetwork)
    return absl::StrCat(
        "bound by the learner's network: shards do not help; a faster one, more "
        "learners or fewer samples for each step; to fill it: ",
        Servers(plan));
  if (first.name == kActors) return absl::StrCat("actor-bound; ", for_busy);
  return absl::StrCat(first.name, "-bound; ", for_busy);
}

}  // namespace cadre
