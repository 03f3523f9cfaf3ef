// What the MinAtar games share, and their boards; the games themselves are held against the package
// by minatar_parity.py.
#include "envs/minatar/minatar.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <memory>

#include "envs/minatar/breakout.h"
#include "envs/registry.h"

namespace cadre {
namespace {

constexpr int kCells = kMinAtarSide * kMinAtarSide;

// One game that counts what it is asked to do.
class Recorder {
 public:
  static constexpr absl::string_view kName = "Recorder";
  static constexpr int kChannels = 1;
  static constexpr std::array kActions = {MinAtarAction::kNone, MinAtarAction::kFire};

  void Reset(Random&) {}
  StepResult Act(MinAtarAction action, Random&) { return {.reward = static_cast<double>(action)}; }
  void Show(MinAtarImage<kChannels>&) const {}
};

template <typename E>
double StepWith(E& environment, int32_t action, Random& random) {
  std::vector<std::byte> column(kCells);
  const absl::Span<std::byte> row[] = {absl::MakeSpan(column)};
  std::vector<std::byte> bytes(sizeof(action));
  std::memcpy(bytes.data(), &action, sizeof(action));
  return environment.Step(bytes, random, row).reward;
}

TEST(MinAtarTest, MinimalActionsAreNumberedFromZero) {
  MinAtar<Recorder, true> minimal;
  MinAtar<Recorder, false> whole;
  EXPECT_EQ(minimal.spec().action.counts[0], 2);
  EXPECT_EQ(whole.spec().action.counts[0], 6);
  EXPECT_EQ(minimal.spec().id, "MinAtar/Recorder-v1");
  EXPECT_EQ(whole.spec().id, "MinAtar/Recorder-v0");
  Random random(1);  // Its first numbers are above 0.1: nothing sticks.
  EXPECT_EQ(StepWith(minimal, 1, random), static_cast<double>(MinAtarAction::kFire));
  EXPECT_EQ(StepWith(whole, 3, random), static_cast<double>(MinAtarAction::kRight));
}

TEST(MinAtarTest, OneActionInTenIsTheLastOneAgain) {
  MinAtar<Recorder, true> environment;
  Random random(1);
  constexpr int kSteps = 20000;
  int stuck = 0;
  double last = 0;
  for (int step = 0; step < kSteps; ++step) {
    const int32_t action = step % 2;  // Never the same twice.
    const double wanted = action == 0 ? 0 : static_cast<double>(MinAtarAction::kFire);
    const double took = StepWith(environment, action, random);
    if (took != wanted) {
      ++stuck;
      EXPECT_EQ(took, last);
    }
    last = took;
  }
  // After a stuck step the next wish is the action that was just repeated, which cannot be told
  // from sticking: 0.1 / 1.1 of all steps.
  EXPECT_NEAR(stuck, kSteps * 0.1 / 1.1, 200);
}

TEST(MinAtarTest, ABoardIsShownCellByCell) {
  std::vector<std::byte> column(kCells * 2, std::byte{7});
  MinAtarImage<2> image(absl::MakeSpan(column));
  const MinAtarBoard board = CellAt(0, 0) | CellAt(6, 3) | CellAt(6, 4) | CellAt(9, 9);
  EXPECT_EQ(CountCells(board), 4);
  image.Set(1, board);
  for (int y = 0; y < kMinAtarSide; ++y)
    for (int x = 0; x < kMinAtarSide; ++x) {
      EXPECT_EQ(column[(y * kMinAtarSide + x) * 2], std::byte{0});
      EXPECT_EQ(column[(y * kMinAtarSide + x) * 2 + 1], std::byte{(board & CellAt(y, x)) != 0});
    }
}

TEST(MinAtarTest, AMissedBallEndsBreakoutAndABrokenBrickPays) {
  Breakout game;
  Random random(1);
  game.Reset(random);
  StepResult result;
  int steps = 0;
  for (; !result.terminated; ++steps) {  // The ball comes down on the other side.
    result = game.Act(MinAtarAction::kLeft, random);
    ASSERT_LT(steps, 20);
    EXPECT_EQ(result.reward, 0);
  }
  EXPECT_EQ(steps, 6);  // From row 3 to row 9.
}

}  // namespace
}  // namespace cadre
