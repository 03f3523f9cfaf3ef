#include "replay_server/storage/writer_streams.h"

#include <optional>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace cadre {
namespace {

using ::testing::IsEmpty;
using ::testing::UnorderedElementsAre;

TEST(WriterStreamsTest, AStreamIsItsWritersUntilItIsClosed) {
  WriterStreams streams;
  streams.Open(1, 70, 0, nullptr);
  EXPECT_EQ(streams.WriterOf(1), 70);
  EXPECT_EQ(streams.WriterOf(2), std::nullopt);
  EXPECT_EQ(streams.Close(1), 70);
  EXPECT_EQ(streams.WriterOf(1), std::nullopt);
  EXPECT_EQ(streams.Close(1), std::nullopt);
}

TEST(WriterStreamsTest, ListenersAreToldWhatIsNewToThem) {
  WriterStreams streams;
  uint64_t told = 0;
  streams.Open(1, 70, 5, [&told](uint64_t settled) { told = settled; });
  EXPECT_EQ(streams.Settled(70, 5), nullptr);
  EXPECT_EQ(streams.Settled(71, 6), nullptr);
  const auto listener = streams.Settled(70, 6);
  ASSERT_NE(listener, nullptr);
  (*listener)(6);
  EXPECT_EQ(told, 6);
  EXPECT_EQ(streams.Settled(70, 6), nullptr);
}

TEST(WriterStreamsTest, TheNewestStreamOfAWriterHearsEvenWhenAnOlderOneCloses) {
  WriterStreams streams;
  int first = 0, second = 0;
  streams.Open(1, 70, 0, [&first](uint64_t) { ++first; });
  streams.Open(2, 70, 0, [&second](uint64_t) { ++second; });
  EXPECT_EQ(streams.Close(1), 70);
  const auto listener = streams.Settled(70, 1);
  ASSERT_NE(listener, nullptr);
  (*listener)(1);
  EXPECT_EQ(first, 0);
  EXPECT_EQ(second, 1);
  EXPECT_EQ(streams.Close(2), 70);
  EXPECT_EQ(streams.Settled(70, 2), nullptr);
}

TEST(WriterStreamsTest, AWriterKeepsItsPlaceWhileAnyOfItsStreamsIsOpen) {
  WriterStreams streams;
  streams.Open(1, 70, 0, nullptr);
  streams.Open(2, 71, 0, nullptr);
  EXPECT_THAT(streams.WritersBefore(70), IsEmpty());
  EXPECT_THAT(streams.WritersBefore(71), UnorderedElementsAre(70));
  EXPECT_THAT(streams.WritersBefore(72), UnorderedElementsAre(70, 71)) << "it has none";
  streams.Open(3, 70, 0, nullptr);
  EXPECT_THAT(streams.WritersBefore(70), IsEmpty());
  streams.Close(1);
  EXPECT_THAT(streams.WritersBefore(70), UnorderedElementsAre(71));
  EXPECT_THAT(streams.WritersBefore(71), IsEmpty());
}

}  // namespace
}  // namespace cadre
