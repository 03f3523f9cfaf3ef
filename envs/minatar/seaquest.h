// Seaquest of MinAtar (minatar.h): a submarine shoots fish and enemy submarines, for a reward of 1
// each, and picks up divers, at most six. It has to surface for oxygen with at least one diver on
// board; with six it is paid for the oxygen that is left. Each time it surfaces, enemies come
// faster. Ends when an enemy or its bullet hits it, without oxygen, or if it surfaces without a
// diver.
//
// As in the package, six divers that are brought up leave a count of -1: surfacing again needs no
// diver then, and the next diver only makes it 0.
#pragma once

#include "absl/container/inlined_vector.h"
#include "envs/minatar/minatar.h"

namespace cadre {

class Seaquest {
 public:
  static constexpr absl::string_view kName = "Seaquest";
  // Front and back of the submarine, its bullets, where fish, enemy submarines and divers were,
  // enemy bullets, fish, enemy submarines, oxygen and divers on board as bars, divers.
  static constexpr int kChannels = 10;
  static constexpr std::array kActions = kAllMinAtarActions;

  void Reset(Random& random);
  StepResult Act(MinAtarAction action, Random& random);
  void Show(MinAtarImage<kChannels>& image) const;

 private:
  // Whatever swims or flies along a row.
  struct Swimmer {
    int8_t x = 0, y = 0;
    int8_t dx = 0;         // 1 or -1
    int8_t wait = 0;       // [steps] until it moves. Bullets always do.
    int8_t shot_wait = 0;  // [steps] until it shoots; of submarines alone.

    bool At(int column, int row) const { return x == column && y == row; }
    bool Outside() const { return x < 0 || x >= kMinAtarSide; }
  };
  // In the order in which they came.
  using Swimmers = absl::InlinedVector<Swimmer, 8>;

  void Spawn(Random& random);
  Swimmer Comer(int y, bool from_left, int wait) const;
  void ActSubmarine(MinAtarAction action);
  void MoveBullets(StepResult& result);
  void MoveDivers();
  void MoveEnemies(Swimmers& enemies, bool shoot, StepResult& result);
  void MoveEnemyBullets(StepResult& result);
  void Breathe(StepResult& result);
  int Surface();
  bool IsHitBy(const Swimmer& swimmer) const { return swimmer.At(x_, y_); }
  // Removes the first one that is where `target` is; false if there is none.
  static bool RemoveAt(Swimmers& swimmers, const Swimmer& target);

  int x_ = 0, y_ = 0, dx_ = 0;  // The submarine's front, and where it looks.
  int oxygen_ = 0;
  int divers_on_board_ = 0;
  bool surfaced_ = false;
  Swimmers bullets_, enemy_bullets_, fish_, submarines_, divers_;
  int enemy_interval_ = 0, enemy_wait_ = 0;  // [steps] between two enemies, until the next.
  int diver_wait_ = 0;                       // [steps] until the next diver.
  int move_interval_ = 0;                    // [steps] between two moves of an enemy.
  int ramps_ = 0;                            // How often it got harder.
  int shot_wait_ = 0;
};

}  // namespace cadre
