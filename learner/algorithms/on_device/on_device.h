// The algorithms on other devices than the CPU: everything in tensor operations there,
// updates without waiting for the device, fixed-shape work as a CUDA graph. They learn
// what their twins on the CPU learn, up to rounding, and read each other's checkpoints.
// Each also runs on the CPU, for tests.
#pragma once

#include <memory>

#include "absl/status/statusor.h"
#include "common/random.h"
#include "learner/algorithms/algorithm.h"
#include "learner/algorithms/off_policy.h"
#include "learner/algorithms/on_device/device_options.h"
#include "policy/actor_critic.h"
#include "proto/config.pb.h"

namespace cadre {

// The config's algorithm; UNIMPLEMENTED where it has no twin for devices. `model` as
// MakeTensorActorCritic makes it, with its initial parameters.
absl::StatusOr<std::unique_ptr<OnPolicyAlgorithm>> MakeOnPolicyOnDevice(
    const ExperimentConfig& config, std::unique_ptr<ActorCritic> model, Random random,
    const DeviceOptions& options);
// With initial parameters drawn from `random`, the same as on the CPU.
absl::StatusOr<std::unique_ptr<OffPolicyAlgorithm>> MakeOffPolicyOnDevice(
    const ExperimentConfig& config, const ObservationSpace& observation, const ActionSpace& action,
    Random random, const DeviceOptions& options);

// Diagnostics as those of ppo.h. The batch's rewards may be on the CPU, the rest is on the
// device. Where the KL bound may end an update each minibatch is waited for, as where a
// collective waits for the device.
std::unique_ptr<OnPolicyAlgorithm> MakePpoOnDevice(const PpoConfig& config,
                                                   std::unique_ptr<ActorCritic> model,
                                                   Random random, const DeviceOptions& options);

// As dqn.h, sac.h (continuous actions), td3.h and ddpg.h say. Priorities, where wanted, are
// waited for.
absl::StatusOr<std::unique_ptr<OffPolicyAlgorithm>> MakeDqnOnDevice(
    const DqnConfig& config, const ModelConfig& model, const ObservationSpace& observation,
    const ActionSpace& action, Random random, const DeviceOptions& options);
absl::StatusOr<std::unique_ptr<OffPolicyAlgorithm>> MakeSacOnDevice(
    const SacConfig& config, const ModelConfig& model, const ObservationSpace& observation,
    const ActionSpace& action, Random random, const DeviceOptions& options);
absl::StatusOr<std::unique_ptr<OffPolicyAlgorithm>> MakeTd3OnDevice(
    const Td3Config& config, const ModelConfig& model, const ObservationSpace& observation,
    const ActionSpace& action, Random random, const DeviceOptions& options);
absl::StatusOr<std::unique_ptr<OffPolicyAlgorithm>> MakeDdpgOnDevice(
    const DdpgConfig& config, const ModelConfig& model, const ObservationSpace& observation,
    const ActionSpace& action, Random random, const DeviceOptions& options);

}  // namespace cadre
