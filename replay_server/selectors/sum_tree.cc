#include "replay_server/selectors/sum_tree.h"

#include <algorithm>

#include "common/check.h"

namespace cadre {
namespace {

// A node's children are searched in four groups of four: first for the group, then in it.
constexpr int64_t kGroups = 4;

template <typename Node>
inline std::array<double, kGroups> GroupSums(const Node& node) {
  std::array<double, kGroups> sums;
  for (int64_t k = 0; k < kGroups; ++k) {
    const double* group = &node[k * kGroups];
    sums[k] = (group[0] + group[1]) + (group[2] + group[3]);
  }
  return sums;
}

// Of four masses that stand one after the other, the one that `point` is in, or the last
// that is not 0 where the point was rounded to past the end; the point becomes one within
// it. Without branches that could not be foretold.
inline int64_t Pick(const double* masses, double* point) {
  const double first = masses[0], second = first + masses[1], third = second + masses[2];
  const std::array<double, kGroups> begins = {0, first, second, third};
  int64_t picked = (first <= *point) + (second <= *point) + (third <= *point);
  *point -= begins[picked];
  while (picked > 0 && masses[picked] == 0) --picked;
  return picked;
}

}  // namespace

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
  const std::array<double, kGroups> sums = GroupSums(node);
  const int64_t group = Pick(sums.data(), point) * kGroups;
  return group + Pick(&node[group], point);
}

}  // namespace cadre
