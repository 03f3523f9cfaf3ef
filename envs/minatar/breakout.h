// Breakout of MinAtar (minatar.h): a paddle on the bottom row sends the ball back up, which breaks
// bricks for a reward of 1 each. Three rows of new bricks come once all are broken. Ends when the
// paddle misses the ball.
#pragma once

#include "envs/minatar/minatar.h"

namespace cadre {

class Breakout {
 public:
  static constexpr absl::string_view kName = "Breakout";
  static constexpr int kChannels = 4;  // Paddle, ball, where the ball was, bricks.
  static constexpr std::array kActions = {MinAtarAction::kNone, MinAtarAction::kLeft,
                                          MinAtarAction::kRight};

  void Reset(Random& random);
  StepResult Act(MinAtarAction action, Random& random);
  void Show(MinAtarImage<kChannels>& image) const;

 private:
  int paddle_ = 0;               // Its column.
  int x_ = 0, y_ = 0;            // The ball's cell,
  int last_x_ = 0, last_y_ = 0;  // and the one before.
  int dx_ = 0, dy_ = 0;          // The ball's direction: each 1 or -1.
  bool struck_ = false;          // The last step was in a brick; the next brick will not break.
  MinAtarBoard bricks_ = 0;
};

}  // namespace cadre
