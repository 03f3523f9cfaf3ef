#include "replay_server/storage/writer_sequences.h"

#include "gtest/gtest.h"

namespace cadre {
namespace {

using Verdict = WriterSequences::Verdict;

TEST(WriterSequencesTest, SequencesGoUpByOne) {
  WriterSequences sequences(10);
  sequences.Open(7);
  sequences.Accept(7, 1);
  EXPECT_EQ(sequences.Check(7, 1), Verdict::kDuplicate);
  EXPECT_EQ(sequences.Check(7, 2), Verdict::kNext);
  EXPECT_EQ(sequences.Check(7, 3), Verdict::kGap);
  EXPECT_EQ(sequences.next(7), 2);
}

TEST(WriterSequencesTest, WritersAreApart) {
  WriterSequences sequences(10);
  sequences.Accept(7, 1);
  EXPECT_EQ(sequences.Check(8, 1), Verdict::kNext);
}

TEST(WriterSequencesTest, AnUnknownWriterGoesOnWhereItIs) {
  WriterSequences sequences(10);
  EXPECT_EQ(sequences.Check(7, 0), Verdict::kGap);
  EXPECT_EQ(sequences.Check(7, 41), Verdict::kNext);
  sequences.Accept(7, 41);
  EXPECT_EQ(sequences.settled(7), 40) << "what came before it, another life of the server settled";
  EXPECT_EQ(sequences.Check(7, 40), Verdict::kDuplicate);
}

TEST(WriterSequencesTest, SettledIsTheLongestSettledPrefix) {
  WriterSequences sequences(10);
  sequences.Open(7);
  for (uint64_t sequence = 1; sequence <= 4; ++sequence) sequences.Accept(7, sequence);
  EXPECT_EQ(sequences.settled(7), 0);
  sequences.Settle(7, 3);
  EXPECT_EQ(sequences.settled(7), 0);
  sequences.Settle(7, 1);
  EXPECT_EQ(sequences.settled(7), 1);
  sequences.Settle(7, 2);
  EXPECT_EQ(sequences.settled(7), 3);
  sequences.Settle(7, 4);
  EXPECT_EQ(sequences.settled(7), 4);
}

TEST(WriterSequencesTest, OnlyTheOldestIdleWritersAreForgotten) {
  WriterSequences sequences(2);
  for (uint64_t writer : {1, 2, 3}) {
    sequences.Open(writer);
    sequences.Accept(writer, 1);
    sequences.Settle(writer, 1);
  }
  sequences.Close(1);
  sequences.Close(2);
  // Writer 1 comes back and leaves again: now 2 is the one that is gone for longest.
  sequences.Open(1);
  sequences.Close(1);
  sequences.Close(3);
  EXPECT_EQ(sequences.next(1), 2);
  EXPECT_EQ(sequences.next(2), 0);
  EXPECT_EQ(sequences.next(3), 2);
}

TEST(WriterSequencesTest, WritersWithUnsettledRolloutsAreKept) {
  WriterSequences sequences(1);
  sequences.Open(1);
  sequences.Accept(1, 1);
  sequences.Close(1);
  for (uint64_t writer = 2; writer < 50; ++writer) {
    sequences.Open(writer);
    sequences.Close(writer);
  }
  EXPECT_EQ(sequences.Check(1, 1), Verdict::kDuplicate);
  EXPECT_EQ(sequences.size(), 2);
  sequences.Settle(1, 1);
  EXPECT_EQ(sequences.size(), 1) << "of the idle ones the newest is kept";
  EXPECT_EQ(sequences.settled(1), 1);
}

TEST(WriterSequencesTest, MemoryIsBoundedHoweverOftenWritersComeAndGo) {
  WriterSequences sequences(3);
  for (uint64_t writer = 0; writer < 1000; ++writer) {
    sequences.Open(writer);
    sequences.Accept(writer, 1);
    sequences.Settle(writer, 1);
    sequences.Close(writer);
  }
  EXPECT_LE(sequences.size(), 3);
}

}  // namespace
}  // namespace cadre
