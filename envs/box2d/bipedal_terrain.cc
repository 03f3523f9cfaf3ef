#include "envs/box2d/bipedal_terrain.h"

#include <cstdint>
#include <utility>

namespace cadre {
namespace {

// In [low, high).
int Integer(int low, int high, Random& random) {
  return low + static_cast<int>(random.Below(high - low));
}

class Generator {
 public:
  Generator(bool hardcore, Random& random) : hardcore_(hardcore), random_(random) {}

  BipedalTerrain Run() {
    for (int i = 0; i < BipedalTerrain::kPoints; ++i) {
      if (begins_) {
        Begin(i * kStep);
      } else {
        Continue(i);
      }
      begins_ = false;
      terrain_.y[i] = y_;
      if (--left_ == 0) Choose();
    }
    return std::move(terrain_);
  }

 private:
  static constexpr double kStep = BipedalTerrain::kStep;
  enum Kind { kGrass, kStump, kStairs, kPit };

  // A section's first point, which is as high as the one before.
  void Begin(double x) {
    switch (kind_) {
      case kGrass:
        break;
      case kStump:
        left_ = Integer(1, 3, random_);
        AddBlock(x, x + left_ * kStep, y_, y_ + left_ * kStep);
        break;
      case kStairs:
        stair_height_ = random_.Uniform() > 0.5 ? 1 : -1;
        stair_count_ = Integer(3, 5, random_);
        base_ = y_;
        for (int s = 0; s < stair_count_; ++s) {
          AddBlock(x + s * kStairWidth * kStep, x + (1 + s) * kStairWidth * kStep,
                   y_ + s * stair_height_ * kStep, y_ + (-1 + s * stair_height_) * kStep);
        }
        left_ = stair_count_ * kStairWidth;
        break;
      case kPit: {
        left_ = Integer(3, 5, random_);
        AddBlock(x, x + kStep, y_, y_ - kPitDepth * kStep);
        const double shift = kStep * left_;
        AddBlock(x + shift, x + kStep + shift, y_, y_ - kPitDepth * kStep);
        left_ += 2;
        base_ = y_;
        break;
      }
    }
  }

  void Continue(int i) {
    switch (kind_) {
      case kGrass: {
        const double above = BipedalTerrain::kHeight - y_;
        slope_ = 0.8 * slope_ + 0.01 * ((above > 0) - (above < 0));
        if (i > BipedalTerrain::kStartPad) slope_ += random_.Uniform(-1, 1) / 30;
        y_ += slope_;
        break;
      }
      case kStump:
        break;
      case kStairs: {
        const double s = stair_count_ * kStairWidth - left_ - stair_height_;
        y_ = base_ + s / kStairWidth * stair_height_ * kStep;
        break;
      }
      case kPit:
        y_ = base_;
        if (left_ > 1) y_ -= kPitDepth * kStep;
        break;
    }
  }

  void Choose() {
    left_ = Integer(BipedalTerrain::kGrass / 2, BipedalTerrain::kGrass, random_);
    kind_ = kind_ == kGrass && hardcore_ ? static_cast<Kind>(Integer(1, 4, random_)) : kGrass;
    begins_ = true;
  }

  void AddBlock(double left, double right, double y, double other_y) {
    terrain_.blocks.push_back({{{left, y}, {right, y}, {right, other_y}, {left, other_y}}});
  }

  static constexpr int kStairWidth = 4;  // Points of each stair.
  static constexpr int kPitDepth = 4;    // Times kStep.

  const bool hardcore_;
  Random& random_;
  BipedalTerrain terrain_;
  Kind kind_ = kGrass;
  bool begins_ = false;                   // Whether the next point is a section's first.
  int left_ = BipedalTerrain::kStartPad;  // Points of this section.
  double y_ = BipedalTerrain::kHeight, slope_ = 0;
  double base_ = 0;  // Of stairs or of a pit.
  int stair_height_ = 0, stair_count_ = 0;
};

}  // namespace

BipedalTerrain BipedalTerrain::Draw(bool hardcore, Random& random) {
  return Generator(hardcore, random).Run();
}

}  // namespace cadre
