#include "envs/mujoco/model_rules.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "common/check.h"
#include "common/status_macros.h"
#include "envs/mujoco/quantity.h"

namespace cadre {
namespace {

struct Part {
  Quantity of;
  double clip;  // 0: none
};

struct Term {
  Quantity of;
  MujocoConfig::Term::Shape shape;
  double weight;
  double bound;     // 0: none
  size_t rate = 0;  // Which measured number a RATE compares.
};

struct Limit {
  Quantity of;
  double min, max;
};

double Bounded(double value, double bound) {
  return bound > 0 ? std::clamp(value, -bound, bound) : value;
}

class ModelRules final : public MujocoRules {
 public:
  ModelRules(Settings settings, const MujocoConfig& config, double seconds, std::vector<Part> parts,
             std::vector<Term> terms, std::vector<Limit> limits)
      : MujocoRules(std::move(settings)),
        position_noise_(config.position_noise()),
        velocity_noise_(config.velocity_noise()),
        healthy_reward_(config.healthy_reward()),
        seconds_(seconds),
        parts_(std::move(parts)),
        terms_(std::move(terms)),
        limits_(std::move(limits)) {}

  void Start(const mjModel& model, Random& random, mjData* data) const override {
    for (int i = 0; i < model.nq; ++i)
      data->qpos[i] += random.Uniform(-position_noise_, position_noise_);
    for (int i = 0; i < model.nv; ++i) data->qvel[i] += velocity_noise_ * random.Normal();
    mj_normalizeQuat(&model, data->qpos);
  }

  void Measure(const mjModel& model, const mjData& data, Measured* measured) const override {
    for (const Term& term : terms_)
      if (term.shape == MujocoConfig::Term::RATE) (*measured)[term.rate] = term.of.Sum(model, data);
  }

  StepResult Judge(const mjModel& model, const mjData& data, const Measured& before,
                   const Measured& after) const override {
    StepResult result{.terminated = !Healthy(model, data)};
    for (const Term& term : terms_) {
      const double value =
          term.shape == MujocoConfig::Term::RATE ? (after[term.rate] - before[term.rate]) / seconds_
          : term.shape == MujocoConfig::Term::SUM_OF_SQUARES ? term.of.SumOfSquares(model, data)
                                                             : term.of.Sum(model, data);
      result.reward += term.weight * Bounded(value, term.bound);
    }
    if (!result.terminated) result.reward += healthy_reward_;
    return result;
  }

  void Observe(const mjModel& model, const mjData& data,
               absl::Span<float> observation) const override {
    size_t next = 0;
    for (const Part& part : parts_)
      for (int i = 0; i < part.of.count(); ++i)
        observation[next++] = static_cast<float>(Bounded(part.of.At(model, data, i), part.clip));
    CADRE_CHECK(next == observation.size());
  }

 private:
  bool Healthy(const mjModel& model, const mjData& data) const {
    return std::all_of(limits_.begin(), limits_.end(), [&](const Limit& limit) {
      for (int i = 0; i < limit.of.count(); ++i) {
        const double value = limit.of.At(model, data, i);
        if (!std::isfinite(value) || value < limit.min || value > limit.max) return false;
      }
      return true;
    });
  }

  const double position_noise_, velocity_noise_, healthy_reward_;
  const double seconds_;  // Of a step.
  const std::vector<Part> parts_;
  const std::vector<Term> terms_;
  const std::vector<Limit> limits_;
};

absl::StatusOr<std::vector<Part>> FindParts(const MujocoConfig& config, const mjModel& model) {
  MujocoConfig given = config;
  if (given.observation().empty()) {
    given.add_observation()->mutable_of()->set_kind(MujocoQuantity::POSITIONS);
    given.add_observation()->mutable_of()->set_kind(MujocoQuantity::VELOCITIES);
  }
  std::vector<Part> parts;
  for (int i = 0; i < given.observation_size(); ++i) {
    const MujocoConfig::Part& part = given.observation(i);
    CADRE_ASSIGN_OR_RETURN(
        Quantity of, Quantity::Find(part.of(), model, absl::StrCat("observation[", i, "].of")));
    parts.push_back({of, part.clip()});
  }
  return parts;
}

absl::StatusOr<std::vector<Term>> FindTerms(const MujocoConfig& config, const mjModel& model) {
  constexpr size_t kMostRates = std::tuple_size_v<MujocoRules::Measured>;
  if (config.reward().empty()) {
    return absl::InvalidArgumentError("environment.mujoco.reward: no terms; wanted at least one");
  }
  std::vector<Term> terms;
  size_t rates = 0;
  for (int i = 0; i < config.reward_size(); ++i) {
    const MujocoConfig::Term& term = config.reward(i);
    CADRE_ASSIGN_OR_RETURN(Quantity of,
                           Quantity::Find(term.of(), model, absl::StrCat("reward[", i, "].of")));
    terms.push_back({of, term.shape(), term.weight(), term.bound()});
    if (term.shape() == MujocoConfig::Term::RATE) terms.back().rate = rates++;
  }
  if (rates > kMostRates) {
    return absl::InvalidArgumentError(absl::StrCat(
        "environment.mujoco.reward: ", rates, " terms of shape RATE; wanted at most ", kMostRates));
  }
  return terms;
}

absl::StatusOr<std::vector<Limit>> FindLimits(const MujocoConfig& config, const mjModel& model) {
  std::vector<Limit> limits;
  for (int i = 0; i < config.healthy_size(); ++i) {
    const MujocoConfig::Limit& limit = config.healthy(i);
    CADRE_ASSIGN_OR_RETURN(Quantity of,
                           Quantity::Find(limit.of(), model, absl::StrCat("healthy[", i, "].of")));
    if (!(limit.min() <= limit.max())) {
      return absl::InvalidArgumentError(absl::StrCat("environment.mujoco.healthy[", i, "]: min ",
                                                     limit.min(), " is above max ", limit.max()));
    }
    limits.push_back({of, limit.min(), limit.max()});
  }
  return limits;
}

absl::StatusOr<ActionSpace> ActionsOf(const mjModel& model) {
  ActionSpace actions;
  actions.kind = ActionSpace::Kind::kContinuous;
  actions.dimensions = model.nu;
  if (model.nu == 0) {
    return absl::InvalidArgumentError(
        "environment.mujoco.model: no actuators; wanted at least one to act with");
  }
  for (int i = 0; i < model.nu; ++i) {
    if (!model.actuator_ctrllimited[i]) {
      return absl::InvalidArgumentError(absl::StrCat("environment.mujoco.model: actuator ", i,
                                                     " has no ctrlrange; wanted one for each"));
    }
    actions.low.push_back(static_cast<float>(model.actuator_ctrlrange[2 * i]));
    actions.high.push_back(static_cast<float>(model.actuator_ctrlrange[2 * i + 1]));
  }
  return actions;
}

}  // namespace

absl::StatusOr<std::shared_ptr<const MujocoRules>> RulesOf(const MujocoConfig& config,
                                                           const mjModel& model) {
  MujocoRules::Settings settings;
  CADRE_ASSIGN_OR_RETURN(settings.spec.action, ActionsOf(model));
  CADRE_ASSIGN_OR_RETURN(std::vector<Part> parts, FindParts(config, model));
  CADRE_ASSIGN_OR_RETURN(std::vector<Term> terms, FindTerms(config, model));
  CADRE_ASSIGN_OR_RETURN(std::vector<Limit> limits, FindLimits(config, model));

  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  ObservationColumn column;
  for (const Part& part : parts) {
    const float bound = part.clip > 0 ? static_cast<float>(part.clip) : kInfinity;
    column.low.insert(column.low.end(), part.of.count(), -bound);
    column.high.insert(column.high.end(), part.of.count(), bound);
  }
  column.shape = {static_cast<int64_t>(column.low.size())};
  settings.spec.id = config.model();
  settings.spec.observation.columns = {column};
  settings.frame_skip = config.frame_skip();
  const auto reads_contacts = [](const auto& entry) { return entry.of.contact_forces(); };
  settings.contact_forces = std::any_of(parts.begin(), parts.end(), reads_contacts) ||
                            std::any_of(terms.begin(), terms.end(), reads_contacts) ||
                            std::any_of(limits.begin(), limits.end(), reads_contacts);
  const double seconds = model.opt.timestep * config.frame_skip();
  return std::make_shared<ModelRules>(std::move(settings), config, seconds, std::move(parts),
                                      std::move(terms), std::move(limits));
}

}  // namespace cadre
