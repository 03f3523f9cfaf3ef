// Probes of spaces: each step shows a new random target, and the action is to name it. There is
// nothing to plan, and the best return is known. Episodes have ten steps and never terminate.
//
//   MultiDiscreteMatch-v0  choices of [3, 4, 2]; the target as three one-hot vectors. 1 for each
//                          choice that is right: at most 30.
//   MultiBinaryMatch-v0    five bits, which are shown. 1 for each that is right: at most 50.
//   DictionaryMatch-v0     four alternatives: which half of an image is bright (uint8, [4, 4]),
//                          and the sign of a reading (float32, [1]). 1 if both are right: at most
//                          10; whoever sees one of the two only has 5.
#pragma once

#include <array>
#include <cstdint>

#include "absl/types/span.h"
#include "envs/environment.h"

namespace cadre {

// `Task` draws the target and shows it: Draw(random), Show(observation), and Score(action).
template <typename Task>
class Match final : public Environment {
 public:
  static constexpr int64_t kSteps = 10;

  static const EnvironmentSpec& Spec() { return Task::Spec(); }

  const EnvironmentSpec& spec() const override { return Spec(); }
  void Reset(Random& random, ObservationRow observation) override { Next(random, observation); }
  StepResult Step(absl::Span<const std::byte> action, Random& random,
                  ObservationRow observation) override {
    const double score = task_.Score(action);
    Next(random, observation);
    return {.reward = score};
  }

 private:
  void Next(Random& random, ObservationRow observation) {
    task_.Draw(random);
    task_.Show(random, observation);
  }

  Task task_;
};

class MultiDiscreteTask {
 public:
  static const EnvironmentSpec& Spec();
  void Draw(Random& random);
  void Show(Random& random, ObservationRow observation) const;
  double Score(absl::Span<const std::byte> action) const;

 private:
  std::array<int32_t, 3> target_ = {};
};

class MultiBinaryTask {
 public:
  static const EnvironmentSpec& Spec();
  void Draw(Random& random);
  void Show(Random& random, ObservationRow observation) const;
  double Score(absl::Span<const std::byte> action) const;

 private:
  std::array<int32_t, 5> target_ = {};
};

class DictionaryTask {
 public:
  static const EnvironmentSpec& Spec();
  void Draw(Random& random);
  void Show(Random& random, ObservationRow observation) const;
  double Score(absl::Span<const std::byte> action) const;

 private:
  bool right_ = false;     // The bright half.
  bool positive_ = false;  // The reading's sign.
};

using MultiDiscreteMatch = Match<MultiDiscreteTask>;
using MultiBinaryMatch = Match<MultiBinaryTask>;
using DictionaryMatch = Match<DictionaryTask>;

}  // namespace cadre
