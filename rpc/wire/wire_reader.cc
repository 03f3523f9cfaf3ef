#include "rpc/wire/wire_reader.h"

#include <cstring>
#include <limits>

namespace cadre {
namespace {

constexpr int kLongestVarint = 10;

}  // namespace

WireReader::WireReader(absl::Span<const Piece> pieces) : piece_(pieces.data()) {
  for (const Piece piece : pieces) left_ += piece.size();
}

bool WireReader::Next() {
  if (unread_) SkipValue();
  if (left_ == 0) return false;
  const uint64_t tag = TakeVarint();
  if (damaged_) return false;
  // Field numbers begin at 1.
  if (tag > std::numeric_limits<uint32_t>::max() || tag >> 3 == 0) {
    Damaged();
    return false;
  }
  tag_ = static_cast<uint32_t>(tag);
  unread_ = true;
  return true;
}

uint64_t WireReader::Varint() {
  unread_ = false;
  return TakeVarint();
}

uint64_t WireReader::Fixed64() {
  uint64_t value = 0;
  auto* to = reinterpret_cast<std::byte*>(&value);
  Take(TakeFixedSize(), [&to](Piece piece) {
    std::memcpy(to, piece.data(), piece.size());
    to += piece.size();
  });
  return value;
}

WireReader WireReader::Message() {
  const uint64_t length = TakeLength();
  WireReader message = *this;
  message.left_ = length;
  message.damaged_ = false;
  Take(length, [](Piece) {});
  return message;
}

std::string WireReader::String() {
  std::string text;
  Take(TakeLength(), [&text](Piece piece) {
    text.append(reinterpret_cast<const char*>(piece.data()), piece.size());
  });
  return text;
}

uint64_t WireReader::TakeVarint() {
  uint64_t value = 0;
  for (int i = 0; i < kLongestVarint && left_ > 0; ++i) {
    while (at_ == piece_->size()) NextPiece();
    const auto byte = static_cast<uint64_t>((*piece_)[at_++]);
    --left_;
    value |= (byte & 0x7F) << (7 * i);
    if (byte < 0x80) return value;
  }
  Damaged();
  return 0;
}

uint64_t WireReader::TakeLength() {
  unread_ = false;
  const uint64_t length = TakeVarint();
  if (length <= left_) return length;
  Damaged();
  return 0;
}

uint64_t WireReader::TakeFixedSize() {
  unread_ = false;
  const uint64_t size = type() == WireType::kFixed64 ? 8 : 4;
  if (size <= left_) return size;
  Damaged();
  return 0;
}

void WireReader::SkipValue() {
  switch (type()) {
    case WireType::kVarint:
      Varint();
      return;
    case WireType::kBytes:
      Take(TakeLength(), [](Piece) {});
      return;
    case WireType::kFixed64:
    case WireType::kFixed32:
      Take(TakeFixedSize(), [](Piece) {});
      return;
  }
  Damaged();  // A group, which proto3 does not have, or no type at all.
}

void WireReader::Damaged() {
  damaged_ = true;
  unread_ = false;
  left_ = 0;
}

}  // namespace cadre
