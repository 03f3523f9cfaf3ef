// The probes: what is best pays what is promised, and nothing else does.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <memory>
#include <vector>

#include "common/tensor_view.h"
#include "envs/probe/masked_corridor.h"
#include "envs/probe/match.h"
#include "envs/registry.h"

namespace cadre {
namespace {

constexpr int64_t kEpisodes = 2000;

// The mean return of one episode in each environment, with the actions that `choose` makes
// of what one of them shows.
template <typename Choose>
double MeanReturn(const std::string& id, const Choose& choose) {
  auto environments = *MakeVectorEnvironment(id, kEpisodes);
  EXPECT_TRUE(environments->Reset(1).ok());
  const ActionSpace action = environments->spec().action;
  std::vector<bool> over(kEpisodes, false);
  double sum = 0;
  for (int step = 0; step < 20; ++step) {
    std::vector<int32_t> actions;
    for (int64_t i = 0; i < kEpisodes; ++i) {
      std::vector<absl::Span<const std::byte>> row;
      for (const auto& block : environments->observations()) {
        const size_t size = block.size() / kEpisodes;
        row.push_back(block.subspan(i * size, size));
      }
      for (const int32_t choice : choose(row)) actions.push_back(choice);
    }
    EXPECT_TRUE(
        environments->Step({reinterpret_cast<const std::byte*>(actions.data()), actions.size() * 4})
            .ok());
    for (int64_t i = 0; i < kEpisodes; ++i) {
      if (over[i]) continue;
      sum += environments->rewards()[i];
      over[i] = environments->terminated()[i] || environments->truncated()[i];
    }
  }
  EXPECT_THAT(over, testing::Each(true));
  return sum / kEpisodes;
}

using Row = std::vector<absl::Span<const std::byte>>;
using Action = std::vector<int32_t>;

float FloatAt(absl::Span<const std::byte> column, size_t i) {
  float value;
  std::memcpy(&value, &column[4 * i], 4);
  return value;
}

TEST(MaskedCorridorTest, TheLastOpenDoorPaysMost) {
  const double mean = MeanReturn("MaskedCorridor-v0", [](const Row& row) {
    int32_t door = 3;
    while (row[1][door] == std::byte{0}) --door;
    return Action{door};
  });
  EXPECT_NEAR(mean, MaskedCorridor::kBestReturn, 0.3);  // Of a deviation of 2.9 / sqrt(2000).
  EXPECT_NEAR(MaskedCorridor::kBestReturn, 22.67, 0.01);
}

TEST(MaskedCorridorTest, AClosedDoorEndsTheEpisodeWithAPenalty) {
  MaskedCorridor corridor;
  Random random(3);
  std::vector<std::byte> room(4), doors(4);
  int closed = 0;
  for (int i = 0; i < 100; ++i) {
    corridor.Reset(random, {absl::MakeSpan(room), absl::MakeSpan(doors)});
    const int32_t door = i % 4;
    const bool open = doors[door] != std::byte{0};
    const StepResult result = corridor.Step({reinterpret_cast<const std::byte*>(&door), 4}, random,
                                            {absl::MakeSpan(room), absl::MakeSpan(doors)});
    EXPECT_EQ(result.terminated, !open);
    EXPECT_EQ(result.reward, open ? door : -MaskedCorridor::kPenalty);
    EXPECT_FLOAT_EQ(FloatAt(room, 0), open ? 0.1f : 0.0f);
    closed += !open;
  }
  EXPECT_GT(closed, 20);
}

TEST(MatchTest, NamingTheTargetPaysTheMost) {
  EXPECT_EQ(MeanReturn("MultiDiscreteMatch-v0",
                       [](const Row& row) {
                         Action action;
                         size_t first = 0;
                         for (const size_t count : {3, 4, 2}) {
                           int32_t choice = 0;
                           while (FloatAt(row[0], first + choice) == 0) ++choice;
                           action.push_back(choice);
                           first += count;
                         }
                         return action;
                       }),
            30);
  EXPECT_EQ(MeanReturn("MultiBinaryMatch-v0",
                       [](const Row& row) {
                         Action action;
                         for (size_t bit = 0; bit < 5; ++bit)
                           action.push_back(static_cast<int32_t>(FloatAt(row[0], bit)));
                         return action;
                       }),
            50);
  // The first row of the image: dark, dark, bright, bright where the right half is bright.
  const auto right = [](const Row& row) { return row[0][3] > row[0][0] ? 1 : 0; };
  EXPECT_EQ(MeanReturn("DictionaryMatch-v0",
                       [&](const Row& row) {
                         return Action{right(row) + (FloatAt(row[1], 0) > 0 ? 2 : 0)};
                       }),
            10);
  EXPECT_NEAR(MeanReturn("DictionaryMatch-v0", [&](const Row& row) { return Action{right(row)}; }),
              5, 0.2);
}

TEST(MatchTest, ChoicesThatDoNotExistAreRefused) {
  auto environments = *MakeVectorEnvironment("MultiDiscreteMatch-v0", 2);
  ASSERT_TRUE(environments->Reset(1).ok());
  const std::vector<int32_t> actions = {2, 3, 1, 0, 4, 0};
  EXPECT_EQ(
      environments->Step({reinterpret_cast<const std::byte*>(actions.data()), actions.size() * 4})
          .message(),
      "environment 1: action 1 is 4; wanted 0 to 3");
}

}  // namespace
}  // namespace cadre
