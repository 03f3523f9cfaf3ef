// The observations and the actions of an environment. Plain data, known to environments,
// networks and experience specs alike.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "absl/types/span.h"
#include "proto/experience.pb.h"

namespace cadre {

// One array of an observation.
struct ObservationColumn {
  std::string name = "obs";  // Unique in its space.
  v1::DType dtype = v1::DTYPE_FLOAT32;
  std::vector<int64_t> shape = {};
  std::vector<float> low = {}, high = {};  // [elements]; infinite if unbounded.

  int64_t elements() const;
  int64_t bytes() const;
};

// Usually a single column named "obs"; a dictionary observation has several.
struct ObservationSpace {
  std::vector<ObservationColumn> columns;

  // The sums over all columns.
  int64_t elements() const;
  int64_t bytes() const;
  // Elements of the float32 columns, which are what can be normalised.
  int64_t floats() const;
};

// Either discrete or continuous. Discrete actions are K choices at once, the k-th among
// counts[k] alternatives, and an action is K int32; plain discrete actions are one choice,
// multi-binary ones K choices among two. A continuous action is float32 [dimensions].
struct ActionSpace {
  enum class Kind { kDiscrete, kMultiDiscrete, kMultiBinary, kContinuous };
  Kind kind = Kind::kDiscrete;
  std::vector<int64_t> counts = {};        // Discrete: [K].
  int64_t dimensions = 0;                  // Continuous: A.
  std::vector<float> low = {}, high = {};  // Continuous: [A], inclusive bounds.
  // Discrete: the environment shows which alternatives are allowed (MaskColumn). What is not
  // allowed is never chosen.
  bool masked = false;

  static ActionSpace Discrete(int64_t count);
  static ActionSpace MultiDiscrete(std::vector<int64_t> counts);
  static ActionSpace MultiBinary(int64_t choices);

  bool discrete() const { return kind != Kind::kContinuous; }
  int64_t choices() const { return static_cast<int64_t>(counts.size()); }  // K
  // The alternatives of all choices together, the first choice's first: what has a logit each.
  int64_t alternatives() const;
  int64_t bytes() const { return 4 * (discrete() ? choices() : dimensions); }
};

// "float32[4]" or, of several columns, "image uint8[8,8], position float32[2]".
std::string Describe(const ObservationSpace& observation);
// "3 choices", "choices of [3, 2]", "4 bits", "float32[2]"; and "masked" if it is.
std::string Describe(const ActionSpace& action);

// What the column of MaskColumn is called; no column of an observation may be.
inline constexpr char kMaskColumn[] = "action_mask";

// uint8 [alternatives]: 1 for what is allowed, at least one of each choice. An
// environment with masked actions shows it as one more column, after those of its observation.
ObservationColumn MaskColumn(const ActionSpace& action);

// What an environment with these spaces writes at each step: the columns of its observation,
// and the mask if actions are masked.
std::vector<ObservationColumn> ShownColumns(const ObservationSpace& observation,
                                            const ActionSpace& action);

// What B environments show: of each of ShownColumns() their rows, one dense block.
using ShownBlocks = absl::Span<const absl::Span<const std::byte>>;

}  // namespace cadre
