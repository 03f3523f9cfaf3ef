// Protobuf's wire format, as far as proto3 uses it
// (https://protobuf.dev/programming-guides/encoding/): a message is a sequence of
// fields, each a tag and a value. For the few messages whose payload must not be
// copied; all others are protobuf's own business.
#pragma once

#include <bit>
#include <cstdint>

namespace cadre {

// Blocks of numbers go to the wire as they stand in memory.
static_assert(std::endian::native == std::endian::little);

enum class WireType : uint8_t { kVarint = 0, kFixed64 = 1, kBytes = 2, kFixed32 = 5 };

// What stands before a field's value, and what a reader switches on: a field that came
// with another type than its own is one that it does not know.
constexpr uint32_t Tag(uint32_t field, WireType type) {
  return field << 3 | static_cast<uint32_t>(type);
}

}  // namespace cadre
