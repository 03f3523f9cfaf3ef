#include "envs/plugin/plugin_environment.h"

#include <dlfcn.h>

#include <algorithm>
#include <filesystem>
#include <limits>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/check.h"
#include "common/status_macros.h"
#include "envs/batch_of.h"
#include "envs/checked_steps.h"
#include "envs/observation_blocks.h"
#include "envs/plugin/cadre_env.h"
#include "envs/wrappers/wrap.h"

namespace cadre {
namespace {

constexpr char kEntry[] = "cadre_env_api";

// A library and one of its environments. Libraries stay loaded: specs and code live on.
struct Plugin {
  const CadreEnvApi* api = nullptr;
  int32_t index = 0;
  EnvironmentSpec spec;
};

std::string Text(const char* text) { return text == nullptr ? "" : text; }

absl::StatusOr<const CadreEnvApi*> LoadApi(const std::string& path) {
  std::error_code ignored;
  if (!std::filesystem::exists(path, ignored))
    return absl::NotFoundError(absl::StrCat("there is no library '", path, "'"));
  // A name without a slash would be looked for elsewhere.
  const std::string absolute = std::filesystem::absolute(path, ignored).string();
  void* const library = dlopen(absolute.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (library == nullptr)
    return absl::FailedPreconditionError(
        absl::StrCat("the library '", path, "' does not load: ", Text(dlerror())));
  const auto entry = reinterpret_cast<decltype(&cadre_env_api)>(dlsym(library, kEntry));
  if (entry == nullptr)
    return absl::FailedPreconditionError(absl::StrCat("the library '", path, "' has no symbol '",
                                                      kEntry, "'; wanted an environment plugin"));
  const CadreEnvApi* const api = entry(CADRE_ENV_ABI_VERSION);
  if (api == nullptr)
    return absl::FailedPreconditionError(
        absl::StrCat("the library '", path, "' does not know version ", CADRE_ENV_ABI_VERSION,
                     " of the plugin interface"));
  if (api->abi_version != CADRE_ENV_ABI_VERSION)
    return absl::FailedPreconditionError(
        absl::StrCat("the library '", path, "' has version ", api->abi_version,
                     " of the plugin interface; wanted ", CADRE_ENV_ABI_VERSION));
  const bool whole = api->count && api->spec && api->create && api->destroy && api->seed &&
                     api->reset && api->step && api->last_error;
  if (!whole)
    return absl::FailedPreconditionError(
        absl::StrCat("the library '", path,
                     "' leaves out a function of the plugin interface; wanted all but "
                     "set_state"));
  return api;
}

absl::StatusOr<ObservationColumn> ToColumn(const CadreEnvColumn& given) {
  ObservationColumn column{.name = Text(given.name)};
  if (given.dtype != CADRE_ENV_FLOAT32 && given.dtype != CADRE_ENV_UINT8)
    return absl::InvalidArgumentError(
        absl::StrCat("column '", column.name, "' has dtype ", given.dtype, "; wanted 0 or 1"));
  column.dtype = given.dtype == CADRE_ENV_UINT8 ? v1::DTYPE_UINT8 : v1::DTYPE_FLOAT32;
  if (given.rank < 0 || (given.rank > 0 && given.shape == nullptr))
    return absl::InvalidArgumentError(absl::StrCat("column '", column.name, "' has no shape"));
  column.shape.assign(given.shape, given.shape + given.rank);
  for (const int64_t size : column.shape)
    if (size < 1)
      return absl::InvalidArgumentError(absl::StrCat("column '", column.name, "' has the shape [",
                                                     absl::StrJoin(column.shape, ", "), "]"));
  const int64_t n = column.elements();
  const bool bytes = column.dtype == v1::DTYPE_UINT8;
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  column.low = given.low == nullptr ? std::vector<float>(n, bytes ? 0 : -kInfinity)
                                    : std::vector<float>(given.low, given.low + n);
  column.high = given.high == nullptr ? std::vector<float>(n, bytes ? 255 : kInfinity)
                                      : std::vector<float>(given.high, given.high + n);
  return column;
}

absl::StatusOr<EnvironmentSpec> ToSpec(const CadreEnvSpec& given) {
  EnvironmentSpec spec{.id = Text(given.id)};
  spec.max_episode_steps = std::max<int64_t>(given.max_episode_steps, 0);
  spec.reward_threshold = given.reward_threshold;
  if (given.column_count < 1 || given.columns == nullptr)
    return absl::InvalidArgumentError("it has no observation column");
  for (int32_t c = 0; c < given.column_count; ++c) {
    CADRE_ASSIGN_OR_RETURN(ObservationColumn column, ToColumn(given.columns[c]));
    spec.observation.columns.push_back(std::move(column));
  }
  const int32_t n = given.action_count;
  if (n < 1) return absl::InvalidArgumentError(absl::StrCat("action_count is ", n));
  if (given.action_kind == CADRE_ENV_CONTINUOUS) {
    if (given.low == nullptr || given.high == nullptr)
      return absl::InvalidArgumentError("its continuous actions have no bounds");
    if (given.masked != 0)
      return absl::InvalidArgumentError("its continuous actions have a mask; wanted none");
    spec.action.kind = ActionSpace::Kind::kContinuous;
    spec.action.dimensions = n;
    spec.action.low.assign(given.low, given.low + n);
    spec.action.high.assign(given.high, given.high + n);
    return spec;
  }
  if (given.action_kind != CADRE_ENV_DISCRETE || given.counts == nullptr)
    return absl::InvalidArgumentError(
        absl::StrCat("action_kind is ", given.action_kind, "; wanted 0, with counts, or 1"));
  spec.action = n == 1 ? ActionSpace::Discrete(given.counts[0])
                       : ActionSpace::MultiDiscrete({given.counts, given.counts + n});
  for (const int64_t count : spec.action.counts)
    if (count < 1) return absl::InvalidArgumentError(absl::StrCat("an action count is ", count));
  spec.action.masked = given.masked != 0;
  return spec;
}

absl::StatusOr<Plugin> Load(const PluginConfig& config) {
  Plugin plugin;
  CADRE_ASSIGN_OR_RETURN(plugin.api, LoadApi(config.path()));
  std::vector<std::string> ids;
  for (int32_t i = 0; i < plugin.api->count(); ++i) ids.push_back(Text(plugin.api->spec(i)->id));
  const auto found = config.has_id() ? std::find(ids.begin(), ids.end(), config.id()) : ids.begin();
  if (found == ids.end() || (!config.has_id() && ids.size() != 1))
    return absl::NotFoundError(absl::StrCat("the library '", config.path(), "' has ",
                                            absl::StrJoin(ids, ", "), "; got '", config.id(),
                                            "' as id"));
  plugin.index = static_cast<int32_t>(found - ids.begin());
  absl::StatusOr<EnvironmentSpec> spec = ToSpec(*plugin.api->spec(plugin.index));
  if (!spec.ok())
    return absl::FailedPreconditionError(absl::StrCat(
        "the spec of '", *found, "' in '", config.path(), "' is wrong: ", spec.status().message()));
  plugin.spec = *std::move(spec);
  return plugin;
}

class PluginEnvironment final : public VectorEnvironment {
 public:
  PluginEnvironment(const Plugin& plugin, void* envs, int64_t count)
      : api_(*plugin.api), spec_(plugin.spec), envs_(envs), all_(count, 1), ended_(count, 0) {
    const std::vector<ObservationColumn> shown = ShownColumns(spec_.observation, spec_.action);
    observations_ = ObservationBlocks(shown, count);
    final_observations_ = ObservationBlocks(shown, count);
    rewards_.resize(count);
    terminated_.resize(count);
    truncated_.resize(count);
    for (const auto block : observations_.blocks())
      places_.push_back(const_cast<std::byte*>(block.data()));
    batch_ = {.observations = places_.data(),
              .rewards = rewards_.data(),
              .terminated = terminated_.data(),
              .truncated = truncated_.data()};
  }
  ~PluginEnvironment() override { api_.destroy(envs_); }

  const EnvironmentSpec& spec() const override { return spec_; }
  int64_t count() const override { return static_cast<int64_t>(all_.size()); }

  absl::Status Reset(uint64_t seed) override {
    ClearSteps();
    CADRE_RETURN_IF_ERROR(Check(api_.seed(envs_, seed), "seed"));
    started_ = true;
    return Restart(all_);
  }
  absl::Status Step(absl::Span<const std::byte> actions) override {
    return StepSome(actions, all_);
  }
  absl::Status StepSome(absl::Span<const std::byte> actions,
                        absl::Span<const uint8_t> stepped) override {
    if (!started_) return absl::FailedPreconditionError("Step before the first Reset");
    CADRE_RETURN_IF_ERROR(CheckActions(spec_.action, count(), actions));
    ClearSteps();
    CADRE_RETURN_IF_ERROR(Check(api_.step(envs_, actions.data(), stepped.data(), &batch_), "step"));
    CADRE_RETURN_IF_ERROR(CheckStep(*this, stepped));
    bool any = false;
    for (size_t i = 0; i < ended_.size(); ++i) {
      ended_[i] = stepped[i] && (terminated_[i] || truncated_[i]);
      if (ended_[i]) final_observations_.CopyRow(i, observations_.blocks());
      any |= ended_[i];
    }
    return any ? Restart(ended_) : absl::OkStatus();
  }
  absl::Status Restart(absl::Span<const uint8_t> restarted) override {
    CADRE_RETURN_IF_ERROR(Check(api_.reset(envs_, restarted.data(), &batch_), "reset"));
    return CheckObservations(*this, restarted);
  }
  absl::Status SetState(int64_t index, absl::Span<const double> state) override {
    if (api_.set_state == nullptr) return VectorEnvironment::SetState(index, state);
    return Check(api_.set_state(envs_, index, state.data(), state.size(), &batch_), "set_state");
  }

  ShownBlocks observations() const override { return observations_.blocks(); }
  ShownBlocks final_observations() const override { return final_observations_.blocks(); }
  absl::Span<const float> rewards() const override { return rewards_; }
  absl::Span<const uint8_t> terminated() const override { return terminated_; }
  absl::Span<const uint8_t> truncated() const override { return truncated_; }

 private:
  void ClearSteps() {
    std::fill(rewards_.begin(), rewards_.end(), 0.0f);
    std::fill(terminated_.begin(), terminated_.end(), 0);
    std::fill(truncated_.begin(), truncated_.end(), 0);
  }
  absl::Status Check(int32_t result, const char* function) {
    if (result == 0) return absl::OkStatus();
    return absl::InternalError(absl::StrCat("environment '", spec_.id, "': ", function,
                                            " returned ", result, ": ",
                                            Text(api_.last_error(envs_))));
  }

  const CadreEnvApi& api_;
  const EnvironmentSpec spec_;
  void* const envs_;
  bool started_ = false;
  const std::vector<uint8_t> all_;  // [N] ones
  std::vector<uint8_t> ended_;      // [N]

  ObservationBlocks observations_, final_observations_;
  std::vector<float> rewards_;                   // [N]
  std::vector<uint8_t> terminated_, truncated_;  // [N]
  std::vector<void*> places_;                    // Of the observations' blocks.
  CadreEnvBatch batch_ = {};
};

}  // namespace

absl::StatusOr<EnvironmentSpec> FindPlugin(const PluginConfig& config) {
  CADRE_ASSIGN_OR_RETURN(Plugin plugin, Load(config));
  return std::move(plugin.spec);
}

absl::StatusOr<std::unique_ptr<VectorEnvironment>> MakePlugin(const PluginConfig& config,
                                                              int64_t count) {
  CADRE_ASSIGN_OR_RETURN(const Plugin plugin, Load(config));
  std::vector<CadreEnvOption> options;
  for (const auto& [key, value] : config.options()) options.push_back({key.c_str(), value.c_str()});
  std::sort(options.begin(), options.end(), [](const CadreEnvOption& a, const CadreEnvOption& b) {
    return std::string(a.key) < b.key;
  });
  void* const envs =
      plugin.api->create(plugin.index, count, options.data(), static_cast<int32_t>(options.size()));
  if (envs == nullptr)
    return absl::InvalidArgumentError(
        absl::StrCat("environment '", plugin.spec.id, "' in '", config.path(),
                     "' was not created: ", Text(plugin.api->last_error(nullptr))));
  // A plugin may cut episodes itself, but its time limit is counted here.
  std::unique_ptr<VectorEnvironment> environment =
      std::make_unique<PluginEnvironment>(plugin, envs, count);
  const int64_t limit = plugin.spec.max_episode_steps;
  return limit > 0 ? LimitTime(std::move(environment), limit) : std::move(environment);
}

}  // namespace cadre
