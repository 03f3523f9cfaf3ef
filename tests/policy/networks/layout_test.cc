#include "policy/networks/layout.h"

#include <set>
#include <string>
#include <utility>
#include <vector>

#include "gtest/gtest.h"

namespace cadre {
namespace {

using Blocks = std::vector<std::pair<std::string, std::vector<int64_t>>>;

ParameterLayout MakeLayout(const Blocks& blocks) {
  ParameterLayout layout;
  for (const auto& [name, shape] : blocks) layout.Add(name, shape);
  return layout;
}

TEST(ParameterLayoutTest, BlocksFollowEachOtherWithoutAGap) {
  ParameterLayout layout;
  EXPECT_EQ(layout.size(), 0);
  EXPECT_EQ(layout.Add("w", {3, 5}), 0);
  EXPECT_EQ(layout.Add("b", {3}), 15);
  EXPECT_EQ(layout.Add("scalar", {}), 18);
  EXPECT_EQ(layout.size(), 19);
  EXPECT_EQ(layout.blocks()[1].name, "b");
  EXPECT_EQ(layout.blocks()[1].offset, 15);
  EXPECT_EQ(layout.blocks()[1].size, 3);
  EXPECT_EQ(layout.blocks()[0].shape, (std::vector<int64_t>{3, 5}));
}

TEST(ParameterLayoutTest, TheFingerprintDiffersWhereverTheVectorMeansSomethingElse) {
  const std::vector<Blocks> layouts = {
      {},
      {{"w", {2, 3}}},
      {{"w", {3, 2}}},
      {{"w", {6}}},
      {{"v", {2, 3}}},
      {{"w", {2, 3}}, {"b", {2}}},
      {{"b", {2}}, {"w", {2, 3}}},
      {{"w", {2, 3}}, {"b", {2}}, {"c", {}}},
      {{"a1", {2}}},  // Where a name ends and a shape begins counts, too.
      {{"a", {12}}},
      {{"a", {1, 2}}},
  };
  std::set<uint64_t> fingerprints;
  for (const Blocks& blocks : layouts) fingerprints.insert(MakeLayout(blocks).fingerprint());
  EXPECT_EQ(fingerprints.size(), layouts.size());
}

TEST(ParameterLayoutTest, TheSameBlocksGiveTheSameFingerprint) {
  const Blocks blocks = {{"w", {2, 3}}, {"b", {2}}};
  EXPECT_EQ(MakeLayout(blocks).fingerprint(), MakeLayout(blocks).fingerprint());
}

}  // namespace
}  // namespace cadre
