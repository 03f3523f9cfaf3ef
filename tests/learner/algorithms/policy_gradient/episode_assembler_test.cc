#include "learner/algorithms/policy_gradient/episode_assembler.h"

#include <map>
#include <numeric>
#include <utility>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "learner/algorithms/device/tensor_spans.h"
#include "tests/learner/algorithms/example_episodes.h"

namespace cadre {
namespace {

using testing::ElementsAre;

std::vector<float> Values(const torch::Tensor& tensor) {
  const auto flat = Flat(tensor);
  return {flat.begin(), flat.end()};
}

SegmentOrigin At(uint64_t sequence, int32_t environment = 0, uint64_t writer = 7) {
  return {.actor = 0, .environment = environment, .writer_id = writer, .sequence = sequence};
}

TEST(EpisodeAssemblerTest, AnEpisodeThatEndsWithinItsSegmentIsThereAtOnce) {
  EpisodeAssembler assembler;
  const OnPolicyBatch out = assembler.Add(
      SegmentsBatch({{.length = 3, .end = kTerminated, .first_reward = 10, .origin = At(1)}}));
  EXPECT_EQ(out.steps(), 3);
  EXPECT_THAT(Values(out.rewards), ElementsAre(10, 11, 12));
  EXPECT_THAT(Values(out.observations.only().select(1, 0).contiguous()),
              ElementsAre(10, 11, 12, 13));
  EXPECT_TRUE(out.segments[0].terminated);
  EXPECT_EQ(assembler.waiting_steps(), 0);
}

TEST(EpisodeAssemblerTest, WhatIsCutWaitsForTheRestOfItsEpisode) {
  EpisodeAssembler assembler;
  const OnPolicyBatch none = assembler.Add(
      SegmentsBatch({{.length = 2, .end = kCut, .first_reward = 10, .origin = At(1, 0)},
                     {.length = 2, .end = kCut, .first_reward = 50, .origin = At(1, 1)}}));
  EXPECT_TRUE(none.segments.empty());
  EXPECT_EQ(none.steps(), 0);
  EXPECT_EQ(none.observations.only().sizes(), (std::vector<int64_t>{0, 2}));
  EXPECT_EQ(none.observation_rows.size(0), 0);
  EXPECT_EQ(assembler.waiting_steps(), 4);
  const OnPolicyBatch out = assembler.Add(
      SegmentsBatch({{.length = 2, .end = kCut, .first_reward = 12, .origin = At(2, 0)},
                     {.length = 1, .end = kTruncated, .first_reward = 52, .origin = At(2, 1)},
                     {.length = 1, .end = kCut, .first_reward = 90, .origin = At(2, 1)}}));
  ASSERT_EQ(out.segments.size(), 1);
  EXPECT_THAT(Values(out.rewards), ElementsAre(50, 51, 52));
  EXPECT_THAT(Values(out.observations.only().select(1, 0).contiguous()),
              ElementsAre(50, 51, 52, 53));
  EXPECT_FALSE(out.segments[0].terminated);
  EXPECT_EQ(out.segments[0].length, 3);
  EXPECT_EQ(assembler.waiting_steps(), 5);
}

TEST(EpisodeAssemblerTest, EachStepKeepsTheProbabilityAndTheVersionThatItWasActedWith) {
  EpisodeAssembler assembler;
  assembler.Add(SegmentsBatch({{.length = 2, .end = kCut, .first_reward = 10, .origin = At(4)}}));
  assembler.Add(SegmentsBatch({{.length = 1, .end = kCut, .first_reward = 12, .origin = At(5)}}));
  const OnPolicyBatch out = assembler.Add(
      SegmentsBatch({{.length = 2, .end = kTerminated, .first_reward = 13, .origin = At(6)}}));
  EXPECT_TRUE(torch::equal(out.versions, torch::tensor({4, 4, 5, 6, 6}, torch::kInt64)));
  EXPECT_THAT(Values(out.log_probs), ElementsAre(-0.010f, -0.011f, -0.012f, -0.013f, -0.014f));
}

TEST(EpisodeAssemblerTest, ABeginningWhoseRestWasLostIsDroppedAndCounted) {
  for (const SegmentOrigin& next : {At(3), At(2, 0, /*writer=*/8), At(1, 0, /*writer=*/8)}) {
    EpisodeAssembler assembler;
    assembler.Add(SegmentsBatch({{.length = 2, .end = kCut, .first_reward = 10, .origin = At(1)}}));
    const OnPolicyBatch out = assembler.Add(
        SegmentsBatch({{.length = 2, .end = kTerminated, .first_reward = 20, .origin = next}}));
    EXPECT_THAT(Values(out.rewards), ElementsAre(20, 21));
    EXPECT_EQ(assembler.dropped_steps(), 2);
    EXPECT_EQ(assembler.waiting_steps(), 0);
  }
}

TEST(EpisodeAssemblerTest, EveryEpisodeComesOutWholeOnceHoweverItWasCut) {
  Random random(5);
  for (const int64_t length : {1, 3, 7, 20}) {
    ExampleEpisodes world(/*actors=*/2, /*environments=*/3);
    EpisodeAssembler assembler;
    std::vector<std::vector<float>> got;
    for (int rollout = 0; rollout < 40; ++rollout) {
      const OnPolicyBatch out = assembler.Add(world.NextBatch(length, random));
      for (size_t i = 0; i < out.segments.size(); ++i) {
        const SegmentBounds& episode = out.segments[i];
        const auto of_episode = [&](const torch::Tensor& all) {
          return Values(all.narrow(0, episode.first_step, episode.length).contiguous());
        };
        got.push_back(of_episode(out.rewards));
        EXPECT_EQ(of_episode(out.observations.only()
                                 .index_select(0, out.observation_rows)
                                 .select(1, 0)
                                 .contiguous()),
                  got.back());
        EXPECT_EQ(of_episode(out.actions.to(torch::kFloat32)), got.back());
        const int64_t last = episode.first_step + static_cast<int64_t>(i) + episode.length;
        EXPECT_EQ(out.observations.only()[last][0].item<float>(), got.back().back() + 1);
      }
    }
    EXPECT_THAT(got, testing::UnorderedElementsAreArray(world.finished()));
    EXPECT_GT(got.size(), 5);
    EXPECT_EQ(assembler.waiting_steps(), world.running_steps());
    EXPECT_EQ(assembler.dropped_steps(), 0);
  }
}

TEST(EpisodeAssemblerTest, WhatWaitsIsSavedAndRestored) {
  Random random(6);
  ExampleEpisodes world(2, 3);
  EpisodeAssembler assembler, restored;
  for (int rollout = 0; rollout < 5; ++rollout) assembler.Add(world.NextBatch(3, random));
  ASSERT_GT(assembler.waiting_steps(), 0);
  TensorMap state;
  assembler.Save(state);
  ASSERT_TRUE(restored.Restore(state).ok());
  EXPECT_EQ(restored.waiting_steps(), assembler.waiting_steps());
  for (int rollout = 0; rollout < 10; ++rollout) {
    const OnPolicyBatch batch = world.NextBatch(3, random);
    const OnPolicyBatch a = assembler.Add(batch), b = restored.Add(batch);
    ASSERT_EQ(a.segments.size(), b.segments.size());
    EXPECT_TRUE(torch::equal(a.observations.only(), b.observations.only()));
    EXPECT_TRUE(torch::equal(a.actions, b.actions));
    EXPECT_TRUE(torch::equal(a.rewards, b.rewards));
    EXPECT_TRUE(torch::equal(a.log_probs, b.log_probs));
    EXPECT_TRUE(torch::equal(a.versions, b.versions));
  }
}

TEST(EpisodeAssemblerTest, ACheckpointThatLacksSomethingIsRefused) {
  EpisodeAssembler assembler;
  assembler.Add(SegmentsBatch({{.length = 2, .end = kCut, .first_reward = 1, .origin = At(1)}}));
  TensorMap state;
  assembler.Save(state);
  EXPECT_TRUE(absl::IsDataLoss(EpisodeAssembler().Restore(TensorMap())));
  for (const NamedTensor& left_out : state.tensors()) {
    TensorMap rest;
    for (const NamedTensor& tensor : state.tensors())
      if (tensor.name != left_out.name) rest.Add(tensor);
    if (left_out.name == "episodes.log_probs") continue;  // See below.
    EXPECT_TRUE(absl::IsDataLoss(EpisodeAssembler().Restore(rest))) << left_out.name;
  }
}

TEST(EpisodeAssemblerTest, AnOlderCheckpointWithoutProbabilitiesLosesItsBeginnings) {
  EpisodeAssembler assembler;
  assembler.Add(SegmentsBatch({{.length = 2, .end = kCut, .first_reward = 1, .origin = At(1)}}));
  TensorMap state, old;
  assembler.Save(state);
  for (const NamedTensor& tensor : state.tensors())
    if (tensor.name != "episodes.log_probs" && tensor.name != "episodes.versions") old.Add(tensor);
  EpisodeAssembler restored;
  ASSERT_TRUE(restored.Restore(old).ok());
  EXPECT_EQ(restored.dropped_steps(), 2);
}

// A second column of bytes, and a mask: both follow the observations' numbers.
OnPolicyBatch WithMoreColumns(OnPolicyBatch batch) {
  const torch::Tensor numbers = batch.observations.only().select(1, 0).to(torch::kUInt8);
  batch.observations.columns.push_back(numbers.view({-1, 1, 1}).contiguous());
  batch.observations.mask = (numbers + 1).view({-1, 1}).contiguous();
  return batch;
}

TEST(EpisodeAssemblerTest, EveryColumnAndTheMaskWaitWithTheirSteps) {
  EpisodeAssembler first;
  EXPECT_EQ(first
                .Add(WithMoreColumns(SegmentsBatch(
                    {{.length = 2, .end = kCut, .first_reward = 10, .origin = At(1)}})))
                .steps(),
            0);
  TensorMap state;
  first.Save(state);
  EpisodeAssembler restored;
  ASSERT_TRUE(restored.Restore(state).ok());
  for (EpisodeAssembler* assembler : {&first, &restored}) {
    const OnPolicyBatch out = assembler->Add(WithMoreColumns(
        SegmentsBatch({{.length = 2, .end = kTerminated, .first_reward = 12, .origin = At(2)}})));
    ASSERT_EQ(out.observations.columns.size(), 2);
    EXPECT_EQ(out.observations.columns[1].sizes(), (std::vector<int64_t>{5, 1, 1}));
    for (int64_t row = 0; row < 5; ++row) {
      EXPECT_EQ(out.observations.columns[0][row][0].item<float>(), 10 + row);
      EXPECT_EQ(out.observations.columns[1][row].item<uint8_t>(), 10 + row);
      EXPECT_EQ(out.observations.mask[row].item<uint8_t>(), 11 + row);
    }
  }
}

}  // namespace
}  // namespace cadre
