// Asterix of MinAtar (minatar.h): enemies and gold come in from both sides, at most one in each of
// eight rows. Gold is a reward of 1; an enemy ends the episode. They come and move ever faster.
#pragma once

#include "envs/minatar/minatar.h"

namespace cadre {

class Asterix {
 public:
  static constexpr absl::string_view kName = "Asterix";
  static constexpr int kChannels = 4;  // Player, enemies, where they and gold were, gold.
  static constexpr std::array kActions = {MinAtarAction::kNone, MinAtarAction::kLeft,
                                          MinAtarAction::kUp, MinAtarAction::kRight,
                                          MinAtarAction::kDown};

  void Reset(Random& random);
  StepResult Act(MinAtarAction action, Random& random);
  void Show(MinAtarImage<kChannels>& image) const;

 private:
  // Row i + 1 has comer i.
  struct Comer {
    bool present = false;
    bool gold = false;
    int x = 0;
    int dx = 0;  // 1 or -1
  };
  void Spawn(Random& random);
  void Move(Comer& comer);
  // What happens if row i's comer is where the player is.
  void Touch(int i, StepResult& result);
  void GrowHarder();

  int x_ = 0, y_ = 0;  // The player.
  std::array<Comer, 8> comers_;
  int spawn_interval_ = 0, spawn_wait_ = 0;  // [steps] between two comers, until the next.
  int move_interval_ = 0, move_wait_ = 0;    // [steps] between two moves, until the next.
  int ramp_wait_ = 0;                        // [steps] until it gets harder.
  int ramps_ = 0;                            // How often it did.
};

}  // namespace cadre
