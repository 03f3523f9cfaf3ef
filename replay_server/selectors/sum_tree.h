// Sums over many masses that change: finds the leaf that stands at a point of their
// total. A tree with wide nodes, each two cache lines of its children's masses, so that
// a million leaves are five levels deep.
//
// An inner mass is always summed anew from its children, never corrected by a
// difference. It so depends on what the masses are, not on what they were: a mass that
// falls from 1e8 to 1 leaves no residue. Pure; not thread-safe.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "absl/types/span.h"

namespace cadre {

class SumTree {
 public:
  // `leaves` >= 1, all of mass 0.
  explicit SumTree(int64_t leaves);

  // `mass` >= 0; the sum of all stays finite.
  void Set(int64_t leaf, double mass);

  double mass(int64_t leaf) const { return levels_.back()[leaf / kFanOut][leaf % kFanOut]; }
  double total() const { return total_; }

  // leaves[k]: the one that points[k] is in, 0 <= points[k] < total(), when all masses
  // stand one after the other. Never one of mass 0, whatever is rounded. Ascending points
  // are found fastest: their ways are alike.
  void Find(absl::Span<const double> points, absl::Span<int64_t> leaves) const;

  void Clear();

 private:
  static constexpr int64_t kFanOut = 16;
  struct alignas(64) Node : std::array<double, kFanOut> {};

  static double Sum(const Node& node);
  // The child of `node` that `point` is in; the point becomes one within the child.
  static int64_t Step(const Node& node, double* point);

  // [0] is the root alone, the last holds the leaves.
  std::vector<std::vector<Node>> levels_;
  double total_ = 0;
};

}  // namespace cadre
