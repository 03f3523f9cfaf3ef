#include "envs/conformance.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <set>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/random.h"

namespace cadre {
namespace {

using Bytes = std::vector<std::byte>;
using Faults = std::vector<std::string>;

constexpr int64_t kEnvironments = 3;

Faults ColumnFaults(const ObservationColumn& column) {
  Faults faults;
  const auto require = [&](bool condition, absl::string_view what) {
    if (!condition) faults.push_back(absl::StrCat("spec: column '", column.name, "': ", what));
  };
  const auto elements = static_cast<size_t>(column.elements());
  require(!column.name.empty(), "no name");
  require(column.name != kMaskColumn, "the name of the mask");
  require(column.dtype == v1::DTYPE_FLOAT32 || column.dtype == v1::DTYPE_UINT8,
          "neither float32 nor uint8");
  require(elements > 0, "empty");
  require(column.low.size() == elements && column.high.size() == elements,
          "observation bounds differ in number from its elements");
  if (!faults.empty()) return faults;
  for (size_t i = 0; i < elements; ++i)
    require(column.low[i] <= column.high[i], absl::StrCat(i, " has low > high"));
  return faults;
}

// One action of each environment: allowed by the masks, and within the bounds.
class Actions {
 public:
  Actions(const ActionSpace& space, uint64_t seed) : space_(space), random_(seed) {}

  Bytes Draw(const VectorEnvironment& environment) {
    Bytes actions(environment.count() * space_.bytes());
    for (int64_t i = 0; i < environment.count(); ++i) {
      const absl::Span<std::byte> row =
          absl::MakeSpan(actions).subspan(i * space_.bytes(), space_.bytes());
      space_.discrete() ? DrawChoices(environment, i, row) : DrawNumbers(row);
    }
    return actions;
  }

 private:
  void DrawChoices(const VectorEnvironment& environment, int64_t i, absl::Span<std::byte> row) {
    const std::byte* mask =
        space_.masked ? environment.observations().back().data() + i * space_.alternatives()
                      : nullptr;
    for (int64_t k = 0; k < space_.choices(); ++k) {
      std::vector<int32_t> allowed;
      for (int32_t a = 0; a < space_.counts[k]; ++a)
        if (mask == nullptr || mask[a] != std::byte{0}) allowed.push_back(a);
      const int32_t choice = allowed.empty() ? 0 : allowed[random_.Below(allowed.size())];
      std::memcpy(row.data() + k * sizeof(choice), &choice, sizeof(choice));
      if (mask != nullptr) mask += space_.counts[k];
    }
  }
  void DrawNumbers(absl::Span<std::byte> row) {
    for (int64_t d = 0; d < space_.dimensions; ++d) {
      const auto value = static_cast<float>(random_.Uniform(space_.low[d], space_.high[d]));
      std::memcpy(row.data() + d * sizeof(value), &value, sizeof(value));
    }
  }

  const ActionSpace& space_;
  Random random_;
};

// What is wrong with row i of a column; empty where nothing is.
std::string RowFault(const ObservationColumn& column, absl::Span<const std::byte> block,
                     int64_t i) {
  const std::byte* const row = block.data() + i * column.bytes();
  for (int64_t e = 0; e < column.elements(); ++e) {
    float value;
    if (column.dtype == v1::DTYPE_UINT8) {
      value = static_cast<float>(row[e]);
    } else {
      std::memcpy(&value, row + e * sizeof(value), sizeof(value));
    }
    if (value >= column.low[e] && value <= column.high[e] && std::isfinite(value)) continue;
    return absl::StrCat("element ", e, " of '", column.name, "' is ", value, "; its bounds are ",
                        column.low[e], " and ", column.high[e]);
  }
  return "";
}

std::string MaskFault(const ActionSpace& action, absl::Span<const std::byte> block, int64_t i) {
  const std::byte* mask = block.data() + i * action.alternatives();
  for (int64_t k = 0; k < action.choices(); mask += action.counts[k++])
    if (std::all_of(mask, mask + action.counts[k], [](std::byte b) { return b == std::byte{0}; }))
      return absl::StrCat("the mask allows nothing of choice ", k);
  return "";
}

std::string ShownFault(const EnvironmentSpec& spec, ShownBlocks blocks, int64_t i) {
  const std::vector<ObservationColumn>& columns = spec.observation.columns;
  for (size_t c = 0; c < columns.size(); ++c)
    if (std::string fault = RowFault(columns[c], blocks[c], i); !fault.empty()) return fault;
  return spec.action.masked ? MaskFault(spec.action, blocks.back(), i) : "";
}

// Random episodes: sound numbers, and ends that are none of both kinds at once.
void CheckPlay(VectorEnvironment& environment, int64_t steps, Conformance& result) {
  const EnvironmentSpec& spec = environment.spec();
  Actions actions(spec.action, 2);
  std::vector<int64_t> lengths(environment.count(), 0);
  const auto fault = [&](int64_t step, int64_t i, absl::string_view what) {
    result.faults.push_back(absl::StrCat("step ", step, ", environment ", i, ": ", what));
  };
  if (const absl::Status status = environment.Reset(1); !status.ok())
    return result.faults.push_back(absl::StrCat("reset: ", status.message()));
  for (int64_t step = 0; step <= steps && result.faults.empty(); ++step) {
    for (int64_t i = 0; i < environment.count(); ++i)
      if (const std::string f = ShownFault(spec, environment.observations(), i); !f.empty())
        fault(step, i, f);
    if (!result.faults.empty() || step == steps) return;
    if (const absl::Status status = environment.Step(actions.Draw(environment)); !status.ok())
      return result.faults.push_back(absl::StrCat("step ", step, ": ", status.message()));
    result.steps += environment.count();
    for (int64_t i = 0; i < environment.count(); ++i) {
      ++lengths[i];
      const bool terminated = environment.terminated()[i], truncated = environment.truncated()[i];
      if (!std::isfinite(environment.rewards()[i]))
        fault(step, i, absl::StrCat("reward is ", environment.rewards()[i]));
      if (terminated && truncated) fault(step, i, "both terminated and truncated");
      if (spec.max_episode_steps > 0 && lengths[i] > spec.max_episode_steps)
        fault(step, i,
              absl::StrCat("an episode has ", lengths[i], " steps; its time limit is ",
                           spec.max_episode_steps));
      if (!terminated && !truncated) continue;
      if (const std::string f = ShownFault(spec, environment.final_observations(), i); !f.empty())
        fault(step, i, absl::StrCat("in the final observation, ", f));
      ++result.episodes;
      lengths[i] = 0;
    }
  }
}

// Everything that a step shows, in one piece.
Bytes Shown(const VectorEnvironment& environment) {
  Bytes all;
  const auto append = [&all](const auto& values) {
    const auto* const bytes = reinterpret_cast<const std::byte*>(values.data());
    all.insert(all.end(), bytes, bytes + values.size() * sizeof(values[0]));
  };
  for (const auto block : environment.observations()) append(block);
  append(environment.rewards());
  append(environment.terminated());
  append(environment.truncated());
  return all;
}

// Two batches that get the same actions: "" or where they part.
std::string Difference(VectorEnvironment& a, uint64_t seed_of_a, VectorEnvironment& b,
                       uint64_t seed_of_b, int64_t steps) {
  if (!a.Reset(seed_of_a).ok() || !b.Reset(seed_of_b).ok()) return "whether Reset works";
  Actions actions(a.spec().action, 3);
  for (int64_t step = 0; step <= steps; ++step) {
    if (Shown(a) != Shown(b)) return absl::StrCat("what step ", step, " shows");
    const Bytes drawn = actions.Draw(a);
    if (!a.Step(drawn).ok() || !b.Step(drawn).ok())
      return absl::StrCat("whether step ", step, " works");
  }
  return "";
}

void CheckSeeds(VectorEnvironment& a, VectorEnvironment& b, int64_t steps, Faults& faults) {
  if (const std::string where = Difference(a, 7, b, 7, steps); !where.empty())
    faults.push_back(absl::StrCat("the same seed and actions differ in ", where));
  // Both have episodes behind them now, b other ones than a.
  if (Difference(a, 10, b, 11, steps).empty())
    faults.push_back("different seeds give the same episodes");
  if (const std::string where = Difference(a, 12, b, 12, steps); !where.empty())
    faults.push_back(absl::StrCat("episodes from before a Reset show in ", where));
}

// Wrong actions are refused, and then nothing has been stepped.
void CheckWrongActions(VectorEnvironment& environment, Faults& faults) {
  const ActionSpace& space = environment.spec().action;
  if (!environment.Reset(5).ok()) return;
  const Bytes before = Shown(environment);
  Actions actions(space, 6);
  Bytes wrong = actions.Draw(environment);
  const auto out_of_range = static_cast<int32_t>(space.discrete() ? space.counts[0] : 0);
  const float not_finite = std::nanf("");
  std::memcpy(wrong.data(),
              space.discrete() ? static_cast<const void*>(&out_of_range) : &not_finite,
              sizeof(not_finite));
  const char* const what = space.discrete() ? "an action out of range" : "an action that is nan";
  if (environment.Step(wrong).ok()) faults.push_back(absl::StrCat(what, " is accepted"));
  if (Shown(environment) != before) faults.push_back(absl::StrCat(what, " changes something"));
}

void CheckClipping(VectorEnvironment& a, VectorEnvironment& b, Faults& faults) {
  const ActionSpace& space = a.spec().action;
  for (int64_t d = 0; d < space.dimensions; ++d) {
    for (const bool above : {true, false}) {
      if (!a.Reset(12).ok() || !b.Reset(12).ok()) return;
      Actions actions(space, 8);
      Bytes bound = actions.Draw(a), beyond = bound;
      const float limit = above ? space.high[d] : space.low[d];
      const float outside = above ? limit + 10 : limit - 10;
      std::memcpy(bound.data() + d * sizeof(float), &limit, sizeof(float));
      std::memcpy(beyond.data() + d * sizeof(float), &outside, sizeof(float));
      if (!a.Step(bound).ok() || !b.Step(beyond).ok() || Shown(a) != Shown(b))
        faults.push_back(absl::StrCat("action ", d, " is not clipped to its ",
                                      above ? "high" : "low", " bound"));
    }
  }
}

}  // namespace

std::vector<std::string> SpecFaults(const EnvironmentSpec& spec) {
  Faults faults;
  const auto require = [&faults](bool condition, absl::string_view what) {
    if (!condition) faults.push_back(absl::StrCat("spec: ", what));
  };
  require(!spec.id.empty(), "no id");
  require(spec.max_episode_steps >= 0, "negative max_episode_steps");
  require(!spec.observation.columns.empty(), "no observation");
  std::set<std::string> names;
  for (const ObservationColumn& column : spec.observation.columns) {
    for (std::string& fault : ColumnFaults(column)) faults.push_back(std::move(fault));
    require(names.insert(column.name).second, absl::StrCat("two columns '", column.name, "'"));
  }
  const ActionSpace& action = spec.action;
  if (action.discrete()) {
    require(action.choices() >= 1, "no action");
    require(action.kind != ActionSpace::Kind::kDiscrete || action.choices() == 1,
            "a discrete action of several choices");
    for (const int64_t count : action.counts) require(count >= 1, "a choice among nothing");
    require(action.dimensions == 0, "a discrete action with dimensions");
  } else {
    require(action.dimensions >= 1, "a continuous action without dimensions");
    require(action.counts.empty() && !action.masked, "a continuous action with choices or a mask");
  }
  const auto dimensions = static_cast<size_t>(action.dimensions);
  require(action.low.size() == dimensions && action.high.size() == dimensions,
          "action bounds differ in number from its dimensions");
  if (!faults.empty()) return faults;
  for (size_t d = 0; d < dimensions; ++d)
    require(std::isfinite(action.low[d]) && std::isfinite(action.high[d]) &&
                action.low[d] < action.high[d],
            absl::StrCat("action ", d, " has bounds that are not finite, or not low < high"));
  return faults;
}

Conformance CheckEnvironment(const VectorEnvironmentFactory& make, int64_t steps) {
  Conformance result;
  auto a = make(kEnvironments);
  auto b = make(kEnvironments);
  for (const absl::Status& status : {a.status(), b.status()}) {
    if (status.ok()) continue;
    result.faults.push_back(absl::StrCat("it cannot be made: ", status.message()));
    return result;
  }
  result.faults = SpecFaults((*a)->spec());
  if (!result.faults.empty()) return result;  // The rest relies on it.
  CheckPlay(**a, steps, result);
  if (!result.faults.empty()) return result;
  CheckSeeds(**a, **b, steps, result.faults);
  CheckWrongActions(**a, result.faults);
  CheckClipping(**a, **b, result.faults);
  return result;
}

}  // namespace cadre
