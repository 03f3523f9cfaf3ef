// The whole outside of an actor, on one thread: both of its ports, with parameters that
// a test publishes and rollouts that it looks at. What would block for ever is CANCELLED.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/check.h"
#include "common/ports.h"
#include "envs/registry.h"
#include "policy/acting/acting_policy.h"
#include "tests/policy/example_networks.h"

namespace cadre {

class FakeRun final : public ParameterSource, public ExperienceSink {
 public:
  // Its parameters are those of the policy of `config`.
  explicit FakeRun(const ExperimentConfig& config) {
    const auto environment = FindEnvironment(config.environment().id());
    CADRE_CHECK(environment.ok());
    const auto policy = MakeActingPolicy(config, environment->observation, environment->action);
    CADRE_CHECK(policy.ok());
    layout = (*policy)->layout();
  }

  // Random parameters, other ones for each version.
  void Publish(int64_t version, int64_t env_steps = 0) {
    Random random(static_cast<uint64_t>(version));
    values[version] = RandomFloats(layout.size(), random, 0.5);
    auto parameters = std::make_shared<v1::Parameters>();
    parameters->set_model("acting");
    parameters->set_version(version);
    parameters->set_env_steps(env_steps);
    parameters->set_values(values[version].data(), values[version].size() * sizeof(float));
    parameters->set_layout_fingerprint(layout.fingerprint());
    newest = std::move(parameters);
  }

  ParametersPtr Newest() override {
    ++asked_newest;
    if (before_newest) before_newest(asked_newest);
    return newest;
  }
  absl::StatusOr<ParametersPtr> WaitNewer(int64_t version, absl::Duration) override {
    waited_for.push_back(version);
    if (state == v1::RUN_STATE_FINISHED) return absl::FailedPreconditionError("FINISHED");
    if (newest == nullptr || newest->version() <= version)
      return absl::CancelledError("would wait for ever");
    return newest;
  }
  v1::RunState run_state() override { return state; }

  absl::Status Append(v1::Rollout rollout) override {
    rollouts.push_back(std::move(rollout));
    if (rollouts.size() > 100) return absl::ResourceExhaustedError("it never ends");
    return after_append ? after_append() : absl::OkStatus();
  }
  void Close() override {}

  ParameterLayout layout;
  std::map<int64_t, std::vector<float>> values;  // By version.
  ParametersPtr newest;
  v1::RunState state = v1::RUN_STATE_RUNNING;
  std::vector<int64_t> waited_for;
  int asked_newest = 0;
  std::vector<v1::Rollout> rollouts;
  std::function<absl::Status()> after_append;
  std::function<void(int)> before_newest;
};

}  // namespace cadre
