// Freeway of MinAtar (minatar.h): a chicken crosses eight lanes of cars, for a reward of 1 each
// time, whereupon all cars change their speed. A car that hits it sends it back to the start. Ends
// after 2,501 steps, as a termination: the package has no other time limit.
#pragma once

#include "envs/minatar/minatar.h"

namespace cadre {

class Freeway {
 public:
  static constexpr absl::string_view kName = "Freeway";
  // Chicken, cars, and the cell behind each car in one of five, by its speed.
  static constexpr int kChannels = 7;
  static constexpr std::array kActions = {MinAtarAction::kNone, MinAtarAction::kUp,
                                          MinAtarAction::kDown};

  void Reset(Random& random);
  StepResult Act(MinAtarAction action, Random& random);
  void Show(MinAtarImage<kChannels>& image) const;

 private:
  // Lane i is row i + 1.
  struct Car {
    int x = 0;
    int wait = 0;      // Steps until it moves.
    int interval = 0;  // Steps between its moves, 1 to 5.
    int dx = 0;        // 1 or -1
  };
  void DrawSpeeds(Random& random);

  std::array<Car, 8> cars_;
  int chicken_ = 0;     // Its row.
  int rest_ = 0;        // Steps until it can move.
  int steps_left_ = 0;  // Before the last one.
};

}  // namespace cadre
