#include "envs/minatar/freeway.h"

#include <algorithm>

namespace cadre {
namespace {

constexpr int kColumn = 4;  // Of the chicken.
constexpr int kStart = kMinAtarSide - 1;
constexpr int kRest = 3;  // Steps between two moves of the chicken.
constexpr int kTimeLimit = 2500;

constexpr int Wrapped(int x) { return (x + kMinAtarSide) % kMinAtarSide; }

}  // namespace

void Freeway::Reset(Random& random) {
  DrawSpeeds(random);
  for (Car& car : cars_) car.x = 0;
  chicken_ = kStart;
  rest_ = kRest;
  steps_left_ = kTimeLimit;
}

// All speeds before all directions, as the package draws them.
void Freeway::DrawSpeeds(Random& random) {
  for (Car& car : cars_) car.wait = car.interval = 1 + static_cast<int>(random.Below(5));
  for (Car& car : cars_) car.dx = random.Uniform() < 0.5 ? -1 : 1;
}

StepResult Freeway::Act(MinAtarAction action, Random& random) {
  const int move = action == MinAtarAction::kUp ? -1 : action == MinAtarAction::kDown ? 1 : 0;
  if (move != 0 && rest_ == 0) {
    rest_ = kRest;
    chicken_ = std::min(chicken_ + move, kStart);
  }
  StepResult result;
  if (chicken_ == 0) {
    result.reward = 1;
    DrawSpeeds(random);
    chicken_ = kStart;
  }

  for (int i = 0; i < static_cast<int>(cars_.size()); ++i) {
    Car& car = cars_[i];
    const auto hit = [&] { return car.x == kColumn && chicken_ == i + 1; };
    if (hit()) chicken_ = kStart;
    if (car.wait == 0) {
      car.wait = car.interval;
      car.x = Wrapped(car.x + car.dx);
      if (hit()) chicken_ = kStart;
    } else {
      --car.wait;
    }
  }

  if (rest_ > 0) --rest_;
  result.terminated = --steps_left_ < 0;
  return result;
}

void Freeway::Show(MinAtarImage<kChannels>& image) const {
  image.Set(0, chicken_, kColumn);
  for (int i = 0; i < static_cast<int>(cars_.size()); ++i) {
    const Car& car = cars_[i];
    image.Set(1, i + 1, car.x);
    image.Set(1 + car.interval, i + 1, Wrapped(car.x - car.dx));
  }
}

}  // namespace cadre
