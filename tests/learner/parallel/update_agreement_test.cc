#include "learner/parallel/update_agreement.h"

#include <numeric>
#include <vector>

#include "gtest/gtest.h"
#include "tests/learner/parallel/learner_group.h"
#include "tests/policy/example_networks.h"

namespace cadre {
namespace {

v1::Episode EpisodeOf(double reward, int64_t length) {
  v1::Episode episode;
  episode.set_total_reward(reward);
  episode.set_length(length);
  return episode;
}

TEST(UpdateAgreementTest, SharesAddUpAndEpisodesComeInTheOrderOfRanks) {
  RunLearners(3, [](Collective& learner) {
    UpdateShare mine{.steps = 10 + learner.rank(),
                     .version_lag = 3 - learner.rank(),
                     .inserted_steps = 100 + learner.rank(),
                     .table_items = 50 - learner.rank(),
                     .largest_weight = learner.rank() == 1 ? 4.5 : 0.25};
    // None of the first, one of the second, two of the third.
    for (int i = 0; i < learner.rank(); ++i)
      mine.episodes.push_back(EpisodeOf(10 * learner.rank() + i, learner.rank()));
    const auto all = CombineShares(&learner, mine);
    ASSERT_TRUE(all.ok()) << all.status();
    EXPECT_TRUE(all->go_on);
    EXPECT_TRUE(all->usable);
    EXPECT_EQ(all->steps, 33);
    EXPECT_EQ(all->version_lag, 3);
    EXPECT_EQ(all->inserted_steps, 100) << "what all of them know of";
    EXPECT_EQ(all->table_items, 48);
    EXPECT_EQ(all->largest_weight, 4.5);
    ASSERT_EQ(all->episodes.size(), 3);
    const std::pair<double, int64_t> wanted[] = {{10, 1}, {20, 2}, {21, 2}};
    for (int i = 0; i < 3; ++i) {
      EXPECT_EQ(all->episodes[i].total_reward(), wanted[i].first);
      EXPECT_EQ(all->episodes[i].length(), wanted[i].second);
    }
  });
}

TEST(UpdateAgreementTest, OneThatStopsStopsAll) {
  RunLearners(2, [](Collective& learner) {
    UpdateShare mine{.go_on = learner.rank() == 0, .steps = 5};
    mine.episodes.resize(learner.rank() == 0 ? 1 : 0);
    const auto all = CombineShares(&learner, mine);
    ASSERT_TRUE(all.ok());
    EXPECT_FALSE(all->go_on);
    EXPECT_EQ(all->steps, 0);
  });
}

TEST(UpdateAgreementTest, WithoutAUsableItemOfOneNobodyLearnsAndTheStepsCount) {
  for (const int rank : {0, 1, 2})
    RunLearners(3, [rank](Collective& learner) {
      const UpdateShare mine{.usable = learner.rank() != rank, .steps = 5};
      const auto all = CombineShares(&learner, mine);
      ASSERT_TRUE(all.ok()) << all.status();
      EXPECT_TRUE(all->go_on);
      EXPECT_FALSE(all->usable);
      EXPECT_EQ(all->steps, 15);
    });
}

TEST(UpdateAgreementTest, AloneAShareIsTheWhole) {
  const auto all =
      CombineShares(nullptr, {.steps = 5, .version_lag = 1, .episodes = {EpisodeOf(3, 4)}});
  ASSERT_TRUE(all.ok());
  EXPECT_EQ(all->steps, 5);
  EXPECT_EQ(all->version_lag, 1);
  EXPECT_EQ(all->episodes.size(), 1);
}

TEST(UpdateAgreementTest, GatheredMomentsAreThoseOfAllRows) {
  Random random(1);
  const std::vector<float> rows = RandomFloats(30 * 2, random, 2.0);
  RunningMoments wanted(2);
  wanted.Update(rows);
  RunLearners(3, [&](Collective& learner) {
    // 5, 10 and 15 rows.
    const size_t first[] = {0, 5, 15, 30};
    const size_t begin = 2 * first[learner.rank()], end = 2 * first[learner.rank() + 1];
    const auto all = GatherMoments(
        &learner, MomentsOf(absl::MakeConstSpan(rows).subspan(begin, end - begin), 2));
    ASSERT_TRUE(all.ok());
    ASSERT_EQ(all->size(), 3);
    RunningMoments got(2);
    for (const RowMoments& moments : *all) got.Merge(moments);
    EXPECT_EQ(got.count(), 30);
    for (int j = 0; j < 2; ++j) {
      EXPECT_NEAR(got.mean()[j], wanted.mean()[j], 1e-12);
      EXPECT_NEAR(got.variance()[j], wanted.variance()[j], 1e-12);
    }
  });
}

TEST(UpdateAgreementTest, LearnersThatComputeAlikeAgree) {
  for (const bool on_cpu : {false, true})
    RunLearners(3, [&](Collective& learner) { EXPECT_TRUE(AgreeOnKernels(learner, on_cpu).ok()); });
}

TEST(UpdateAgreementTest, OneThatComputesOtherwiseIsNamedByAll) {
  for (const bool first_on_cpu : {false, true})
    RunLearners(3, [&](Collective& learner) {
      const absl::Status status =
          AgreeOnKernels(learner, learner.rank() == 2 ? !first_on_cpu : first_on_cpu);
      EXPECT_EQ(status,
                absl::InvalidArgumentError(
                    first_on_cpu ? "--device: learner 2 computes on a device; wanted the CPU, as "
                                   "learner 0 does: all learners on the CPU, or all on devices"
                                 : "--device: learner 2 computes on the CPU; wanted a device, as "
                                   "learner 0 does: all learners on the CPU, or all on devices"));
    });
}

TEST(UpdateAgreementTest, AllGetTheCheckpointOfTheFirst) {
  RunLearners(2, [](Collective& learner) {
    Checkpoint mine;
    mine.manifest.set_env_steps(100 + learner.rank());
    mine.manifest.set_experiment(learner.rank() == 0 ? "first" : "a longer name");
    mine.parameters.Add<float>("weight", {2}, {1.0f + learner.rank(), 2.0f});
    mine.state.AddScalar<int64_t>("step", 7 + learner.rank());
    if (learner.rank() == 1) mine.state.AddScalar<int64_t>("more", 1);
    const auto all = CheckpointOfFirst(learner, mine);
    ASSERT_TRUE(all.ok()) << all.status();
    EXPECT_EQ(all->manifest.env_steps(), 100);
    EXPECT_EQ(all->manifest.experiment(), "first");
    EXPECT_EQ(all->state.ReadScalar<int64_t>("step").value(), 7);
    EXPECT_EQ(all->state.Find("more"), nullptr);
    std::vector<float> weight(2);
    ASSERT_TRUE(all->parameters.Read("weight", absl::MakeSpan(weight)).ok());
    EXPECT_EQ(weight, (std::vector<float>{1, 2}));
  });
}

}  // namespace
}  // namespace cadre
