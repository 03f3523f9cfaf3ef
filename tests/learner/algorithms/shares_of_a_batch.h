// For tests of N learners, each with a share of a batch, against one with all of it: on the
// CPU, or on the device that the algorithm's parameters are on.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "gtest/gtest.h"
#include "learner/algorithms/algorithm.h"
#include "tests/learner/algorithms/example_batch.h"
#include "tests/learner/parallel/learner_group.h"

namespace cadre {

constexpr double kTolerance = 1e-5;
inline const std::vector<int64_t> kLengths = {6, 6, 6, 6};
inline const std::vector<int64_t> kUnequalLengths = {2, 5, 3, 9};

using Make = std::function<std::unique_ptr<OnPolicyAlgorithm>()>;

// `count` segments of a batch from the `first`-th on.
inline OnPolicyBatch SegmentsOf(const OnPolicyBatch& batch, int64_t first, int64_t count) {
  const int64_t step = batch.segments[first].first_step;
  const int64_t row = step + first;
  OnPolicyBatch part;
  int64_t steps = 0;
  for (int64_t s = first; s < first + count; ++s) {
    part.segments.push_back(batch.segments[s]);
    part.segments.back().first_step = steps;
    steps += batch.segments[s].length;
  }
  part.observations = batch.observations.only().narrow(0, row, steps + count).clone();
  part.observation_rows = batch.observation_rows.narrow(0, step, steps) - row;
  part.actions = batch.actions.narrow(0, step, steps).clone();
  part.rewards = batch.rewards.narrow(0, step, steps).clone();
  part.log_probs = batch.log_probs.narrow(0, step, steps).clone();
  return part;
}

// What an algorithm on this device takes; rewards stay on the CPU.
inline OnPolicyBatch OnDevice(OnPolicyBatch batch, torch::Device device) {
  batch.observations = ObservationsOn(device, batch.observations);
  for (torch::Tensor* const column : {&batch.observation_rows, &batch.actions, &batch.log_probs})
    *column = column->to(device);
  return batch;
}

struct Outcome {
  torch::Tensor parameters;                                // On the CPU.
  std::vector<std::map<std::string, double>> diagnostics;  // Of each update.
};

// Three updates. `part` makes a learner's share of each batch.
inline Outcome Train(OnPolicyAlgorithm& algorithm,
                     const std::function<OnPolicyBatch(const OnPolicyBatch&)>& part,
                     const std::vector<int64_t>& lengths = kLengths) {
  const torch::Device device = algorithm.model().parameters().device();
  auto behaviour = WithParameters(OnKernels(algorithm.model().network()));
  Random random(2);
  Outcome outcome;
  for (int i = 0; i < 3; ++i) {
    const OnPolicyBatch batch = ExampleBatch(*behaviour, lengths, random);
    const auto diagnostics = algorithm.Update(OnDevice(part(batch), device), 0.1 * i);
    EXPECT_TRUE(diagnostics.ok()) << diagnostics.status();
    if (!diagnostics.ok()) break;
    outcome.diagnostics.emplace_back(diagnostics->begin(), diagnostics->end());
  }
  outcome.parameters = algorithm.model().parameters().cpu().clone();
  return outcome;
}

inline std::vector<Outcome> TrainTogether(const Make& make, int learners,
                                          const std::vector<int64_t>& lengths) {
  std::vector<Outcome> outcomes(learners);
  RunLearners(learners, [&](Collective& collective) {
    const auto algorithm = make();
    algorithm->set_collective(&collective);
    const int64_t count = static_cast<int64_t>(kLengths.size()) / learners;
    const auto part = [&](const OnPolicyBatch& batch) {
      return SegmentsOf(batch, collective.rank() * count, count);
    };
    outcomes[collective.rank()] = Train(*algorithm, part, lengths);
  });
  return outcomes;
}

// `means`: diagnostics that are the mean over shares, not what the whole batch has.
inline void ExpectLikeOneLearner(const Make& make, const std::vector<std::string>& means = {},
                                 const std::vector<int64_t>& lengths = kLengths) {
  const Outcome one = Train(
      *make(), [](const OnPolicyBatch& batch) { return batch; }, lengths);
  const torch::Tensor before = make()->model().parameters().cpu();
  ASSERT_GT((one.parameters - before).abs().max().item<double>(), 1e-3) << "nothing was learned";
  for (const int learners : {2, 4}) {
    const std::vector<Outcome> all = TrainTogether(make, learners, lengths);
    for (const Outcome& outcome : all) {
      EXPECT_TRUE(torch::equal(outcome.parameters, all[0].parameters)) << "not the same bits";
      EXPECT_EQ(outcome.diagnostics, all[0].diagnostics);
    }
    EXPECT_LE((all[0].parameters - one.parameters).abs().max().item<double>(), kTolerance)
        << learners << " learners";
    for (size_t i = 0; i < one.diagnostics.size(); ++i) {
      for (const auto& [name, value] : one.diagnostics[i]) {
        if (std::find(means.begin(), means.end(), name) != means.end()) continue;
        EXPECT_NEAR(all[0].diagnostics[i].at(name), value, kTolerance * (1 + std::abs(value)))
            << name << " of " << learners << " learners";
      }
    }
  }
}

inline ActorCriticNetwork ExamplePolicy(const ActionSpace& action) {
  return ExampleNetwork(MlpModelConfig({9}), 4, action);
}

}  // namespace cadre
