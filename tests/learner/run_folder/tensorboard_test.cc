#include "learner/run_folder/tensorboard.h"

#include <cstring>
#include <filesystem>
#include <limits>
#include <set>

#include "absl/strings/match.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "proto/tensorboard_event.pb.h"
#include "tests/learner/temp_folder.h"

namespace cadre {
namespace {

using tensorboard::Event;

// Bit by bit, from the polynomial's definition.
uint32_t NaiveMaskedCrc32c(const std::string& bytes) {
  uint32_t crc = 0xFFFFFFFF;
  for (unsigned char byte : bytes) {
    for (int bit = 0; bit < 8; ++bit, byte >>= 1) {
      const bool carry = (crc ^ byte) & 1;
      crc >>= 1;
      if (carry) crc ^= 0x82F63B78;
    }
  }
  crc = ~crc;
  return ((crc >> 15) | (crc << 17)) + 0xA282EAD8;
}

uint32_t Word(const std::string& bytes, size_t at) {
  uint32_t word;
  std::memcpy(&word, bytes.data() + at, 4);
  return word;
}

std::vector<Event> ReadEvents(const std::string& path) {
  const std::string bytes = Slurp(path);
  std::vector<Event> events;
  for (size_t at = 0; at < bytes.size();) {
    uint64_t length;
    std::memcpy(&length, bytes.data() + at, 8);
    EXPECT_EQ(Word(bytes, at + 8), NaiveMaskedCrc32c(bytes.substr(at, 8)));
    const std::string payload = bytes.substr(at + 12, length);
    EXPECT_EQ(payload.size(), length);
    EXPECT_EQ(Word(bytes, at + 12 + length), NaiveMaskedCrc32c(payload));
    EXPECT_TRUE(events.emplace_back().ParseFromString(payload));
    at += 16 + length;
  }
  return events;
}

TEST(TensorboardTest, AFrameIsLengthAndPayloadEachWithItsChecksum) {
  // The empty record's bytes, as TensorFlow's RecordWriter writes them.
  EXPECT_EQ(TfRecord(""), std::string("\0\0\0\0\0\0\0\0\x29\x03\x98\x07\xd8\xea\x82\xa2", 16));
  const std::string frame = TfRecord("abc");
  ASSERT_EQ(frame.size(), 8 + 4 + 3 + 4);
  EXPECT_EQ(frame.substr(0, 8), std::string("\x03\0\0\0\0\0\0\0", 8));
  EXPECT_EQ(frame.substr(12, 3), "abc");
}

TEST(TensorboardTest, WritesTheWireFormatOfEvents) {
  Event event;
  event.set_step(5);
  tensorboard::Summary::Value* value = event.mutable_summary()->add_value();
  value->set_tag("a");
  value->set_simple_value(1.0f);
  // Field 2 varint 5; field 5, 10 bytes: field 1, 8 bytes: field 1 "a", field 2 fixed32 1.0.
  EXPECT_EQ(event.SerializeAsString(),
            std::string("\x10\x05\x2a\x0a\x0a\x08\x0a\x01\x61\x15\x00\x00\x80\x3f", 14));
}

// A float field of proto3 would leave a zero out, and TensorBoard would not see it.
TEST(TensorboardTest, WritesZeros) {
  tensorboard::Summary::Value value;
  value.set_simple_value(0.0f);
  EXPECT_EQ(value.SerializeAsString(), std::string("\x15\0\0\0\0", 5));
}

TEST(TensorboardTest, ReadsBackEveryEvent) {
  TempFolder folder;
  const absl::Time start = absl::FromUnixMillis(1'700'000'000'500);
  auto writer = EventWriter::Create(folder.path(), start);
  ASSERT_TRUE(writer.ok()) << writer.status();
  EXPECT_EQ((*writer)->path(), folder / "events.out.tfevents.1700000000.00");
  ASSERT_TRUE((*writer)->Write(100, {{"training/mean_return", 21.5}, {"b", -1}}, start).ok());
  ASSERT_TRUE((*writer)
                  ->Write(int64_t{1} << 40, {{"b", std::numeric_limits<double>::quiet_NaN()}},
                          start + absl::Seconds(1))
                  .ok());

  const std::vector<Event> events = ReadEvents((*writer)->path());
  ASSERT_EQ(events.size(), 3);
  EXPECT_EQ(events[0].file_version(), "brain.Event:2");
  EXPECT_EQ(events[0].wall_time(), 1'700'000'000.5);
  EXPECT_EQ(events[1].step(), 100);
  ASSERT_EQ(events[1].summary().value_size(), 2);
  EXPECT_EQ(events[1].summary().value(0).tag(), "training/mean_return");
  EXPECT_EQ(events[1].summary().value(0).simple_value(), 21.5f);
  EXPECT_EQ(events[1].summary().value(1).simple_value(), -1.0f);
  EXPECT_EQ(events[2].step(), int64_t{1} << 40);
  EXPECT_EQ(events[2].wall_time(), 1'700'000'001.5);
  EXPECT_TRUE(std::isnan(events[2].summary().value(0).simple_value()));
}

TEST(TensorboardTest, AResumedRunGetsAFileOfItsOwnThatVoidsLaterSteps) {
  TempFolder folder;
  const absl::Time now = absl::FromUnixSeconds(1'700'000'000);
  std::set<std::string> paths;
  for (int i = 0; i < 3; ++i) {
    auto writer = EventWriter::Create(folder.path(), now, /*void_from_step=*/1001);
    ASSERT_TRUE(writer.ok()) << writer.status();
    paths.insert((*writer)->path());
    const std::vector<Event> events = ReadEvents((*writer)->path());
    ASSERT_EQ(events.size(), 2);
    EXPECT_EQ(events[0].file_version(), "brain.Event:2");
    EXPECT_EQ(events[1].step(), 1001);
    EXPECT_EQ(events[1].session_log().status(), tensorboard::SessionLog::START);
  }
  EXPECT_EQ(paths.size(), 3);
}

TEST(TensorboardTest, AFolderThatIsNotThereIsAnError) {
  TempFolder folder;
  const auto writer = EventWriter::Create(folder / "nowhere", absl::UnixEpoch());
  EXPECT_TRUE(absl::IsNotFound(writer.status())) << writer.status();
  EXPECT_TRUE(absl::StrContains(writer.status().message(), folder / "nowhere"));
}

}  // namespace
}  // namespace cadre
