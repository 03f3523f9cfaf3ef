#include "envs/minatar/seaquest.h"

#include <algorithm>

namespace cadre {
namespace {

constexpr int kLast = kMinAtarSide - 1;
constexpr int kFullOxygen = 200;
constexpr int kMaxDivers = 6;
constexpr int kFirstEnemyInterval = 20;
constexpr int kDiverInterval = 30;
constexpr int kFirstMoveInterval = 5;
constexpr int kLeastMoveInterval = 2;
constexpr int kDiverMoveInterval = 5;
constexpr int kShotInterval = 5;
constexpr int kEnemyShotInterval = 10;
constexpr double kSubmarineShare = 1.0 / 3;

constexpr int kBarRow = kLast;  // Of oxygen and divers on board.

// Cells of the bar.
int Tenths(int oxygen) { return std::max(oxygen, 0) * kMinAtarSide / kFullOxygen; }

}  // namespace

void Seaquest::Reset(Random& /*random*/) {
  x_ = 5;
  y_ = 0;
  dx_ = -1;
  oxygen_ = kFullOxygen;
  divers_on_board_ = 0;
  surfaced_ = true;
  for (Swimmers* swimmers : {&bullets_, &enemy_bullets_, &fish_, &submarines_, &divers_})
    swimmers->clear();
  enemy_interval_ = enemy_wait_ = kFirstEnemyInterval;
  diver_wait_ = kDiverInterval;
  move_interval_ = kFirstMoveInterval;
  ramps_ = 0;
  shot_wait_ = 0;
}

StepResult Seaquest::Act(MinAtarAction action, Random& random) {
  StepResult result;
  Spawn(random);
  ActSubmarine(action);
  MoveBullets(result);
  MoveDivers();
  MoveEnemies(submarines_, /*shoot=*/true, result);
  MoveEnemyBullets(result);
  MoveEnemies(fish_, /*shoot=*/false, result);
  if (enemy_wait_ > 0) --enemy_wait_;
  if (diver_wait_ > 0) --diver_wait_;
  if (shot_wait_ > 0) --shot_wait_;
  Breathe(result);
  return result;
}

void Seaquest::Spawn(Random& random) {
  if (enemy_wait_ == 0) {
    enemy_wait_ = enemy_interval_;
    const bool from_left = random.Uniform() < 0.5;
    const bool submarine = random.Uniform() < kSubmarineShare;
    const int y = 1 + static_cast<int>(random.Below(8));
    const Swimmer enemy = Comer(y, from_left, move_interval_);
    // Not in a row where one comes from the other side.
    const auto opposes = [&enemy](const Swimmer& other) {
      return other.y == enemy.y && other.dx != enemy.dx;
    };
    if (std::none_of(submarines_.begin(), submarines_.end(), opposes) &&
        std::none_of(fish_.begin(), fish_.end(), opposes))
      (submarine ? submarines_ : fish_).push_back(enemy);
  }
  if (diver_wait_ == 0) {
    diver_wait_ = kDiverInterval;
    const bool from_left = random.Uniform() < 0.5;
    const int y = 1 + static_cast<int>(random.Below(8));
    divers_.push_back(Comer(y, from_left, kDiverMoveInterval));
  }
}

Seaquest::Swimmer Seaquest::Comer(int y, bool from_left, int wait) const {
  return {.x = static_cast<int8_t>(from_left ? 0 : kLast),
          .y = static_cast<int8_t>(y),
          .dx = static_cast<int8_t>(from_left ? 1 : -1),
          .wait = static_cast<int8_t>(wait),
          .shot_wait = kEnemyShotInterval};
}

void Seaquest::ActSubmarine(MinAtarAction action) {
  if (action == MinAtarAction::kFire && shot_wait_ == 0) {
    bullets_.push_back({.x = static_cast<int8_t>(x_),
                        .y = static_cast<int8_t>(y_),
                        .dx = static_cast<int8_t>(dx_)});
    shot_wait_ = kShotInterval;
  } else if (action == MinAtarAction::kLeft) {
    x_ = std::max(x_ - 1, 0);
    dx_ = -1;
  } else if (action == MinAtarAction::kRight) {
    x_ = std::min(x_ + 1, kLast);
    dx_ = 1;
  } else if (action == MinAtarAction::kUp) {
    y_ = std::max(y_ - 1, 0);
  } else if (action == MinAtarAction::kDown) {
    y_ = std::min(y_ + 1, kLast - 1);
  }
}

bool Seaquest::RemoveAt(Swimmers& swimmers, const Swimmer& target) {
  const auto found =
      std::find_if(swimmers.begin(), swimmers.end(),
                   [&target](const Swimmer& other) { return other.At(target.x, target.y); });
  if (found == swimmers.end()) return false;
  swimmers.erase(found);
  return true;
}

// All loops take the last one first, as the package does.

void Seaquest::MoveBullets(StepResult& result) {
  for (size_t i = bullets_.size(); i-- > 0;) {
    bullets_[i].x += bullets_[i].dx;
    const bool hit = RemoveAt(fish_, bullets_[i]) || RemoveAt(submarines_, bullets_[i]);
    if (hit) ++result.reward;
    if (hit || bullets_[i].Outside()) bullets_.erase(bullets_.begin() + i);
  }
}

void Seaquest::MoveDivers() {
  for (size_t i = divers_.size(); i-- > 0;) {
    Swimmer& diver = divers_[i];
    const auto taken = [&] { return IsHitBy(diver) && divers_on_board_ < kMaxDivers; };
    bool boards = taken();
    if (!boards) {
      if (diver.wait-- > 0) continue;
      diver.wait = kDiverMoveInterval;
      diver.x += diver.dx;
      boards = taken();
      if (!boards && !diver.Outside()) continue;
    }
    divers_on_board_ += boards;
    divers_.erase(divers_.begin() + i);
  }
}

void Seaquest::MoveEnemies(Swimmers& enemies, bool shoot, StepResult& result) {
  for (size_t i = enemies.size(); i-- > 0;) {
    Swimmer& enemy = enemies[i];
    bool gone = false;
    if (IsHitBy(enemy)) result.terminated = true;
    if (enemy.wait-- == 0) {
      enemy.wait = static_cast<int8_t>(move_interval_);
      enemy.x += enemy.dx;
      if (enemy.Outside()) {
        gone = true;
      } else if (IsHitBy(enemy)) {
        result.terminated = true;
      } else if (RemoveAt(bullets_, enemy)) {
        gone = true;
        ++result.reward;
      }
    }
    // One that has just been hit may still shoot.
    if (shoot && enemy.shot_wait-- == 0) {
      enemy.shot_wait = kEnemyShotInterval;
      enemy_bullets_.push_back({.x = enemy.x, .y = enemy.y, .dx = enemy.dx});
    }
    if (gone) enemies.erase(enemies.begin() + i);
  }
}

void Seaquest::MoveEnemyBullets(StepResult& result) {
  for (size_t i = enemy_bullets_.size(); i-- > 0;) {
    Swimmer& bullet = enemy_bullets_[i];
    if (IsHitBy(bullet)) result.terminated = true;
    bullet.x += bullet.dx;
    if (IsHitBy(bullet)) result.terminated = true;
    if (bullet.Outside()) enemy_bullets_.erase(enemy_bullets_.begin() + i);
  }
}

void Seaquest::Breathe(StepResult& result) {
  if (oxygen_ <= 0) result.terminated = true;
  if (y_ > 0) {
    --oxygen_;
    surfaced_ = false;
  } else if (!surfaced_) {
    if (divers_on_board_ == 0) {
      result.terminated = true;
    } else {
      result.reward += Surface();
    }
  }
}

// Returns the reward.
int Seaquest::Surface() {
  int reward = 0;
  surfaced_ = true;
  if (divers_on_board_ == kMaxDivers) {
    divers_on_board_ = 0;
    reward = Tenths(oxygen_);
  }
  --divers_on_board_;
  oxygen_ = kFullOxygen;
  if (enemy_interval_ > 1 || move_interval_ > kLeastMoveInterval) {
    // The moves speed up every second time.
    if (move_interval_ > kLeastMoveInterval && ramps_ % 2 == 1) --move_interval_;
    if (enemy_interval_ > 1) --enemy_interval_;
    ++ramps_;
  }
  return reward;
}

void Seaquest::Show(MinAtarImage<kChannels>& image) const {
  const auto show = [&image](const Swimmers& swimmers, int channel, bool trail) {
    for (const Swimmer& swimmer : swimmers) {
      image.Set(channel, swimmer.y, swimmer.x);
      if (trail) image.SetIfInside(3, swimmer.y, swimmer.x - swimmer.dx);
    }
  };
  image.Set(0, y_, x_);
  image.Set(1, y_, x_ - dx_);
  show(bullets_, 2, /*trail=*/false);
  show(enemy_bullets_, 4, /*trail=*/false);
  show(fish_, 5, /*trail=*/true);
  show(submarines_, 6, /*trail=*/true);
  for (int x = 0; x < Tenths(oxygen_); ++x) image.Set(7, kBarRow, x);
  for (int i = 1; i <= divers_on_board_; ++i) image.Set(8, kBarRow, kLast - i);
  show(divers_, 9, /*trail=*/true);
}

}  // namespace cadre
