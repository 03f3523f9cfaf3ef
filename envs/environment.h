// One environment: what every task implements, built in or not. It knows no
// clock, no thread and no global random numbers; the same seed and actions give
// the same episode on every machine. Not thread-safe.
#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <string>

#include "absl/status/status.h"
#include "absl/types/span.h"
#include "common/random.h"
#include "common/spaces.h"

namespace cadre {

struct EnvironmentSpec {
  std::string id;  // "CartPole-v1"
  ObservationSpace observation;
  ActionSpace action;             // If they are masked, the mask is shown, too.
  int64_t max_episode_steps = 0;  // Truncated after so many steps; 0: never.
  double reward_threshold = std::numeric_limits<double>::quiet_NaN();  // "Solved"; NaN: none.
};

// One row of each column that an environment shows, in the order of ShownColumns().
using ObservationRow = absl::Span<const absl::Span<std::byte>>;

struct StepResult {
  double reward = 0;
  bool terminated = false;  // A terminal state: no bootstrap.
  // The time limit is not here: VectorEnvironment counts steps and truncates.
};

class Environment {
 public:
  virtual ~Environment() = default;

  virtual const EnvironmentSpec& spec() const = 0;

  // Starts an episode and writes its first observation: all of every column, in its dtype.
  virtual void Reset(Random& random, ObservationRow observation) = 0;

  // `action`: ActionSpace::bytes() bytes, int32 [K] in range or float32 [A]. A continuous
  // action outside the bounds is clipped to them; what a masked one does is the task's to
  // say. Must not be called after `terminated` before the next Reset.
  virtual StepResult Step(absl::Span<const std::byte> action, Random& random,
                          ObservationRow observation) = 0;

  // Puts the running episode into `state`, in the units of the task's equations, and writes
  // what it shows. For tests and for people. INVALID_ARGUMENT where `state` has not as many
  // numbers as the task's, UNIMPLEMENTED where the task has none that can be set.
  virtual absl::Status SetState(absl::Span<const double> state, ObservationRow observation);
};

// What several environments with one column of observations are given, and where their answers go.
struct StepAllRows {
  absl::Span<const std::byte> actions;  // [n, action bytes]
  absl::Span<std::byte> observations;   // [n, column bytes]
  absl::Span<StepResult> results;       // [n]
};

// An environment that draws no random numbers while it steps may step many at once, to the same
// bits as each by itself. BatchOf calls it if it is there.
template <typename E>
concept StepsAll = requires(absl::Span<E> environments, const StepAllRows& rows) {
  E::StepAll(environments, rows);
};

// Step() of one environment by its StepAll().
template <StepsAll E>
StepResult StepOne(E& environment, absl::Span<const std::byte> action,
                   absl::Span<std::byte> observation) {
  StepResult result;
  E::StepAll(absl::MakeSpan(&environment, 1),
             {.actions = action, .observations = observation, .results = {&result, 1}});
  return result;
}

// INVALID_ARGUMENT unless `state` has `wanted` numbers.
absl::Status CheckStateSize(const EnvironmentSpec& spec, absl::Span<const double> state,
                            size_t wanted);

}  // namespace cadre
