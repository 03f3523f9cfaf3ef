#include "replay_server/sum_tree.h"

#include <algorithm>
#include <cmath>

#include "common/check.h"

namespace cadre {

SumTree::SumTree(int64_t leaves) {
  CADRE_CHECK(leaves >= 1);
  int64_t width = leaves;
  do {
    width = (width + kFanOut - 1) / kFanOut;
    levels_.emplace_back(width);
  } while (width > 1);
  std::reverse(levels_.begin(), levels_.end());
}

void SumTree::Set(int64_t leaf, double mass) {
  int64_t child = leaf;
  for (size_t level = levels_.size(); level-- > 0;) {
    Node& node = levels_[level][child / kFanOut];
    if (node[child % kFanOut] == mass) return;
    node[child % kFanOut] = mass;
    mass = Sum(node);
    child /= kFanOut;
  }
  total_ = mass;
}

void SumTree::Find(absl::Span<const double> points, absl::Span<int64_t> leaves) const {
  CADRE_CHECK(points.size() == leaves.size());
  constexpr size_t kTogether = 64;
  std::array<double, kTogether> rest;
  for (size_t begin = 0; begin < points.size(); begin += kTogether) {
    // A few go down side by side, one level at a time: the processor works on one while
    // it waits for another's memory.
    const absl::Span<int64_t> found = leaves.subspan(begin, kTogether);
    std::copy_n(points.begin() + begin, found.size(), rest.begin());
    std::fill(found.begin(), found.end(), 0);
    for (const std::vector<Node>& level : levels_)
      for (size_t k = 0; k < found.size(); ++k)
        found[k] = found[k] * kFanOut + Step(level[found[k]], &rest[k]);
  }
}

void SumTree::Clear() {
  for (std::vector<Node>& level : levels_) std::fill(level.begin(), level.end(), Node{});
  total_ = 0;
}

double SumTree::Sum(const Node& node) {
  // Four sums, for the processor to add side by side.
  std::array<double, 4> sums{};
  for (int64_t k = 0; k < kFanOut; k += 4)
    for (int64_t lane = 0; lane < 4; ++lane) sums[lane] += node[k + lane];
  return (sums[0] + sums[1]) + (sums[2] + sums[3]);
}

int64_t SumTree::Step(const Node& node, double* point) {
  // Counts the children that end at or before the point, without branches.
  double end = 0, begin = 0;
  int64_t child = 0;
  for (int64_t k = 0; k < kFanOut; ++k) {
    end += node[k];
    const bool before = end <= *point;
    begin = before ? end : begin;
    child += before;
  }
  if (child < kFanOut) [[likely]] {
    *point -= begin;
    return child;
  }
  // The point was rounded to past the end: to the last child that has mass.
  do {
    --child;
  } while (child > 0 && node[child] == 0);
  *point = std::nextafter(node[child], 0);
  return child;
}

}  // namespace cadre
