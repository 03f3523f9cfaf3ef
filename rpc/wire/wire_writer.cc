#include "rpc/wire/wire_writer.h"

#include <utility>

namespace cadre {
namespace {

// A slice that refers to memory costs two allocations and a segment of each write to
// the socket: copying so few bytes is faster.
constexpr size_t kSmallestReference = 4096;

void AppendVarint(uint64_t value, std::string* text) {
  for (; value >= 0x80; value >>= 7) text->push_back(static_cast<char>(value | 0x80));
  text->push_back(static_cast<char>(value));
}

grpc::Slice OwningSlice(std::string text) {
  auto* const owned = new std::string(std::move(text));
  return {owned->data(), owned->size(), [](void* it) { delete static_cast<std::string*>(it); },
          owned};
}

grpc::Slice ReferringSlice(absl::Span<const std::byte> block,
                           const std::shared_ptr<const void>& owner) {
  using Owner = std::shared_ptr<const void>;
  // gRPC only reads what it sends.
  return {const_cast<std::byte*>(block.data()), block.size(),
          [](void* it) { delete static_cast<Owner*>(it); }, new Owner(owner)};
}

}  // namespace

void WireWriter::Varint(uint32_t field, uint64_t value) {
  if (value == 0) return;
  PutTag(field, WireType::kVarint);
  AppendVarint(value, &copied_);
}

void WireWriter::Fixed64(uint32_t field, uint64_t value) {
  if (value == 0) return;
  PutTag(field, WireType::kFixed64);
  copied_.append(reinterpret_cast<const char*>(&value), sizeof(value));
}

void WireWriter::Double(uint32_t field, double value) {
  Fixed64(field, std::bit_cast<uint64_t>(value));
}

void WireWriter::String(uint32_t field, absl::string_view text) {
  if (text.empty()) return;
  PutTag(field, WireType::kBytes);
  PutLength(text.size());
  copied_.append(text.data(), text.size());
}

void WireWriter::Block(uint32_t field, absl::Span<const std::byte> block) {
  PutTag(field, WireType::kBytes);
  PutLength(block.size());
  if (block.size() < kSmallestReference) {
    copied_.append(reinterpret_cast<const char*>(block.data()), block.size());
    return;
  }
  EndCopied();
  slices_.push_back(ReferringSlice(block, owner_));
  bytes_ += block.size();
}

void WireWriter::Pieces(uint32_t field, absl::Span<const absl::Span<const std::byte>> pieces) {
  size_t bytes = 0;
  for (const absl::Span<const std::byte> piece : pieces) bytes += piece.size();
  PutTag(field, WireType::kBytes);
  PutLength(bytes);
  EndCopied();
  bytes_ += bytes;
  for (const absl::Span<const std::byte> piece : pieces)
    slices_.push_back(ReferringSlice(piece, owner_));
}

void WireWriter::Message(uint32_t field, const google::protobuf::MessageLite& message) {
  PutTag(field, WireType::kBytes);
  PutLength(message.ByteSizeLong());
  message.AppendToString(&copied_);
}

grpc::ByteBuffer WireWriter::FinishAsField(uint32_t field) {
  EndCopied();
  PutTag(field, WireType::kBytes);
  PutLength(bytes_);
  slices_.front() = grpc::Slice(copied_);
  return grpc::ByteBuffer(slices_.data(), slices_.size());
}

void WireWriter::PutTag(uint32_t field, WireType type) { AppendVarint(Tag(field, type), &copied_); }

void WireWriter::PutLength(uint64_t bytes) { AppendVarint(bytes, &copied_); }

void WireWriter::EndCopied() {
  if (copied_.empty()) return;
  bytes_ += copied_.size();
  slices_.push_back(OwningSlice(std::exchange(copied_, std::string())));
}

}  // namespace cadre
