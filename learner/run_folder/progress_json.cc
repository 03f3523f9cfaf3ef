#include "learner/run_folder/progress_json.h"

#include <limits>

#include "absl/strings/str_cat.h"
#include "nlohmann/json.hpp"

namespace cadre {
namespace {

using Json = nlohmann::ordered_json;

double NumberOrNan(const Json& value) {
  return value.is_number() ? value.get<double>() : std::numeric_limits<double>::quiet_NaN();
}

// Calls visit(name, field) for each field but the diagnostics.
template <typename P, typename Visit>
void ForEachField(P& progress, Visit visit) {
  visit("env_steps", progress.env_steps);
  visit("updates", progress.updates);
  visit("version", progress.version);
  visit("episodes", progress.episodes);
  visit("mean_return", progress.mean_return);
  visit("mean_length", progress.mean_length);
  visit("wall_seconds", progress.wall_seconds);
  visit("steps_per_second", progress.steps_per_second);
  visit("version_lag", progress.version_lag);
  visit("max_version_lag", progress.max_version_lag);
  visit("waiting_share", progress.waiting_share);
}

void Assign(const Json& value, double& field) { field = NumberOrNan(value); }
void Assign(const Json& value, int64_t& field) { field = value.get<int64_t>(); }

}  // namespace

std::string ProgressToJson(const Progress& progress) {
  Json json;
  ForEachField(progress, [&](const char* name, auto value) { json[name] = value; });
  Json& diagnostics = json["diagnostics"] = Json::object();
  for (const auto& [name, value] : progress.diagnostics) diagnostics[name] = value;
  return json.dump();
}

absl::StatusOr<Progress> ProgressFromJson(absl::string_view line) {
  const Json json = Json::parse(line.begin(), line.end(), nullptr, /*allow_exceptions=*/false);
  const auto wrong = [&](absl::string_view what) {
    return absl::InvalidArgumentError(absl::StrCat("not a progress line (", what, "): ", line));
  };
  if (!json.is_object()) return wrong("no JSON object");
  Progress progress;
  absl::Status status;
  ForEachField(progress, [&](const char* name, auto& field) {
    const auto value = json.find(name);
    const bool integer = std::is_same_v<std::decay_t<decltype(field)>, int64_t>;
    if (value == json.end() || (integer && !value->is_number_integer()))
      status = wrong(name);
    else
      Assign(*value, field);
  });
  if (!status.ok()) return status;
  const auto diagnostics = json.find("diagnostics");
  if (diagnostics != json.end() && diagnostics->is_object())
    for (const auto& [name, value] : diagnostics->items())
      progress.diagnostics.emplace_back(name, NumberOrNan(value));
  return progress;
}

}  // namespace cadre
