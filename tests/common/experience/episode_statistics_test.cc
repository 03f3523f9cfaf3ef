#include "common/experience/episode_statistics.h"

#include <cmath>
#include <vector>

#include "gtest/gtest.h"

namespace cadre {
namespace {

TEST(EpisodeStatisticsTest, NothingIsKnownBeforeTheFirstEpisode) {
  const EpisodeStatistics statistics;
  EXPECT_TRUE(std::isnan(statistics.mean_return()));
  EXPECT_TRUE(std::isnan(statistics.mean_length()));
  EXPECT_EQ(statistics.episodes(), 0);
}

TEST(EpisodeStatisticsTest, AveragesTheLast100) {
  EpisodeStatistics statistics;
  statistics.Add(1.0, 10);
  statistics.Add(2.0, 30);
  EXPECT_EQ(statistics.mean_return(), 1.5);
  EXPECT_EQ(statistics.mean_length(), 20);
  for (int i = 1; i <= 250; ++i) statistics.Add(i, 2 * i);
  EXPECT_EQ(statistics.episodes(), 252);
  EXPECT_EQ(statistics.mean_return(), (151 + 250) / 2.0);
  EXPECT_EQ(statistics.mean_length(), 151 + 250);
}

TEST(EpisodeStatisticsTest, GoesOnAfterRestoreAsIfNothingHadHappened) {
  EpisodeStatistics whole;
  for (int i = 0; i < 130; ++i) whole.Add(0.1 * i, i);
  EpisodeStatistics resumed;
  ASSERT_TRUE(resumed.Restore(whole.Save()).ok());
  for (int i = 0; i < 7; ++i) {
    EXPECT_EQ(resumed.mean_return(), whole.mean_return());
    EXPECT_EQ(resumed.mean_length(), whole.mean_length());
    EXPECT_EQ(resumed.episodes(), whole.episodes());
    whole.Add(1.0 / 3 + i, i);
    resumed.Add(1.0 / 3 + i, i);
  }
  EpisodeStatistics empty;
  ASSERT_TRUE(resumed.Restore(empty.Save()).ok());
  EXPECT_EQ(resumed.episodes(), 0);
  EXPECT_TRUE(std::isnan(resumed.mean_return()));
}

TEST(EpisodeStatisticsTest, RefusesWhatItCannotHaveSaved) {
  EpisodeStatistics statistics;
  statistics.Add(5, 6);
  const std::vector<double> bad[] = {
      {},
      {1},          // One episode, empty window.
      {1, 5},       // A return without its length.
      {0, 5, 6},    // More in the window than there were.
      {1.5, 5, 6},  // Half an episode.
      {1, 5, -6},   // A negative length.
      {std::nan(""), 5, 6},
      std::vector<double>(203, 101),  // A window of 101.
  };
  for (const std::vector<double>& saved : bad) {
    EXPECT_EQ(statistics.Restore(saved).code(), absl::StatusCode::kDataLoss);
    EXPECT_EQ(statistics.mean_return(), 5) << "changed by an error";
  }
}

}  // namespace
}  // namespace cadre
