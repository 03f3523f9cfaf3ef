#include "envs/minatar/space_invaders.h"

#include <algorithm>

namespace cadre {
namespace {

constexpr int kLast = kMinAtarSide - 1;
constexpr int kShotInterval = 5;
constexpr int kAlienShotInterval = 10;
constexpr int kFirstMoveInterval = 12;
constexpr int kLeastMoveInterval = 6;

constexpr MinAtarBoard kWave = CellsOf(0, 4, 2, 8);
constexpr MinAtarBoard kBottom = CellsOf(kLast, kMinAtarSide, 0, kMinAtarSide);
constexpr MinAtarBoard kLeftmost = CellsOf(0, kMinAtarSide, 0, 1);

constexpr MinAtarBoard Column(int x) { return kLeftmost << x; }

// The bottom row comes back at the top.
constexpr MinAtarBoard Lowered(MinAtarBoard board) {
  return (board << kMinAtarSide | board >> (kMinAtarSide * kLast)) & kWholeBoard;
}

// The lowest cell of a set that is not empty.
constexpr MinAtarBoard Lowest(MinAtarBoard board) {
  const auto high = static_cast<uint64_t>(board >> 64);
  if (high != 0) return MinAtarBoard{std::bit_floor(high)} << 64;
  return std::bit_floor(static_cast<uint64_t>(board));
}

}  // namespace

void SpaceInvaders::Reset(Random& /*random*/) {
  cannon_ = 5;
  bullets_ = alien_bullets_ = 0;
  aliens_ = kWave;
  aliens_dx_ = -1;
  move_interval_ = move_wait_ = kFirstMoveInterval;
  alien_shot_wait_ = kAlienShotInterval;
  shot_wait_ = 0;
}

StepResult SpaceInvaders::Act(MinAtarAction action, Random& /*random*/) {
  ActCannon(action);
  bullets_ >>= kMinAtarSide;
  alien_bullets_ = alien_bullets_ << kMinAtarSide & kWholeBoard;

  StepResult result;
  const MinAtarBoard cannon = CellAt(kLast, cannon_);
  result.terminated = ((alien_bullets_ | aliens_) & cannon) != 0;
  if (move_wait_ == 0 && MoveAliens()) result.terminated = true;
  if (alien_shot_wait_ == 0) ShootBack();

  const MinAtarBoard hit = aliens_ & bullets_;
  result.reward = CountCells(hit);
  aliens_ &= ~hit;
  bullets_ &= ~hit;

  if (shot_wait_ > 0) --shot_wait_;
  --move_wait_;
  --alien_shot_wait_;
  if (aliens_ == 0) {
    move_interval_ = std::max(move_interval_ - 1, kLeastMoveInterval);
    aliens_ = kWave;
  }
  return result;
}

void SpaceInvaders::ActCannon(MinAtarAction action) {
  if (action == MinAtarAction::kLeft) cannon_ = std::max(cannon_ - 1, 0);
  if (action == MinAtarAction::kRight) cannon_ = std::min(cannon_ + 1, kLast);
  if (action == MinAtarAction::kFire && shot_wait_ == 0) {
    bullets_ |= CellAt(kLast, cannon_);
    shot_wait_ = kShotInterval;
  }
}

// To the side, or at the edge down and back: then an alien in the bottom row ends the episode.
bool SpaceInvaders::MoveAliens() {
  move_wait_ = std::min(CountCells(aliens_), move_interval_);
  bool landed = false;
  if ((aliens_ & Column(aliens_dx_ < 0 ? 0 : kLast)) != 0) {
    aliens_dx_ = -aliens_dx_;
    landed = (aliens_ & kBottom) != 0;
    aliens_ = Lowered(aliens_);
  } else {
    aliens_ = aliens_dx_ < 0 ? aliens_ >> 1 : aliens_ << 1;
  }
  return landed || (aliens_ & CellAt(kLast, cannon_)) != 0;
}

// The lowest alien shoots of the column that is nearest the cannon, on its left if two are.
void SpaceInvaders::ShootBack() {
  alien_shot_wait_ = kAlienShotInterval;
  for (int distance = 0; distance < kMinAtarSide; ++distance) {
    for (const int x : {cannon_ - distance, cannon_ + distance}) {
      if (x < 0 || x > kLast) continue;
      const MinAtarBoard column = aliens_ & Column(x);
      if (column == 0) continue;
      alien_bullets_ |= Lowest(column);
      return;
    }
  }
}

void SpaceInvaders::Show(MinAtarImage<kChannels>& image) const {
  image.Set(0, kLast, cannon_);
  image.Set(1, aliens_);
  image.Set(aliens_dx_ < 0 ? 2 : 3, aliens_);
  image.Set(4, bullets_);
  image.Set(5, alien_bullets_);
}

}  // namespace cadre
