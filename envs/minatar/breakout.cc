#include "envs/minatar/breakout.h"

#include <algorithm>

namespace cadre {
namespace {

constexpr int kLast = kMinAtarSide - 1;
constexpr MinAtarBoard kAllBricks = CellsOf(1, 4, 0, kMinAtarSide);

}  // namespace

void Breakout::Reset(Random& random) {
  const bool right = random.Below(2) == 1;
  paddle_ = 4;
  x_ = last_x_ = right ? kLast : 0;
  y_ = last_y_ = 3;
  dx_ = right ? -1 : 1;
  dy_ = 1;
  struck_ = false;
  bricks_ = kAllBricks;
}

StepResult Breakout::Act(MinAtarAction action, Random& /*random*/) {
  if (action == MinAtarAction::kLeft) paddle_ = std::max(paddle_ - 1, 0);
  if (action == MinAtarAction::kRight) paddle_ = std::min(paddle_ + 1, kLast);

  StepResult result;
  last_x_ = x_;
  last_y_ = y_;
  int x = x_ + dx_;
  int y = y_ + dy_;
  if (x < 0 || x > kLast) {  // A wall: the ball slides along it for one step.
    x = std::clamp(x, 0, kLast);
    dx_ = -dx_;
  }
  bool in_brick = false;
  if (y < 0) {
    y = 0;
    dy_ = -dy_;
  } else if (bricks_ & CellAt(y, x)) {
    in_brick = true;
    if (!struck_) {
      result.reward = 1;
      bricks_ &= ~CellAt(y, x);
      y = last_y_;
      dy_ = -dy_;
    }
  } else if (y == kLast) {
    if (bricks_ == 0) bricks_ = kAllBricks;
    if (x_ == paddle_) {
      dy_ = -dy_;
      y = last_y_;
    } else if (x == paddle_) {  // The edge of the paddle sends it back where it came from.
      dx_ = -dx_;
      dy_ = -dy_;
      y = last_y_;
    } else {
      result.terminated = true;
    }
  }
  struck_ = in_brick;
  x_ = x;
  y_ = y;
  return result;
}

void Breakout::Show(MinAtarImage<kChannels>& image) const {
  image.Set(0, kLast, paddle_);
  image.Set(1, y_, x_);
  image.Set(2, last_y_, last_x_);
  image.Set(3, bricks_);
}

}  // namespace cadre
