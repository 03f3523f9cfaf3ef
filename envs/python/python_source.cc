#include "envs/python/python_source.h"

#include <map>
#include <string>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "common/status_macros.h"
#include "envs/python/python_environments.h"
#include "nlohmann/json.hpp"

namespace cadre {
namespace {

constexpr char kAtariEntryPoint[] = "ale_py.vector_env:AtariVectorEnv";

absl::StatusOr<PythonSource> SourceOf(const GymnasiumConfig& config) {
  if (config.id().empty() == config.entry_point().empty())
    return absl::InvalidArgumentError(absl::StrCat("got ",
                                                   config.id().empty()
                                                       ? "neither id nor entry_point"
                                                       : "both id and "
                                                         "entry_point",
                                                   "; wanted one of them"));
  const bool by_id = !config.id().empty();
  if (!by_id && config.entry_point().find(':') == std::string::npos)
    return absl::InvalidArgumentError(
        absl::StrCat("entry_point: got '", config.entry_point(), "'; wanted 'module:function'"));
  nlohmann::json request = {{"vector", config.vector()}, {"kwargs", nlohmann::json::object()}};
  request[by_id ? "id" : "entry_point"] = by_id ? config.id() : config.entry_point();
  for (const auto& [name, value] : config.kwargs()) request["kwargs"][name] = value;
  return PythonSource{.name = by_id ? config.id() : config.entry_point(),
                      .request = request.dump(),
                      .vector = config.vector(),
                      .workers = config.workers(),
                      .timeout = absl::Seconds(config.timeout_seconds()),
                      .max_restarts = config.max_restarts()};
}

// AtariVectorEnv's own threads share the cores: one process has them all.
PythonSource SourceOf(const AtariConfig& config) {
  const auto text = [](const auto& value) { return nlohmann::json(value).dump(); };
  const nlohmann::json kwargs = {
      {"game", text(config.game())},
      {"frameskip", text(config.frame_skip())},
      {"maxpool", text(config.max_pool())},
      {"noop_max", text(config.noop_max())},
      {"img_height", text(config.size())},
      {"img_width", text(config.size())},
      {"grayscale", text(config.grayscale())},
      {"stack_num", text(config.frame_stack())},
      {"episodic_life", text(config.end_on_life_loss())},
      {"reward_clipping", text(config.sign_rewards())},
      {"repeat_action_probability", text(config.sticky_action_probability())},
      {"full_action_space", text(config.full_action_space())},
      {"use_fire_reset", text(config.fire_at_start())},
  };
  const nlohmann::json request = {
      {"entry_point", kAtariEntryPoint}, {"vector", true}, {"kwargs", kwargs}};
  return {.name = config.game(), .request = request.dump(), .vector = true};
}

absl::StatusOr<PythonSource> SourceOf(const EnvironmentConfig& config) {
  if (config.has_atari()) return SourceOf(config.atari());
  return SourceOf(config.gymnasium());
}

struct Remembered {
  absl::Mutex mutex;
  std::map<std::string, EnvironmentSpec> specs ABSL_GUARDED_BY(mutex);  // By request.
};

Remembered& RememberedSpecs() {
  static auto* const remembered = new Remembered;
  return *remembered;
}

}  // namespace

absl::StatusOr<EnvironmentSpec> DescribePython(const EnvironmentConfig& config) {
  CADRE_ASSIGN_OR_RETURN(PythonSource source, SourceOf(config));
  source.workers = 1;
  const std::string key = source.request;
  Remembered& remembered = RememberedSpecs();
  absl::MutexLock lock(&remembered.mutex);
  if (const auto found = remembered.specs.find(key); found != remembered.specs.end())
    return found->second;
  CADRE_ASSIGN_OR_RETURN(const auto environment, PythonEnvironments::Create(std::move(source), 1));
  return remembered.specs[key] = environment->spec();
}

absl::StatusOr<std::unique_ptr<VectorEnvironment>> MakePython(const EnvironmentConfig& config,
                                                              int64_t count) {
  CADRE_ASSIGN_OR_RETURN(PythonSource source, SourceOf(config));
  return PythonEnvironments::Create(std::move(source), count);
}

}  // namespace cadre
