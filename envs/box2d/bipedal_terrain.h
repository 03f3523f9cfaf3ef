// The ground of BipedalWalker: gentle grass, and, if hardcore, pits, stumps and stairs.
#pragma once

#include <array>
#include <vector>

#include "common/random.h"

namespace cadre {

struct BipedalTerrain {
  static constexpr int kPoints = 200;
  static constexpr double kStep = 14 / 30.0;         // Metres between points.
  static constexpr double kHeight = 400 / 30.0 / 4;  // Metres; where it starts and tends to.
  static constexpr int kStartPad = 20;               // Points that are level.
  static constexpr int kGrass = 10;                  // Points of grass between obstacles, at most.

  using Corners = std::array<std::array<double, 2>, 4>;  // x and y, metres.

  // Point i is at x = i * kStep.
  std::array<double, kPoints> y = {};
  std::vector<Corners> blocks;  // Of obstacles; convex.

  // Draws the same numbers in the same order as Gymnasium's.
  static BipedalTerrain Draw(bool hardcore, Random& random);
};

}  // namespace cadre
