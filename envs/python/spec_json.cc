#include "envs/python/spec_json.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "nlohmann/json.hpp"

namespace cadre {
namespace {

using Json = nlohmann::json;

constexpr float kInfinity = std::numeric_limits<float>::infinity();

// JSON has no infinity: null is the bound that is none.
Json BoundJson(float bound) { return std::isfinite(bound) ? Json(bound) : Json(nullptr); }

Json BoundsJson(const std::vector<float>& bounds) {
  Json out = Json::array();
  for (const float bound : bounds) out.push_back(BoundJson(bound));
  return out;
}

// One number for all of them, or one for each.
std::vector<float> Bounds(const Json& json, int64_t count, float none) {
  const auto bound = [none](const Json& value) {
    return value.is_null() ? none : value.get<float>();
  };
  if (!json.is_array()) return std::vector<float>(count, bound(json));
  std::vector<float> bounds;
  for (const Json& value : json) bounds.push_back(bound(value));
  bounds.resize(count, none);
  return bounds;
}

constexpr std::pair<ActionSpace::Kind, const char*> kKinds[] = {
    {ActionSpace::Kind::kDiscrete, "discrete"},
    {ActionSpace::Kind::kMultiDiscrete, "multi_discrete"},
    {ActionSpace::Kind::kMultiBinary, "multi_binary"},
    {ActionSpace::Kind::kContinuous, "continuous"},
};

ActionSpace Action(const Json& json) {
  ActionSpace action;
  const std::string kind = json.at("kind");
  for (const auto& [value, name] : kKinds)
    if (kind == name) action.kind = value;
  if (action.discrete()) {
    action.counts = json.at("counts").get<std::vector<int64_t>>();
    return action;
  }
  action.dimensions = static_cast<int64_t>(json.at("low").size());
  action.low = Bounds(json.at("low"), action.dimensions, -kInfinity);
  action.high = Bounds(json.at("high"), action.dimensions, kInfinity);
  return action;
}

ObservationColumn Column(const Json& json) {
  ObservationColumn column{.name = json.at("name"),
                           .shape = json.at("shape").get<std::vector<int64_t>>()};
  column.dtype = json.at("dtype") == "uint8" ? v1::DTYPE_UINT8 : v1::DTYPE_FLOAT32;
  column.low = Bounds(json.at("low"), column.elements(), -kInfinity);
  column.high = Bounds(json.at("high"), column.elements(), kInfinity);
  return column;
}

EnvironmentSpec Spec(const Json& json) {
  EnvironmentSpec spec;
  spec.action = Action(json.at("action"));
  spec.action.masked = json.at("masked");
  for (const Json& column : json.at("shown")) spec.observation.columns.push_back(Column(column));
  // The mask follows from the actions.
  if (spec.action.masked) spec.observation.columns.pop_back();
  spec.max_episode_steps = json.at("max_episode_steps");
  if (!json.at("reward_threshold").is_null()) spec.reward_threshold = json.at("reward_threshold");
  return spec;
}

}  // namespace

std::string SpecJson(const EnvironmentSpec& spec) {
  Json shown = Json::array();
  for (const ObservationColumn& column : ShownColumns(spec.observation, spec.action))
    shown.push_back({{"name", column.name},
                     {"dtype", column.dtype == v1::DTYPE_UINT8 ? "uint8" : "float32"},
                     {"shape", column.shape},
                     {"low", BoundsJson(column.low)},
                     {"high", BoundsJson(column.high)}});
  Json action;
  for (const auto& [kind, name] : kKinds)
    if (spec.action.kind == kind) action["kind"] = name;
  if (spec.action.discrete()) {
    action["counts"] = spec.action.counts;
  } else {
    action["low"] = BoundsJson(spec.action.low);
    action["high"] = BoundsJson(spec.action.high);
  }
  const bool solvable = std::isfinite(spec.reward_threshold);
  return Json({{"id", spec.id},
               {"shown", std::move(shown)},
               {"masked", spec.action.masked},
               {"action", std::move(action)},
               {"max_episode_steps", spec.max_episode_steps},
               {"reward_threshold", solvable ? Json(spec.reward_threshold) : Json(nullptr)}})
      .dump();
}

absl::StatusOr<EnvironmentSpec> SpecOfJson(absl::string_view json) {
  try {
    return Spec(Json::parse(json));
  } catch (const Json::exception& error) {
    return absl::InvalidArgumentError(
        absl::StrCat("the description of an environment is not what was agreed: ", error.what()));
  }
}

}  // namespace cadre
