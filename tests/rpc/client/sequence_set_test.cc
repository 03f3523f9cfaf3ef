#include "rpc/client/sequence_set.h"

#include <cstdint>
#include <set>

#include "common/random.h"
#include "gtest/gtest.h"

namespace cadre {
namespace {

TEST(SequenceSetTest, HoldsWhatWasInsertedLikeAPlainSet) {
  SequenceSet sequences(1000);
  std::set<uint64_t> plain;
  Random random(1);
  for (int i = 0; i < 500; ++i) {
    const uint64_t sequence = 1 + random.Below(600);
    sequences.Insert(sequence);
    plain.insert(sequence);
    for (uint64_t s = 0; s <= 601; ++s) ASSERT_EQ(sequences.Contains(s), plain.count(s) == 1) << s;
  }
}

TEST(SequenceSetTest, ARunWithoutGapsIsOneInterval) {
  SequenceSet sequences(10);
  for (uint64_t sequence : {4, 2, 5, 3, 1}) sequences.Insert(sequence);
  EXPECT_EQ(sequences.intervals(), 1);
}

TEST(SequenceSetTest, TheLowestGapsAreGivenUpFirst) {
  SequenceSet sequences(3);
  for (uint64_t sequence : {10, 20, 30, 40}) sequences.Insert(sequence);
  EXPECT_EQ(sequences.intervals(), 3);
  EXPECT_TRUE(sequences.Contains(15)) << "given up";
  EXPECT_FALSE(sequences.Contains(25));
  EXPECT_FALSE(sequences.Contains(35));
  EXPECT_FALSE(sequences.Contains(41));
  EXPECT_FALSE(sequences.Contains(9));
}

}  // namespace
}  // namespace cadre
