#include "envs/minatar/asterix.h"

#include <algorithm>

namespace cadre {
namespace {

constexpr int kLast = kMinAtarSide - 1;
constexpr int kFirstSpawnInterval = 10;
constexpr int kFirstMoveInterval = 5;
constexpr int kRampInterval = 100;
constexpr double kGoldShare = 1.0 / 3;

}  // namespace

void Asterix::Reset(Random& /*random*/) {
  x_ = y_ = 5;
  comers_ = {};
  spawn_interval_ = spawn_wait_ = kFirstSpawnInterval;
  move_interval_ = move_wait_ = kFirstMoveInterval;
  ramp_wait_ = kRampInterval;
  ramps_ = 0;
}

StepResult Asterix::Act(MinAtarAction action, Random& random) {
  if (spawn_wait_ == 0) {
    Spawn(random);
    spawn_wait_ = spawn_interval_;
  }
  if (action == MinAtarAction::kLeft) x_ = std::max(x_ - 1, 0);
  if (action == MinAtarAction::kRight) x_ = std::min(x_ + 1, kLast);
  if (action == MinAtarAction::kUp) y_ = std::max(y_ - 1, 1);
  if (action == MinAtarAction::kDown) y_ = std::min(y_ + 1, kLast - 1);

  StepResult result;
  const int row = y_ - 1;
  Touch(row, result);
  if (move_wait_ == 0) {
    move_wait_ = move_interval_;
    for (Comer& comer : comers_) Move(comer);
    Touch(row, result);
  }
  --spawn_wait_;
  --move_wait_;
  GrowHarder();
  return result;
}

// In a row that is free, if there is one.
void Asterix::Spawn(Random& random) {
  const bool from_left = random.Uniform() < 0.5;
  const bool gold = random.Uniform() < kGoldShare;
  std::array<int, 8> free;
  int count = 0;
  for (int i = 0; i < static_cast<int>(comers_.size()); ++i)
    if (!comers_[i].present) free[count++] = i;
  if (count == 0) return;
  comers_[free[random.Below(count)]] = {
      .present = true, .gold = gold, .x = from_left ? 0 : kLast, .dx = from_left ? 1 : -1};
}

void Asterix::Move(Comer& comer) {
  comer.x += comer.dx;
  if (comer.x < 0 || comer.x > kLast) comer.present = false;
}

void Asterix::Touch(int i, StepResult& result) {
  Comer& comer = comers_[i];
  if (!comer.present || comer.x != x_) return;
  if (comer.gold) {
    comer.present = false;
    ++result.reward;
  } else {
    result.terminated = true;
  }
}

// After 102 steps, for the wait ends below 0; the moves speed up every second time.
void Asterix::GrowHarder() {
  if (spawn_interval_ == 1 && move_interval_ == 1) return;
  if (ramp_wait_-- >= 0) return;
  if (move_interval_ > 1 && ramps_ % 2 == 1) --move_interval_;
  if (spawn_interval_ > 1) --spawn_interval_;
  ++ramps_;
  ramp_wait_ = kRampInterval;
}

void Asterix::Show(MinAtarImage<kChannels>& image) const {
  image.Set(0, y_, x_);
  for (int i = 0; i < static_cast<int>(comers_.size()); ++i) {
    const Comer& comer = comers_[i];
    if (!comer.present) continue;
    image.Set(comer.gold ? 3 : 1, i + 1, comer.x);
    image.SetIfInside(2, i + 1, comer.x - comer.dx);
  }
}

}  // namespace cadre
