// What the tests of NPG and TRPO share.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "gtest/gtest.h"
#include "learner/algorithms/algorithm.h"
#include "learner/algorithms/trust_region/surrogate.h"
#include "tests/learner/algorithms/example_batch.h"

namespace cadre {

inline const std::vector<ActionSpace>& BothKindsOfActions() {
  static const std::vector<ActionSpace> actions = {DiscreteActions(3), ContinuousActions(2)};
  return actions;
}

inline std::unique_ptr<ActorCritic> TrustRegionModel(const ActionSpace& action, uint64_t seed = 1) {
  return WithParameters(OnKernels(ExampleNetwork(MlpModelConfig({9}), 4, action)), seed);
}

inline std::map<std::string, double> UpdateOnce(OnPolicyAlgorithm& algorithm,
                                                const OnPolicyBatch& batch) {
  const Diagnostics diagnostics = algorithm.Update(batch, 0).value();
  return {diagnostics.begin(), diagnostics.end()};
}

// The policy at the batch's steps, in float64, to be kept.
inline Heads PolicyOf(OnPolicyAlgorithm& algorithm, const OnPolicyBatch& batch) {
  return InDouble(
      algorithm.model().Forward(batch.observations.only().index_select(0, batch.observation_rows)));
}

// Three updates on batches that depend on the seed alone.
inline void TrainThrice(OnPolicyAlgorithm& algorithm, uint64_t seed) {
  auto behaviour = WithParameters(OnKernels(algorithm.model().network()));
  Random random(seed);
  for (int i = 0; i < 3; ++i)
    ASSERT_TRUE(algorithm.Update(ExampleBatch(*behaviour, {5, 8, 11}, random), 0).ok());
}

// `make` makes the algorithm from a seed.
template <typename Make>
void ExpectToGoOnFromSavedState(const Make& make) {
  const std::unique_ptr<OnPolicyAlgorithm> algorithm = make(1);
  TrainThrice(*algorithm, 2);
  TensorMap state;
  algorithm->Save(state);
  const std::unique_ptr<OnPolicyAlgorithm> restored = make(99);
  ASSERT_TRUE(restored->Restore(state).ok());
  restored->model().parameters().copy_(algorithm->model().parameters());
  restored->model().ParametersChanged();
  TrainThrice(*algorithm, 5);
  TrainThrice(*restored, 5);
  EXPECT_TRUE(torch::equal(algorithm->model().parameters(), restored->model().parameters()));

  const std::unique_ptr<OnPolicyAlgorithm> other = make(99);  // Without the state.
  other->model().parameters().copy_(algorithm->model().parameters());
  other->model().ParametersChanged();
  TrainThrice(*algorithm, 5);
  TrainThrice(*other, 5);
  EXPECT_FALSE(torch::equal(algorithm->model().parameters(), other->model().parameters()));

  for (const NamedTensor& missing : state.tensors()) {
    TensorMap rest;
    for (const NamedTensor& tensor : state.tensors())
      if (tensor.name != missing.name) rest.Add(tensor);
    const absl::Status status = restored->Restore(rest);
    EXPECT_EQ(status.code(), absl::StatusCode::kDataLoss) << missing.name;
    EXPECT_NE(status.message().find(missing.name), std::string::npos) << status;
  }
}

}  // namespace cadre
