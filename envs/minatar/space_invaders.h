// SpaceInvaders of MinAtar (minatar.h): a cannon shoots aliens, for a reward of 1 each; those that
// are left move faster, and each new wave a little faster than the last. Ends when an alien or one
// of its bullets hits the cannon.
#pragma once

#include "envs/minatar/minatar.h"

namespace cadre {

class SpaceInvaders {
 public:
  static constexpr absl::string_view kName = "SpaceInvaders";
  // Cannon, aliens, aliens again if they move left, if they move right, bullets up, bullets down.
  static constexpr int kChannels = 6;
  static constexpr std::array kActions = {MinAtarAction::kNone, MinAtarAction::kLeft,
                                          MinAtarAction::kRight, MinAtarAction::kFire};

  void Reset(Random& random);
  StepResult Act(MinAtarAction action, Random& random);
  void Show(MinAtarImage<kChannels>& image) const;

 private:
  void ActCannon(MinAtarAction action);
  // True if that ended the episode.
  bool MoveAliens();
  void ShootBack();

  int cannon_ = 0;  // Its column.
  MinAtarBoard bullets_ = 0, alien_bullets_ = 0, aliens_ = 0;
  int aliens_dx_ = 0;      // 1 or -1
  int move_interval_ = 0;  // [steps] between two moves of a full wave.
  int move_wait_ = 0;      // [steps] until the aliens move.
  int alien_shot_wait_ = 0;
  int shot_wait_ = 0;
};

}  // namespace cadre
