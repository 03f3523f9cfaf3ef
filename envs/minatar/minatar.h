// The MinAtar games (Young and Tian 2019, "MinAtar: An Atari-Inspired Testbed for Thorough and
// Reproducible Reinforcement Learning Experiments", arXiv:1903.03176): Atari games on a board of
// 10 by 10 cells. Equal to the package's, version 1.0.15, which draws from its random numbers in
// the same order, with its default settings: sticky actions and growing difficulty.
//
// A game is a class of its own, with
//
//   static constexpr absl::string_view kName;               // "Breakout"
//   static constexpr int kChannels;
//   static constexpr std::array<MinAtarAction, n> kActions; // Those that matter in it.
//   void Reset(Random& random);
//   StepResult Act(MinAtarAction action, Random& random);
//   void Show(MinAtarImage<kChannels>& image) const;
//
// and MinAtar<Game, kMinimal> makes an environment of it, as the package does for Gymnasium:
// "MinAtar/Breakout-v0" takes all six actions, "MinAtar/Breakout-v1" those that matter.
#pragma once

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "common/check.h"
#include "envs/encoding.h"
#include "envs/environment.h"

namespace cadre {

inline constexpr int kMinAtarSide = 10;  // Cells of the board, in each direction.

// In the order of the package's action numbers.
enum class MinAtarAction : uint8_t { kNone, kLeft, kUp, kRight, kDown, kFire };

inline constexpr std::array kAllMinAtarActions = {MinAtarAction::kNone, MinAtarAction::kLeft,
                                                  MinAtarAction::kUp,   MinAtarAction::kRight,
                                                  MinAtarAction::kDown, MinAtarAction::kFire};

// A set of cells: bit 10 y + x is the cell in row y, counted from the top, and column x.
using MinAtarBoard = unsigned __int128;

constexpr MinAtarBoard CellAt(int y, int x) { return MinAtarBoard{1} << (y * kMinAtarSide + x); }

constexpr int CountCells(MinAtarBoard board) {
  return std::popcount(static_cast<uint64_t>(board)) +
         std::popcount(static_cast<uint64_t>(board >> 64));
}

// The cells of rows [top, bottom) and columns [left, right).
constexpr MinAtarBoard CellsOf(int top, int bottom, int left, int right) {
  MinAtarBoard board = 0;
  for (int y = top; y < bottom; ++y)
    for (int x = left; x < right; ++x) board |= CellAt(y, x);
  return board;
}

inline constexpr MinAtarBoard kWholeBoard = CellsOf(0, kMinAtarSide, 0, kMinAtarSide);

// An observation being written: uint8 [10, 10, kChannels], all 0 at first.
template <int kChannels>
class MinAtarImage {
 public:
  static constexpr size_t kBytes = kMinAtarSide * kMinAtarSide * kChannels;

  explicit MinAtarImage(absl::Span<std::byte> column) : cells_(column.data()) {
    CADRE_CHECK(column.size() == kBytes);
    std::memset(cells_, 0, kBytes);
  }

  void Set(int channel, int y, int x) {
    cells_[(y * kMinAtarSide + x) * kChannels + channel] = std::byte{1};
  }
  // Cells outside the board are left out.
  void SetIfInside(int channel, int y, int x) {
    if (x >= 0 && x < kMinAtarSide) Set(channel, y, x);
  }
  void Set(int channel, MinAtarBoard board) {
    SetHalf(channel, 0, static_cast<uint64_t>(board));
    SetHalf(channel, 64, static_cast<uint64_t>(board >> 64));
  }

 private:
  void SetHalf(int channel, int first, uint64_t bits) {
    for (; bits != 0; bits &= bits - 1)
      cells_[(first + std::countr_zero(bits)) * kChannels + channel] = std::byte{1};
  }

  std::byte* cells_;
};

template <typename Game, bool kMinimal>
class MinAtar final : public Environment {
 public:
  static const EnvironmentSpec& Spec();

  const EnvironmentSpec& spec() const override { return Spec(); }

  void Reset(Random& random, ObservationRow observation) override {
    game_.Reset(random);
    Show(observation);
  }

  // The last action, which outlasts an episode.
  void Forget() { last_ = MinAtarAction::kNone; }

  StepResult Step(absl::Span<const std::byte> action, Random& random,
                  ObservationRow observation) override {
    // Sticky actions (Machado et al. 2018, arXiv:1709.06009): sometimes the last one acts again.
    constexpr double kSticky = 0.1;
    if (random.Uniform() >= kSticky) last_ = kActions[DiscreteAction(action)];
    const StepResult result = game_.Act(last_, random);
    Show(observation);
    return result;
  }

 private:
  static constexpr auto kActions = [] {
    if constexpr (kMinimal) {
      return Game::kActions;
    } else {
      return kAllMinAtarActions;
    }
  }();

  void Show(ObservationRow observation) const {
    MinAtarImage<Game::kChannels> image(observation[0]);
    game_.Show(image);
  }

  Game game_;
  // The package keeps it from one episode to the next, and so do we.
  MinAtarAction last_ = MinAtarAction::kNone;
};

template <typename Game, bool kMinimal>
const EnvironmentSpec& MinAtar<Game, kMinimal>::Spec() {
  static const EnvironmentSpec& spec = *new EnvironmentSpec([] {
    constexpr size_t kBytes = MinAtarImage<Game::kChannels>::kBytes;
    EnvironmentSpec result;
    result.id = absl::StrCat("MinAtar/", Game::kName, kMinimal ? "-v1" : "-v0");
    result.observation.columns = {{.dtype = v1::DTYPE_UINT8,
                                   .shape = {kMinAtarSide, kMinAtarSide, Game::kChannels},
                                   .low = std::vector<float>(kBytes, 0),
                                   .high = std::vector<float>(kBytes, 1)}};
    result.action = ActionSpace::Discrete(kActions.size());
    return result;
  }());
  return spec;
}

}  // namespace cadre
