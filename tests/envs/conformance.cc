#include "tests/envs/conformance.h"

#include <gmock/gmock.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/random.h"
#include "envs/conformance.h"

namespace cadre {
namespace {

using Bytes = std::vector<std::byte>;
using Violations = std::vector<std::string>;

constexpr size_t kGuard = 16;  // Bytes around an observation that nobody may write.

Bytes RandomAction(const ActionSpace& space, Random& random) {
  Bytes action(space.bytes());
  for (int64_t k = 0; k < space.choices(); ++k) {
    const auto value = static_cast<int32_t>(random.Below(space.counts[k]));
    std::memcpy(action.data() + k * sizeof(value), &value, sizeof(value));
  }
  for (int64_t d = 0; d < space.dimensions; ++d) {
    const auto value = static_cast<float>(random.Uniform(space.low[d], space.high[d]));
    std::memcpy(action.data() + d * sizeof(value), &value, sizeof(value));
  }
  return action;
}

double ValueAt(const Bytes& row, v1::DType dtype, int64_t i) {
  const auto as = [&row, i](auto value) {
    std::memcpy(&value, row.data() + i * sizeof(value), sizeof(value));
    return static_cast<double>(value);
  };
  switch (dtype) {
    case v1::DTYPE_UINT8:
      return as(uint8_t{});
    case v1::DTYPE_INT32:
      return as(int32_t{});
    case v1::DTYPE_INT64:
      return as(int64_t{});
    case v1::DTYPE_FLOAT32:
      return as(float{});
    default:
      return as(double{});
  }
}

// Plays one environment, whose columns are written between guards. What it leaves
// unwritten keeps the value of `fill`.
class Player {
 public:
  Player(const EnvironmentFactory& make, uint64_t seed, uint8_t fill = 0xA5)
      : environment_(make()),
        random_(seed),
        fill_(fill),
        shown_(ShownColumns(spec().observation, spec().action)),
        buffers_(shown_.size()) {}

  const EnvironmentSpec& spec() const { return environment_->spec(); }
  const std::vector<ObservationColumn>& shown() const { return shown_; }

  // What it shows, by column; valid until the next call.
  const std::vector<Bytes>& Reset() {
    environment_->Reset(random_, CleanRow());
    return Row();
  }
  const std::vector<Bytes>& Step(const Bytes& action) {
    last_ = environment_->Step(action, random_, CleanRow());
    return Row();
  }
  const StepResult& last() const { return last_; }
  void Reseed(uint64_t seed) { random_ = Random(seed); }

  bool GuardsIntact() const {
    const auto is_fill = [this](std::byte b) { return b == std::byte{fill_}; };
    return std::all_of(buffers_.begin(), buffers_.end(), [&](const Bytes& buffer) {
      return std::all_of(buffer.begin(), buffer.begin() + kGuard, is_fill) &&
             std::all_of(buffer.end() - kGuard, buffer.end(), is_fill);
    });
  }

 private:
  ObservationRow CleanRow() {
    spans_.clear();
    for (size_t c = 0; c < shown_.size(); ++c) {
      buffers_[c].assign(shown_[c].bytes() + 2 * kGuard, std::byte{fill_});
      spans_.push_back(absl::MakeSpan(buffers_[c]).subspan(kGuard, shown_[c].bytes()));
    }
    return spans_;
  }
  const std::vector<Bytes>& Row() {
    row_.clear();
    for (const absl::Span<std::byte> span : spans_) row_.emplace_back(span.begin(), span.end());
    return row_;
  }

  std::unique_ptr<Environment> environment_;
  Random random_;
  uint8_t fill_;
  std::vector<ObservationColumn> shown_;
  std::vector<Bytes> buffers_;                // By column, with guards.
  std::vector<absl::Span<std::byte>> spans_;  // Between the guards.
  std::vector<Bytes> row_;
  StepResult last_;
};

// What is wrong with one row of a column; empty where nothing is.
std::string ColumnFault(const ObservationColumn& space, const Bytes& row) {
  for (int64_t i = 0; i < space.elements(); ++i) {
    const double value = ValueAt(row, space.dtype, i);
    if (!std::isfinite(value)) return absl::StrCat("observation ", i, " is ", value);
    if (value < space.low[i] || value > space.high[i]) {
      return absl::StrCat("observation ", i, " is ", value, "; its bounds are ", space.low[i],
                          " and ", space.high[i]);
    }
  }
  return "";
}

std::string MaskFault(const ActionSpace& action, const Bytes& mask) {
  auto next = mask.begin();
  for (int64_t k = 0; k < action.choices(); ++k, next += action.counts[k - 1])
    if (std::all_of(next, next + action.counts[k], [](std::byte b) { return b == std::byte{0}; }))
      return absl::StrCat("the mask allows nothing of choice ", k);
  return "";
}

std::string ObservationFault(const Player& player, const std::vector<Bytes>& row) {
  for (size_t c = 0; c < row.size(); ++c)
    if (std::string fault = ColumnFault(player.shown()[c], row[c]); !fault.empty()) return fault;
  return player.spec().action.masked ? MaskFault(player.spec().action, row.back()) : "";
}

// Random episodes, each cut after at most 200 steps: sound numbers throughout.
Violations CheckPlay(const EnvironmentFactory& make, int steps) {
  Player player(make, 1);
  Random choices(2);
  Violations violations;
  std::vector<Bytes> row = player.Reset();
  int64_t length = 0;
  for (int step = 0; step < steps && violations.empty(); ++step) {
    const std::string fault = ObservationFault(player, row);
    if (!fault.empty()) violations.push_back(absl::StrCat(fault, " at step ", step));
    if (!player.GuardsIntact()) violations.push_back("writes outside its observation");
    if (!std::isfinite(player.last().reward))
      violations.push_back(absl::StrCat("reward is ", player.last().reward));
    const bool restart = step > 0 && (player.last().terminated || length == 200);
    row = restart ? player.Reset() : player.Step(RandomAction(player.spec().action, choices));
    length = restart ? 0 : length + 1;
  }
  return violations;
}

// Two players that get the same actions; "" or where they part.
std::string Difference(Player& a, Player& b, int steps) {
  Random choices(3);
  bool restart = true;
  for (int step = 0; step < steps; ++step) {
    if (restart) {
      if (a.Reset() != b.Reset()) return absl::StrCat("observations of Reset at step ", step);
      restart = false;
      continue;
    }
    const Bytes action = RandomAction(a.spec().action, choices);
    if (a.Step(action) != b.Step(action)) return absl::StrCat("observations at step ", step);
    if (a.last().reward != b.last().reward) return absl::StrCat("rewards at step ", step);
    if (a.last().terminated != b.last().terminated)
      return absl::StrCat("terminations at step ", step);
    restart = a.last().terminated;
  }
  return "";
}

Violations CheckSeeds(const EnvironmentFactory& make, int steps) {
  Violations violations;
  {
    // Different fills: bytes that are not written differ too.
    Player a(make, 7, 0x00), b(make, 7, 0xFF);
    const std::string difference = Difference(a, b, steps);
    if (!difference.empty())
      violations.push_back(absl::StrCat("same seed and actions, different ", difference));
  }
  {
    // Ends with the same action over and over: sticky actions may outlast an episode, and a fresh
    // environment has taken none.
    Player used(make, 8), fresh(make, 9);
    Random choices(4);
    used.Reset();
    for (int step = 0; step < 61; ++step) {
      const ActionSpace& space = used.spec().action;
      const Bytes action = step < 50 ? RandomAction(space, choices) : Bytes(space.bytes());
      if (used.last().terminated) used.Reset();
      used.Step(action);
    }
    used.Reseed(9);
    const std::string difference = Difference(used, fresh, steps);
    if (!difference.empty())
      violations.push_back(absl::StrCat("an earlier episode shows in ", difference));
  }
  Player a(make, 10), b(make, 11);
  if (Difference(a, b, steps).empty()) violations.push_back("different seeds, same episodes");
  return violations;
}

Violations CheckClipping(const EnvironmentFactory& make, int /*steps*/) {
  const ActionSpace space = make()->spec().action;
  Violations violations;
  for (int64_t d = 0; d < space.dimensions; ++d) {
    for (const bool above : {true, false}) {
      Random choices(5);
      Bytes bound = RandomAction(space, choices);
      Bytes beyond = bound;
      const float limit = above ? space.high[d] : space.low[d];
      const float outside = above ? limit + 10 : limit - 10;
      std::memcpy(bound.data() + d * sizeof(float), &limit, sizeof(float));
      std::memcpy(beyond.data() + d * sizeof(float), &outside, sizeof(float));
      Player a(make, 12), b(make, 12);
      a.Reset();
      b.Reset();
      if (a.Step(bound) != b.Step(beyond) || a.last().reward != b.last().reward) {
        violations.push_back(absl::StrCat("action ", d, " is not clipped to its ",
                                          above ? "high" : "low", " bound"));
      }
    }
  }
  return violations;
}

}  // namespace

std::vector<std::string> ConformanceViolations(const EnvironmentFactory& make, int steps) {
  Violations violations = SpecFaults(make()->spec());
  if (!violations.empty()) return violations;  // The rest relies on it.
  for (const auto& check : {CheckPlay, CheckSeeds, CheckClipping}) {
    for (std::string& violation : check(make, steps)) violations.push_back(std::move(violation));
  }
  return violations;
}

void CheckConformance(const EnvironmentFactory& make, int steps) {
  EXPECT_THAT(ConformanceViolations(make, steps), testing::IsEmpty());
}

}  // namespace cadre
